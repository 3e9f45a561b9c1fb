"""Operations that go wrong: by chance, or because a scenario says which."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum

from frota.model.vm import Operation, Verb
from frota.twin.chance import Chances

SLOW_FACTOR = 10.0


class Trouble(StrEnum):
    """What goes wrong with one operation."""

    NONE = "none"
    FAIL = "fail"
    SLOW = "slow"
    LOSE = "lose"  # it ends, but nobody learns how


@dataclass(slots=True)
class _Next:
    trouble: Trouble
    verbs: frozenset[Verb]
    left: int
    vm: str
    host: str

    def hits(self, operation: Operation) -> bool:
        return (
            self.left > 0
            and operation.verb in self.verbs
            and self.vm in ("", operation.vm)
            and self.host in ("", operation.dst)
        )


class Mischief:
    """Decides, when an operation begins, what will go wrong with it."""

    __slots__ = ("_chances", "_next", "_rng", "quiet")

    def __init__(self, rng: random.Random, chances: Chances) -> None:
        self._rng = rng
        self._chances = chances
        self._next: list[_Next] = []
        self.quiet = False  # nothing goes wrong any more

    def plan(
        self,
        trouble: Trouble,
        verbs: frozenset[Verb],
        count: int,
        vm: str = "",
        host: str = "",
    ) -> None:
        """Let the next ``count`` operations go wrong, of one VM or to one host if named."""
        self._next.append(_Next(trouble, verbs, count, vm, host))

    def draw(self, operation: Operation) -> Trouble:
        """What will go wrong with an operation that begins now."""
        if self.quiet:
            return Trouble.NONE
        for item in self._next:
            if item.hits(operation):
                item.left -= 1
                if not item.left:
                    self._next.remove(item)
                return item.trouble
        return self._by_chance(operation.verb)

    def _by_chance(self, verb: Verb) -> Trouble:
        chances = self._chances
        if verb in (Verb.LIVE, Verb.COLD):
            fails, slow = chances.move_fails, chances.move_slow
        elif verb is Verb.START:
            fails, slow = chances.start_fails, 0.0
        else:
            fails = slow = 0.0
        total = fails + slow + chances.outcome_lost
        if not total:
            return Trouble.NONE
        drawn = self._rng.random()
        if drawn < fails:
            return Trouble.FAIL
        if drawn < fails + slow:
            return Trouble.SLOW
        return Trouble.LOSE if drawn < total else Trouble.NONE

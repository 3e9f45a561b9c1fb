"""Ending copies that must not be: ordered until they are gone, with a growing wait."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from frota.controllers.draft import Draft
from frota.model.decision import Stage
from frota.model.sight import Outcome
from frota.model.vm import Operation, Verb
from frota.planners.liveness import Leftover


@dataclass(slots=True)
class _Attempt:
    number: int
    operation: str
    ended: bool = False
    again_at: float = 0.0


class Kills:
    """Remembers what was tried. Nothing here needs to survive a restart: a leftover that
    is still there is seen again."""

    def __init__(self) -> None:
        self._attempts: dict[Leftover, _Attempt] = {}
        self._ordered = 0  # ids are never used twice: a copy may be shown again later

    def plan(
        self, left: Sequence[Leftover], outcomes: Iterable[Outcome], draft: Draft
    ) -> tuple[Operation, ...]:
        """Operations that end the leftovers; after a failure only when a wait is over."""
        if not left and not self._attempts:
            return ()
        self._note_ends(outcomes, draft)
        operations = []
        for item in left:
            known = self._attempts.get(item)
            if known is None or (known.ended and known.again_at <= draft.now):
                number = known.number + 1 if known is not None else 1
                self._ordered += 1
                operation = _operation(item, self._ordered, draft)
                self._attempts[item] = _Attempt(number, operation.id)
                operations.append(operation)
            elif known.ended:
                draft.wake_at(known.again_at)
        for gone in self._attempts.keys() - set(left):
            if self._attempts[gone].ended:
                del self._attempts[gone]
        return tuple(operations)

    def _note_ends(self, outcomes: Iterable[Outcome], draft: Draft) -> None:
        by_operation = {attempt.operation: attempt for attempt in self._attempts.values()}
        for outcome in outcomes:
            attempt = by_operation.get(outcome.operation)
            if attempt is not None:
                attempt.ended = True
                wait = draft.spec.policy.timers.fence_retry * 2.0 ** min(attempt.number, 8)
                attempt.again_at = draft.now + wait
                draft.settled.append(outcome.operation)


def _operation(item: Leftover, number: int, draft: Draft) -> Operation:
    life = draft.views[item.host].incarnation
    cause = draft.hosts[item.host].cause_id
    text = f"ends a copy of epoch {item.epoch} that must not be on {item.host}"
    draft.story.tell(Stage.ACTION, cause, f"VirtualMachine/{item.vm}", "Kill", text)
    return Operation(
        id=f"kill-{item.host}-{life}-{item.vm}-e{item.epoch}-{number}",
        verb=Verb.KILL,
        vm=item.vm,
        src=item.host,
        epoch=item.epoch,
        since=draft.now,
        cause_id=cause,
    )

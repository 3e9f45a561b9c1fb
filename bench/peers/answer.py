"""What another program made of a case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.racks import Case


@dataclass(frozen=True, slots=True)
class Answer:
    """``name`` says why there are no ``seconds`` (wall time), where there are none.

    ``left``: members above the even share of their rack, added up over sets and racks.
    """

    name: str
    seconds: float | None = None
    moves: int | None = None
    left: int = 0


def absent(name: str, why: str) -> Answer:
    """A program that cannot be run here."""
    return Answer(f"{name} (absent: {why})")


def unfinished(name: str, seconds: float) -> Answer:
    """A program that was stopped without an answer."""
    return Answer(f"{name} (did not finish in {seconds:g} s)")


def too_many(case: Case, rack_of: Sequence[int], sets: Sequence[Sequence[int]]) -> int:
    """Members above ``ceil`` of their rack."""
    found = 0
    for places in sets:
        ceiling = -(-len(places) // case.racks)
        held = [0] * case.racks
        for place in places:
            held[rack_of[place]] += 1
        found += sum(count - ceiling for count in held if count > ceiling)
    return found

"""Taking times on a machine that may have other things to do.

CPU time is the time of all threads of this process, so other processes disturb it only
through shared caches; wall time is what a user waits. Of several rounds the best counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

ROUNDS_LEAST = 3
ROUNDS_MOST = 50


@dataclass(frozen=True, slots=True)
class Limits:
    """``seconds``: the longest that one peer may take; our own rounds go on for a tenth of
    it. ``real``: whether real hosts may be used."""

    seconds: float = 60.0
    real: bool = False

    @property
    def rounds(self) -> float:
        """Seconds for repeated rounds of one measurement."""
        return self.seconds / 10


@dataclass(frozen=True, slots=True)
class Timing(Generic[T]):
    """The best CPU and wall times in seconds, and what the last round returned."""

    cpu: float
    wall: float
    rounds: int
    result: T


def best_of(run: Callable[[], T], limits: Limits) -> Timing[T]:
    """Run once to warm up, then for a while; at least three times."""
    result = run()
    cpu = wall = float("inf")
    began, rounds = time.perf_counter(), 0
    while rounds < ROUNDS_LEAST or (
        time.perf_counter() - began < limits.rounds and rounds < ROUNDS_MOST
    ):
        at_wall, at_cpu = time.perf_counter(), time.process_time()
        result = run()
        cpu = min(cpu, time.process_time() - at_cpu)
        wall = min(wall, time.perf_counter() - at_wall)
        rounds += 1
    return Timing(cpu, wall, rounds, result)

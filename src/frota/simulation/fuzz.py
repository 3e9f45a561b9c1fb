"""Random fault schedules, each played with every invariant checked after every event.

A seed makes a schedule, and a schedule one run, so a failure can be had again from its
number alone. First everything may go wrong (safety), then faults stop and all must come
right (liveness).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from typing import Any

from frota.simulation.parsing import from_mapping
from frota.simulation.play import Played, play
from frota.simulation.schedule import draw
from frota.simulation.shrink import invariants_of, shrink

_REPLAYED_EVERY = 25
_SHARE = 25  # schedules that a process plays before it reports
IDLE_TICKS = 20  # at the end of each; scenarios look a thousand times


@dataclass(frozen=True, slots=True)
class Failure:
    """One schedule that broke something: its seed, what it broke, and the mapping of a
    scenario file that does it again."""

    seed: int
    broken: tuple[str, ...]
    scenario: Mapping[str, Any]


@dataclass(slots=True)
class Report:
    """What a fuzz run found. ``seconds`` are of this machine."""

    schedules: int = 0
    simulated_hours: float = 0.0
    seconds: float = 0.0
    faults: int = 0
    failures: list[Failure] = field(default_factory=list)

    def add(self, part: Report) -> None:
        """Count in what another process found."""
        self.schedules += part.schedules
        self.simulated_hours += part.simulated_hours
        self.faults += part.faults
        self.failures += part.failures


def try_schedule(mapping: Mapping[str, Any]) -> Played:
    """Play one drawn schedule."""
    return play(from_mapping("schedule", mapping), idle_ticks=IDLE_TICKS)


def _replayed(mapping: Mapping[str, Any], first: Played) -> Played:
    """I12: the same schedule once more must be the same run to the byte."""
    again = try_schedule(mapping)
    if again.trace == first.trace:
        return first
    text = f"I12 at the end: played twice, the run was {first.trace} and then {again.trace}"
    return replace(first, broken=(*first.broken, text))


def shrunk(failure: Failure) -> Failure:
    """The smallest schedule found that still breaks one of the same invariants."""
    wanted = invariants_of(failure.broken)

    def attempt(mapping: Mapping[str, Any]) -> Played:
        played = try_schedule(mapping)
        return _replayed(mapping, played) if "I12" in wanted else played

    def fails(mapping: Mapping[str, Any]) -> bool:
        try:
            return bool(wanted & invariants_of(attempt(mapping).broken))
        except (KeyError, ValueError):  # what is left is no scenario any more
            return False

    small = shrink(failure.scenario, fails)
    return Failure(failure.seed, attempt(small).broken, small)


def fuzz(
    seeds: Iterator[int],
    *,
    failures_most: int = 1,
    clock: Callable[[], float] = time.perf_counter,
    progress: Callable[[Report], None] | None = None,
) -> Report:
    """Play the schedule of every seed until ``failures_most`` of them broke something."""
    report = Report()
    began = clock()
    for seed in seeds:
        mapping = draw(seed)
        played = try_schedule(mapping)
        if report.schedules % _REPLAYED_EVERY == 0:
            played = _replayed(mapping, played)
        report.schedules += 1
        report.simulated_hours += played.hours
        report.faults += len(mapping["timeline"])
        report.seconds = clock() - began
        if not played.held:
            report.failures.append(Failure(seed, played.broken, mapping))
            if len(report.failures) >= failures_most:
                break
        if progress is not None:
            progress(report)
    return report


def fuzz_with(
    jobs: int,
    seeds: range,
    *,
    clock: Callable[[], float] = time.perf_counter,
    progress: Callable[[Report], None] | None = None,
) -> Report:
    """As ``fuzz``, in several processes. The failure is that of the lowest seed, whichever
    process was first."""
    if jobs == 1:
        return fuzz(iter(seeds), clock=clock, progress=progress)
    report = Report()
    began = clock()
    shares = [seeds[at : at + _SHARE] for at in range(0, len(seeds), _SHARE)]
    with get_context("spawn").Pool(jobs) as pool:
        for part in pool.imap(_play_share, shares):
            report.add(part)
            report.seconds = clock() - began
            if progress is not None:
                progress(report)
            if report.failures:
                break
    return report


def _play_share(seeds: range) -> Report:
    return fuzz(iter(seeds))

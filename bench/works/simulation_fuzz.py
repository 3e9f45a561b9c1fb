"""Random fault schedules: a day of faults each, every invariant checked after every event."""

from __future__ import annotations

import time
from collections.abc import Iterator
from importlib import import_module
from itertools import count

from bench.clock import Limits
from bench.figures import Figure, Must
from frota.simulation.fuzz import fuzz, try_schedule
from frota.simulation.schedule import draw

BAR = 20
FAULTS_LEAST = 10
HOURS_LEAST = 24
FIRST_SEED = 1
LEAST = 20  # schedules


def figures(limits: Limits) -> Iterator[Figure]:
    """The mean over one run of seeds: schedules differ too much for the best of several."""
    import_module("frota.planners.placement.exact")  # else it is loaded when first needed
    try_schedule(draw(FIRST_SEED))  # warm-up
    clock = time.process_time
    until = clock() + limits.rounds * 2

    def seeds() -> Iterator[int]:
        for seed in count(FIRST_SEED):
            if seed >= FIRST_SEED + LEAST and clock() >= until:
                return
            yield seed

    report = fuzz(seeds(), failures_most=LEAST, clock=clock)
    faults = min(
        len(draw(seed)["timeline"]) for seed in range(FIRST_SEED, FIRST_SEED + report.schedules)
    )
    yield Figure(
        "schedules, CPU", report.schedules / report.seconds, "schedules/s", BAR, Must.BE_AT_LEAST
    )
    yield Figure("schedules with a broken invariant", len(report.failures), "schedules", 0)
    yield Figure("faults in the calmest", faults, "faults", FAULTS_LEAST, Must.BE_AT_LEAST)
    hours = report.simulated_hours / report.schedules
    yield Figure("simulated time of one", hours, "h", HOURS_LEAST, Must.BE_AT_LEAST)

"""How fast simulated time passes when nothing happens."""

from __future__ import annotations

import time
from collections.abc import Iterator

from bench.clock import Limits
from bench.examples import settled
from bench.figures import Figure, Must

HOUR_S = 3600.0
STEP_H = 250
BAR = 1_000


def figures(limits: Limits) -> Iterator[Figure]:
    """The best of many steps of 250 hours; every event is checked as always."""
    run = settled()
    orders = len(run.tally.orders)
    best = 0.0
    began = time.perf_counter()
    while not best or time.perf_counter() - began < limits.rounds:
        at = time.process_time()
        run.run_until(run.world.now + STEP_H * HOUR_S)
        best = max(best, STEP_H / (time.process_time() - at))
    yield Figure("simulated hours, CPU", best, "h/s", BAR, Must.BE_AT_LEAST)
    yield Figure("orders given meanwhile", len(run.tally.orders) - orders, "orders", 0)
    yield Figure("invariants broken", len(run.checker.found), "invariants", 0)

"""How fast simulated time passes when nothing happens."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from bench.clock import Limits
from bench.figures import Figure, Must
from frota.resources.documents import load
from frota.simulation.run import Run

EXAMPLE = Path(__file__).resolve().parent.parent.parent / "examples" / "three-hosts.yaml"
HOUR_S = 3600.0
SETTLED_H = 1
STEP_H = 250
BAR = 1_000


def figures(limits: Limits) -> Iterator[Figure]:
    """The example, from an hour after its first start; events are still checked."""
    loaded = load([(EXAMPLE.name, EXAMPLE.read_text(encoding="utf-8"))])
    run = Run(tuple(resource.document for resource in loaded.resources), seed=1)
    run.run_until(SETTLED_H * HOUR_S)
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

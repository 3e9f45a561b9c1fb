"""One full look of the planners at every group when nothing is to be done."""

from __future__ import annotations

from collections.abc import Iterator

from bench.clock import Limits, best_of
from bench.figures import Figure
from bench.groups import at_rest
from frota.model.snapshot import Snapshot
from frota.planners.placement.evenly import Grounds
from frota.planners.placement.ledger import Ledger
from frota.planners.placement.rebalance import plan_rebalance
from frota.planners.placement.starts import waiting
from frota.planners.placement.survival import survives_any_host
from frota.planners.placement.verdict import Judge, members_of

GROUPS, HOSTS, VMS = 1_000, 16, 200
BAR_S = 1.0


def figures(limits: Limits) -> Iterator[Figure]:
    """Waiting VMs, N-1, the verdict on each set, and a rebalance plan, for every group.

    Nothing is remembered from round to round. The controllers do remember: where nothing
    changed since the last look, they do not look again.
    """
    groups = [at_rest(HOSTS, VMS, seed) for seed in range(GROUPS)]
    timing = best_of(lambda: sum(_look(group) for group in groups), limits)
    yield Figure(f"{GROUPS:,} groups, CPU", timing.cpu, "s", BAR_S)
    yield Figure(f"{GROUPS:,} groups, wall", timing.wall, "s", BAR_S)
    yield Figure("actions", timing.result, "actions", 0)


def _look(snapshot: Snapshot) -> int:
    """Starts and moves wanted, and sets that are not as they should be."""
    grounds = Grounds(snapshot, Ledger(snapshot))
    judge = Judge(grounds, survives_any_host(snapshot, ledger=grounds.ledger))
    verdicts = [
        judge.judge(snapshot.sets[name], members) for name, members in members_of(snapshot).items()
    ]
    wrong = sum(not (verdict.aligned and verdict.n1_feasible) for verdict in verdicts)
    return len(waiting(snapshot)) + len(plan_rebalance(grounds).steps) + wrong

"""New VMs, all at once, each spread over racks and then over hosts."""

from __future__ import annotations

from collections.abc import Iterator

from bench.clock import Limits, best_of
from bench.figures import Figure, Must
from bench.groups import RACKS_AND_HOSTS, empty
from bench.peers import scheduler
from bench.racks import L
from frota.planners.placement.ledger import Ledger
from frota.planners.placement.starts import Starts, plan_starts, waiting

BAR = 10_000


def figures(limits: Limits) -> Iterator[Figure]:
    """From the snapshot to the steps, N-1 of the outcome included."""
    snapshot = empty(L, RACKS_AND_HOSTS)

    def place() -> Starts:
        return plan_starts(snapshot, waiting(snapshot), Ledger(snapshot))

    timing = best_of(place, limits)
    placed = len(timing.result.steps)
    yield Figure("VMs placed, CPU", placed / timing.cpu, "VMs/s", BAR, Must.BE_AT_LEAST)
    rate = scheduler.placed_each_second(snapshot, limits)
    yield Figure(
        "VMs placed, wall",
        placed / timing.wall,
        "VMs/s",
        BAR,
        Must.BE_AT_LEAST,
        peer=scheduler.NAME,
        peer_value=rate,
    )
    skew = _skew(timing.result)
    yield Figure("most that two racks differ by in any set", skew, "VMs", 1)
    yield Figure("VMs without a place", L.vms - placed, "VMs", 0)


def _skew(starts: Starts) -> int:
    racks = range(len(starts.ledger.racks))
    return max(
        max(counts.get(rack, 0) for rack in racks) - min(counts.get(rack, 0) for rack in racks)
        for counts in starts.ledger.rack_counts.values()
    )

"""The way of a pod scheduler, in the same language: one VM after another, every host is
filtered and scored, the best is taken."""

from __future__ import annotations

import time

from bench.clock import Limits
from frota.model.snapshot import Snapshot
from frota.model.vm import Vm
from frota.planners.placement.ledger import Ledger

NAME = "full scan for each VM, in Python"


def placed_each_second(snapshot: Snapshot, limits: Limits) -> float:
    """VMs a second, over as many as can be placed in a tenth of the limit."""
    ledger = Ledger(snapshot)
    began = time.perf_counter()
    placed = 0
    for vm in snapshot.vms.values():
        if not _place(vm, ledger) or time.perf_counter() - began > limits.rounds:
            break
        placed += 1
    return placed / (time.perf_counter() - began)


def _place(vm: Vm, ledger: Ledger) -> bool:
    counts = ledger.counts.get(vm.set, {})
    racks = ledger.rack_counts.get(vm.set, {})
    rack_of = ledger.rack_of
    scored = (
        (racks.get(rack_of[host], 0), counts.get(host, 0), ledger.load(host), host)
        for host in range(len(ledger.names))
        if ledger.fits(host, vm.size)
    )
    best = min(scored, default=None)
    if best is None:
        return False
    ledger.take(best[3], vm.size)
    ledger.seat(vm.set, best[3], 1)
    return True

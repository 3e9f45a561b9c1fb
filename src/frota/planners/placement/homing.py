"""The ``home`` mode of a rebalance: displaced VMs go back first, whatever comes after."""

from __future__ import annotations

from frota.model.availability import Level
from frota.model.vm import Vm
from frota.planners.placement.draft import Draft
from frota.planners.placement.evenly import admits, movable


def _displaced(draft: Draft) -> list[Vm]:
    """Movable VMs away from a home that is up, in order of admission."""
    snapshot = draft.snapshot
    return sorted(
        (
            vm
            for group in draft.members.values()
            for vm in group
            if vm.home not in ("", vm.host)
            and vm.home in snapshot.hosts
            and snapshot.hosts[vm.home].schedulable
            and movable(vm, snapshot)
            and admits(snapshot.sets[vm.set], vm.generation, snapshot.hosts[vm.home])
        ),
        key=lambda vm: (vm.order, vm.name),
    )


def send_home(draft: Draft) -> None:
    """Move displaced VMs home wherever that makes no set less even and there is room."""
    waiting = _displaced(draft)
    for _ in range(len(waiting)):
        gone = [vm for vm in waiting if _goes_home(draft, vm)]
        waiting = [vm for vm in waiting if vm not in gone]
        if not gone:
            return


def _goes_home(draft: Draft, vm: Vm) -> bool:
    ledger = draft.ledger
    home, here = ledger.index[vm.home], draft.host_of(vm)
    if not ledger.fits(home, vm.size):
        return False
    spread = draft.snapshot.sets[vm.set]
    counts, racks = ledger.counts[vm.set], ledger.rack_counts[vm.set]
    if Level.RACK in spread.levels:
        a, b = ledger.rack_of[here], ledger.rack_of[home]
        if a != b and racks[a] <= racks.get(b, 0):
            return False
    if Level.HOST in spread.levels and counts[here] <= counts.get(home, 0):
        return False
    draft.move(vm, home, "goes home")
    return True

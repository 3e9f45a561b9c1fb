"""Emptying a host: every VM that can leave does, spread relaxed, room never."""

from __future__ import annotations

from frota.model.host import HostState
from frota.model.plan import Refusal, Step
from frota.model.snapshot import Snapshot
from frota.model.vm import Mobility, Verb, Vm, VmState
from frota.planners.placement.choice import Chooser
from frota.planners.placement.ledger import Ledger

BLOCKED = "DrainBlocked"


def plan_drain(snapshot: Snapshot, ledger: Ledger) -> tuple[tuple[Step, ...], tuple[Refusal, ...]]:
    """Moves off all draining hosts, and what blocks the rest (DrainBlocked).

    Control planes first, then priority, then size; places as for a new VM. Pinned VMs
    stay unless the group allows cold moves: then they stop here and start elsewhere.
    Uses up ``ledger``.
    """
    draining = {h.name for h in snapshot.hosts.values() if h.state is HostState.DRAINING}
    if not draining:
        return (), ()
    up = [i for i, name in enumerate(ledger.names) if snapshot.hosts[name].schedulable]
    chooser = Chooser(ledger, up)
    steps: list[Step] = []
    refusals: list[Refusal] = []
    for vm in _leaving(snapshot, draining):
        refused = _holds(vm, snapshot)
        spread = snapshot.sets.get(vm.set)
        host = None if refused else chooser.choose(spread, vm.size)
        if host is None:
            why = refused or (
                f"no other host has {vm.size.memory_mib} MiB and {vm.size.vcpus} CPUs free"
            )
            refusals.append(Refusal(vm.name, BLOCKED, f"cannot leave {vm.host}: {why}"))
            continue
        if spread is not None:
            ledger.seat(spread.name, ledger.index[vm.host], -1)
        chooser.put(spread, host, vm.size)
        verb = Verb.LIVE if vm.mobility is Mobility.LIVE else Verb.COLD
        steps.append(Step(verb, vm.name, vm.host, ledger.names[host], f"drains {vm.host}"))
    return tuple(steps), tuple(refusals)


def _leaving(snapshot: Snapshot, draining: set[str]) -> list[Vm]:
    found = [
        vm
        for vm in snapshot.vms.values()
        if vm.host in draining
        and vm.state is VmState.RUNNING
        and vm.operation is None
        and vm.wanted
        and vm.retry_at <= snapshot.now
    ]

    def order(vm: Vm) -> tuple[bool, int, int, int, int]:
        spread = snapshot.sets.get(vm.set)
        control = spread is not None and spread.control_plane
        return not control, -vm.priority, -vm.size.memory_mib, -vm.size.vcpus, vm.order

    return sorted(found, key=order)


def _holds(vm: Vm, snapshot: Snapshot) -> str:
    """Why a VM may not be moved at all; empty when it may."""
    if vm.mobility is Mobility.PINNED and not snapshot.policy.cold_rebalance:
        gpu = f" (GPU {vm.size.gpu_model})" if vm.size.gpus else ""
        return f"it is pinned{gpu}; allow cold moves, or stop it by agreement"
    return ""

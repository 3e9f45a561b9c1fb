"""The form of a file to a snapshot, with everything filled in that was left out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from frota.model.availability import AvailabilitySet, Level
from frota.model.host import Capacity, Host, HostState, Intent, Size
from frota.model.policy import Admission, Policy, RebalanceMode, Throttle, Timers
from frota.model.snapshot import Snapshot
from frota.model.vm import Mobility, Operation, Verb, Vm, VmState
from frota.resources.quantity import MIB, whole_units
from frota.resources.snapshot import (
    SnapshotFile,
    SnapshotGpu,
    SnapshotHost,
    SnapshotPolicy,
    SnapshotSet,
    SnapshotSpec,
    SnapshotVm,
    plain,
)
from frota.snapshots import defaults
from frota.snapshots.rules import made_names


def snapshot_from(form: SnapshotFile) -> Snapshot:
    """The snapshot that a right file means."""
    spec = form.spec
    hosts = {host.name: _host(host) for host in spec.hosts}
    sets = {item.name: _set(item, hosts, _count(item, spec)) for item in spec.sets}
    vms = {vm.name: vm for vm in _vms(spec, sets)}
    return Snapshot(form.metadata.name, spec.now, hosts, sets, vms, _policy(spec.policy))


def _host(form: SnapshotHost) -> Host:
    capacity = Capacity(
        memory_mib=whole_units(form.memory, MIB),
        vcpus=form.cpus,
        slots=form.vms,
        gpus=tuple((gpu.model, gpu.count) for gpu in form.gpus),
    )
    return Host(
        name=form.name,
        rack=form.rack if form.rack is not None else form.name,
        capacity=capacity,
        state=HostState(form.state),
        since=form.since,
        incarnation=form.incarnation,
        intent=Intent(form.intent),
        leaves=tuple(form.leaves),
        fence_proof=form.fence_proof,
        declared_dead=form.declared_dead,
        cleared=form.cleared,
        before=HostState(form.before),
        until=form.until,
        tenure=form.tenure,
        reason=form.reason,
        cause_id=form.cause_id,
    )


def _count(item: SnapshotSet, spec: SnapshotSpec) -> int:
    listed = sum(vm.set == item.name for vm in spec.vms) if item.next_number is None else 0
    return listed + (sum(item.members.hosts.values()) if item.members is not None else 0)


def _set(form: SnapshotSet, hosts: dict[str, Host], members: int) -> AvailabilitySet:
    levels = tuple(Level(level) for level in form.levels)
    if form.generations is None:
        generations: tuple[frozenset[str], ...] = (defaults.domains(hosts.values(), levels),)
    else:
        generations = tuple(frozenset(domains) for domains in form.generations)
    return AvailabilitySet(
        name=form.name,
        cluster=form.cluster,
        role=form.role,
        levels=levels,
        generations=generations,
        removed=tuple(form.removed),
        adopt_new_domains=form.adopt_new_domains,
        deleting=form.deleting,
        redeploy=form.redeploy,
        successor_of=form.successor_of,
        next_number=members + 1 if form.next_number is None else form.next_number,
    )


def _vms(spec: SnapshotSpec, sets: dict[str, AvailabilitySet]) -> Iterator[Vm]:
    for place, form in enumerate(spec.vms, 1):
        spread = sets.get(form.set)
        yield _vm(form, spread.role if spread is not None else "", place)
    order = max((vm.order or 0 for vm in spec.vms), default=0)
    order = max(order, len(spec.vms))
    for item in spec.sets:
        for vm in _members(item, order + 1):
            order = vm.order
            yield vm


def _members(item: SnapshotSet, first: int) -> Iterator[Vm]:
    """The VMs that the short form of a set stands for."""
    members = item.members
    if members is None:
        return
    places = [host for host, count in members.hosts.items() for _ in range(count)]
    size = _size(members.memory, members.cpus, members.gpu)
    mobility = members.mobility
    for order, (name, host) in enumerate(
        zip(made_names(item.name, len(places)), places, strict=True), first
    ):
        yield Vm(
            name=name,
            set=item.name,
            size=size,
            order=order,
            state=VmState.RUNNING,
            host=host,
            home=host,
            priority=defaults.priority(item.role) if members.priority is None else members.priority,
            mobility=Mobility(mobility) if mobility else defaults.mobility(size.gpus),
            epoch=1,
        )


def _size(memory: str, cpus: int, gpu: SnapshotGpu | None) -> Size:
    memory_mib = whole_units(memory, MIB)
    if gpu is None:
        return Size(memory_mib, cpus)
    return Size(memory_mib, cpus, gpu.model, gpu.count)


def _vm(form: SnapshotVm, role: str, place: int) -> Vm:
    size = _size(form.memory, form.cpus, form.gpu)
    operation = form.operation
    return Vm(
        name=form.name,
        set=form.set,
        size=size,
        order=place if form.order is None else form.order,
        state=defaults.state(form.host) if form.state is None else VmState(form.state),
        host=form.host,
        home=form.host if form.home is None else form.home,
        generation=form.generation,
        priority=defaults.priority(role) if form.priority is None else form.priority,
        mobility=Mobility(form.mobility) if form.mobility else defaults.mobility(size.gpus),
        epoch=defaults.epoch(form.host) if form.epoch is None else form.epoch,
        ready=form.ready,
        moved_at=defaults.NEVER if form.moved_at is None else form.moved_at,
        failures=form.failures,
        retry_at=defaults.NEVER if form.retry_at is None else form.retry_at,
        operation=None if operation is None else _operation(form.name, plain(operation)),
        transit=form.transit,
        wanted=form.wanted,
        halted=form.halted,
        reason=form.reason,
        cause_id=form.cause_id,
    )


def _operation(vm: str, given: dict[str, Any]) -> Operation:
    return Operation(vm=vm, **{**given, "verb": Verb(given["verb"])})


def _policy(form: SnapshotPolicy) -> Policy:
    given = plain(form)
    given["timers"] = Timers(**given["timers"])
    given["throttle"] = Throttle(**given["throttle"])
    if "rebalance" in given:
        given["rebalance"] = RebalanceMode(given["rebalance"])
    if "admission" in given:
        given["admission"] = Admission(given["admission"])
    return Policy(**given)

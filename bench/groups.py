"""Host groups of known shape, as the snapshots that planners see."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from bench.losses import mixed
from bench.racks import Case, failed_over, set_sizes
from frota.model.availability import AvailabilitySet, Level, domain_of
from frota.model.host import Capacity, Host, Size
from frota.model.snapshot import Snapshot
from frota.model.vm import Vm, VmState
from frota.planners.placement.ledger import Ledger
from frota.planners.placement.starts import plan_starts, waiting

MEMORY, VCPUS = 8192, 2
SLOTS_MOST = 1000
SETS_OF_CLUSTER = 4

RACKS = (Level.RACK,)
RACKS_AND_HOSTS = (Level.RACK, Level.HOST)


def returned(case: Case, levels: tuple[Level, ...], seed: int = 1) -> Snapshot:
    """The rack that failed is back and empty; its VMs run wherever there was room, and have
    their homes where they were placed first."""
    rack_of, homes, sets = failed_over(case, seed)
    hosts = _hosts(case, rack_of)
    vms: dict[str, Vm] = {}
    for number, places in enumerate(zip(homes, sets, strict=True)):
        for member, (home, place) in enumerate(zip(*places, strict=True)):
            new = _vm(number, member, len(vms))
            vms[new.name] = running(new, _host_name(place), _host_name(home))
    return _group(hosts, _sets(len(sets), levels, hosts), vms)


def empty(case: Case, levels: tuple[Level, ...], seed: int = 1) -> Snapshot:
    """Hosts without VMs, and all VMs of the case waiting to be started."""
    rack_of = [host * case.racks // case.hosts for host in range(case.hosts)]
    hosts = _hosts(case, rack_of)
    sizes = set_sizes(case.vms, random.Random(seed))
    vms: dict[str, Vm] = {}
    for number, size in enumerate(sizes):
        for member in range(size):
            new = _vm(number, member, len(vms))
            vms[new.name] = new
    return _group(hosts, _sets(len(sizes), levels, hosts), vms)


def of_five_sizes(hosts: int, vms: int, fill: float) -> Snapshot:
    """VMs of five sizes on random hosts; see ``losses.mixed``."""
    free, guests = mixed(hosts, vms, fill)
    placed: dict[str, Vm] = {}
    full: dict[str, Host] = {}
    for place, (left, sizes) in enumerate(zip(free, guests, strict=True)):
        name = _host_name(place)
        memory = left.memory_mib + sum(size.memory_mib for size in sizes)
        vcpus = left.vcpus + sum(size.vcpus for size in sizes)
        full[name] = Host(name, f"r{place // 50}", Capacity(memory, vcpus, SLOTS_MOST))
        for size in sizes:
            new = Vm(f"vm-{len(placed)}", "", replace(size), len(placed))
            placed[new.name] = running(new, name)
    return _group(full, (), placed)


def at_rest(hosts: int, vms: int, seed: int) -> Snapshot:
    """A small group whose VMs were placed by the planner: nothing is left to do."""
    case = Case("", hosts, 4, vms)
    start = empty(case, RACKS_AND_HOSTS, seed)
    plan = plan_starts(start, waiting(start), Ledger(start))
    return start.with_vms(running(start.vms[step.vm], step.dst) for step in plan.steps)


def running(vm: Vm, host: str, home: str = "") -> Vm:
    """A VM that runs, where it is at home unless told."""
    return replace(vm, state=VmState.RUNNING, host=host, home=home or host, epoch=1)


def _hosts(case: Case, rack_of: Sequence[int]) -> dict[str, Host]:
    room = Capacity(case.slots * MEMORY, case.slots * VCPUS, SLOTS_MOST)
    return {
        _host_name(place): Host(_host_name(place), f"r{rack:03}", room)
        for place, rack in enumerate(rack_of)
    }


def _host_name(place: int) -> str:
    return f"h{place:05}"


def _set_name(number: int) -> str:
    return f"s{number:05}"


def _sets(
    count: int, levels: tuple[Level, ...], hosts: Mapping[str, Host]
) -> Iterator[AvailabilitySet]:
    config = frozenset(domain_of(host, level) for host in hosts.values() for level in Level)
    for number in range(count):
        cluster, pool = divmod(number, SETS_OF_CLUSTER)
        name = _set_name(number)
        yield AvailabilitySet(name, f"c{cluster:05}", f"pool/{pool}", levels, (config,))


def _vm(number: int, member: int, order: int) -> Vm:
    """A VM that waits. Each has a size object of its own, as VMs read from a store have."""
    name = _set_name(number)
    return Vm(f"{name}-{member}", name, Size(MEMORY, VCPUS), order)


def _group(
    hosts: Mapping[str, Host], sets: Iterable[AvailabilitySet], vms: Mapping[str, Vm]
) -> Snapshot:
    return Snapshot("bench", 0.0, hosts, {item.name: item for item in sets}, vms)

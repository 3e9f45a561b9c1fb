"""Who uses what, and how each set is spread: one count over a snapshot, then kept true
while a planner tries things out."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from copy import copy

from frota.model.host import Size
from frota.model.snapshot import Snapshot
from frota.model.vm import Vm, VmState
from frota.planners.placement.floor import floor_of

_IDLE = frozenset({VmState.PENDING, VmState.LOST, VmState.UNPLACEABLE, VmState.STOPPED})
_NOWHERE = frozenset({VmState.PENDING, VmState.LOST, VmState.UNPLACEABLE})
UNSEATED = _NOWHERE
# A member found through its enum costs more than all else that is done for a VM here.
_RUNNING, _STOPPED = VmState.RUNNING, VmState.STOPPED


def rooms(vm: Vm) -> tuple[str, ...]:
    """The hosts on which a VM takes room: both ends while it moves."""
    operation = vm.operation
    if operation is None:
        return () if vm.state in _IDLE else (vm.host,)
    src = operation.src or ("" if vm.state in _IDLE or operation.dst else vm.host)
    ends = (src, operation.dst) if src != operation.dst else (src,)
    return tuple(end for end in ends if end)


def seat(vm: Vm) -> str:
    """The host whose domain a VM counts for; empty while it waits for a place."""
    if vm.operation is None and vm.state in _NOWHERE:
        return ""
    return vm.seat


class Ledger:
    """Free room by host and member counts by set, over the hosts of one snapshot.

    Hosts are named by index into ``names`` (sorted), racks by index into ``racks``.
    Sizes are MiB, virtual CPUs, slots and GPUs. Free room may be negative on a host that
    is over-committed (it came back smaller); such a host takes nothing.
    """

    __slots__ = (
        "capacity", "counts", "cpus", "floor", "gpus", "index", "memory", "names",
        "rack_counts", "rack_of", "racks", "slots",
    )  # fmt: skip

    def __init__(self, snapshot: Snapshot) -> None:
        floor = self.floor = floor_of(snapshot.hosts)
        self.names, self.index = floor.names, floor.index
        self.racks, self.rack_of = floor.racks, floor.rack_of
        self.capacity = floor.capacity
        self.memory = [c.memory_mib for c in self.capacity]
        self.cpus = [c.vcpus for c in self.capacity]
        self.slots = [c.slots for c in self.capacity]
        self.gpus = [dict(c.gpus) for c in self.capacity]
        self.counts: dict[str, dict[int, int]] = {}
        self.rack_counts: dict[str, dict[int, int]] = {}
        self._read(snapshot.vms.values())

    def _read(self, vms: Iterable[Vm]) -> None:
        """Count all VMs. Every pass over every group does this, so the common case (a VM
        at rest) is written out instead of calling ``take`` and ``seat``."""
        index, memory, cpus, slots = self.index, self.memory, self.cpus, self.slots
        seated: dict[str, list[int]] = {}
        for vm in vms:
            if vm.operation is not None:
                self._read_moving(vm, seated)
                continue
            state = vm.state
            if state is not _RUNNING and state in _NOWHERE:
                continue
            host = index.get(vm.host)
            if host is None:
                continue
            if state is not _STOPPED:
                size = vm.size
                memory[host] -= size.memory_mib
                cpus[host] -= size.vcpus
                slots[host] -= 1
                if size.gpus:
                    self._take_gpus(host, size)
            name = vm.set
            hosts = seated.get(name)
            if hosts is not None:
                hosts.append(host)
            elif name:
                seated[name] = [host]
        rack_of = self.rack_of
        for name, hosts in seated.items():
            counts: dict[int, int] = {}
            racks: dict[int, int] = {}
            for host in hosts:
                counts[host] = counts.get(host, 0) + 1
                rack = rack_of[host]
                racks[rack] = racks.get(rack, 0) + 1
            self.counts[name], self.rack_counts[name] = counts, racks

    def _read_moving(self, vm: Vm, seated: dict[str, list[int]]) -> None:
        """Count a VM with an operation under way: room at both ends, one seat."""
        for name in rooms(vm):
            if name in self.index:
                self.take(self.index[name], vm.size)
        place = self.index.get(vm.seat)
        if place is not None and vm.set:
            seated.setdefault(vm.set, []).append(place)

    def copy(self) -> Ledger:
        """The same counts, to be changed apart from these."""
        other = copy(self)
        other.memory, other.cpus, other.slots = self.memory[:], self.cpus[:], self.slots[:]
        other.gpus = [dict(free) for free in self.gpus]
        other.counts = {name: dict(counts) for name, counts in self.counts.items()}
        other.rack_counts = {name: dict(counts) for name, counts in self.rack_counts.items()}
        return other

    def take(self, host: int, size: Size) -> None:
        """Use room on a host."""
        self.memory[host] -= size.memory_mib
        self.cpus[host] -= size.vcpus
        self.slots[host] -= 1
        if size.gpus:
            self._take_gpus(host, size)

    def _take_gpus(self, host: int, size: Size) -> None:
        free = self.gpus[host]
        free[size.gpu_model] = free.get(size.gpu_model, 0) - size.gpus

    def give(self, host: int, size: Size) -> None:
        """Free room on a host."""
        self.memory[host] += size.memory_mib
        self.cpus[host] += size.vcpus
        self.slots[host] += 1
        if size.gpus:
            self.gpus[host][size.gpu_model] += size.gpus

    def seat(self, set_name: str, host: int, change: int) -> None:
        """Count a member in (+1) or out (-1) of a host and its rack."""
        by_host = self.counts.setdefault(set_name, {})
        by_host[host] = by_host.get(host, 0) + change
        rack = self.rack_of[host]
        by_rack = self.rack_counts.setdefault(set_name, {})
        by_rack[rack] = by_rack.get(rack, 0) + change

    def fits(self, host: int, size: Size) -> bool:
        """Whether one more VM of a size has room."""
        return (
            self.memory[host] >= size.memory_mib
            and self.cpus[host] >= size.vcpus
            and self.slots[host] >= 1
            and (not size.gpus or self.gpus[host].get(size.gpu_model, 0) >= size.gpus)
        )

    def room(self, host: int, size: Size) -> int:
        """How many more VMs of a size have room; never negative."""
        most = min(self.memory[host] // size.memory_mib, self.slots[host])
        if size.vcpus:
            most = min(most, self.cpus[host] // size.vcpus)
        if size.gpus:
            most = min(most, self.gpus[host].get(size.gpu_model, 0) // size.gpus)
        return max(0, most)

    def load(self, host: int) -> int:
        """The fuller of memory and CPU, in thousandths of what the host has."""
        capacity = self.capacity[host]
        used = capacity.memory_mib - self.memory[host]
        load = used * 1000 // capacity.memory_mib if capacity.memory_mib else 1000
        if capacity.vcpus:
            used = capacity.vcpus - self.cpus[host]
            load = max(load, used * 1000 // capacity.vcpus)
        return load


class ByLoad:
    """Hosts of each rack, and all together, kept in order of load, then name."""

    __slots__ = ("_key", "all", "ledger", "of_rack")

    def __init__(self, ledger: Ledger, hosts: Iterable[int]) -> None:
        self.ledger = ledger
        self._key = {host: (ledger.load(host), host) for host in hosts}
        self.all = sorted(self._key.values())
        self.of_rack: dict[int, list[tuple[int, int]]] = {}
        for key in self.all:
            self.of_rack.setdefault(ledger.rack_of[key[1]], []).append(key)

    def refresh(self, host: int) -> None:
        """Put a host in its right place again after its load changed."""
        old = self._key.get(host)
        if old is None:
            return
        new = (self.ledger.load(host), host)
        for order in (self.all, self.of_rack[self.ledger.rack_of[host]]):
            del order[bisect_left(order, old)]
            insort(order, new)
        self._key[host] = new

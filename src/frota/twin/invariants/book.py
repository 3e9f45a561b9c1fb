"""The controller's own records, mirrored write by write, and counted apart from its planners.

Only what is stored counts here; the ground truth is the ``Site``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from frota.model.availability import AvailabilitySet, Level, Verdict
from frota.model.host import Host, Size
from frota.model.policy import Policy
from frota.model.vm import Operation, Vm, VmState
from frota.ports.store import Write
from frota.twin.machine import Usage

WAITING = frozenset({VmState.PENDING, VmState.LOST, VmState.UNPLACEABLE})
_IDLE = WAITING | {VmState.STOPPED}


def room_of(vm: Vm) -> tuple[str, ...]:
    """The hosts on which a VM holds room, as far as its record says."""
    operation = vm.operation
    if operation is None:
        return () if vm.state in _IDLE else (vm.host,)
    ends = {operation.src, operation.dst} - {""}
    return tuple(sorted(ends)) or (vm.host,)


def seat_of(vm: Vm) -> str:
    """The host a VM counts for in its set; empty while it waits for a place."""
    if vm.operation is None and vm.state in WAITING:
        return ""
    return vm.seat


class Book:
    """Hosts, sets and VMs as stored now, with room used and seats taken."""

    def __init__(self, policy: Policy, now: Callable[[], float]) -> None:
        self.policy = policy
        self.now = now  # the controller's clock, in which its records are dated
        self.hosts: dict[str, Host] = {}
        self.sets: dict[str, AvailabilitySet] = {}
        self.vms: dict[str, Vm] = {}
        self.verdicts: dict[str, Verdict] = {}
        self.used: dict[str, Usage] = {}
        self.seats: dict[str, dict[str, int]] = {}
        self.flying: dict[str, Operation] = {}

    def apply(self, writes: Sequence[Write]) -> Iterator[tuple[object, object]]:
        """Take over one commit; gives (before, after) of every record that changed."""
        for write in writes:
            value = write.value
            kind = type(value)
            if kind is Vm:
                before = self.vms.get(value.name)
                self._vm(before, value)
                yield before, value
            elif kind is Host:
                old_host = self.hosts.get(value.name)
                self.hosts[value.name] = value
                yield old_host, value
            elif kind is AvailabilitySet:
                old_set = self.sets.get(value.name)
                self.sets[value.name] = value
                yield old_set, value
            elif kind is Verdict:
                self.verdicts[value.set] = value
            elif value is None:
                yield from self._deleted(write.kind, write.name.rpartition("/")[2])

    def _deleted(self, kind: str, name: str) -> Iterator[tuple[object, object]]:
        if kind == "VirtualMachine" and name in self.vms:
            gone = self.vms[name]
            self._vm(gone, None)
            yield gone, None
        elif kind == "Host" and name in self.hosts:
            yield self.hosts.pop(name), None
        elif kind == "AvailabilitySet" and name in self.sets:
            yield self.sets.pop(name), None
        elif kind == "Verdict":
            self.verdicts.pop(name, None)

    def _vm(self, before: Vm | None, after: Vm | None) -> None:
        if before is not None:
            self._count(before, -1)
            if before.operation is not None:
                self.flying.pop(before.operation.id, None)
        if after is None:
            if before is not None:
                del self.vms[before.name]
            return
        self.vms[after.name] = after
        self._count(after, 1)
        if after.operation is not None:
            self.flying[after.operation.id] = after.operation

    def _count(self, vm: Vm, sign: int) -> None:
        for host in room_of(vm):
            usage = self.used.get(host)
            if usage is None:
                usage = self.used[host] = Usage()
            usage.add(vm.size, sign)
        seat = seat_of(vm)
        if seat:
            by_host = self.seats.setdefault(vm.set, {})
            by_host[seat] = by_host.get(seat, 0) + sign

    # Questions

    def fits(self, host: Host, size: Size) -> bool:
        """Whether the records leave room for one more VM of a size on a host."""
        used = self.used.get(host.name) or Usage()
        capacity = host.capacity
        return (
            used.memory_mib + size.memory_mib <= capacity.memory_mib
            and used.vcpus + size.vcpus <= capacity.vcpus
            and used.slots < capacity.slots
            and (
                not size.gpus
                or used.gpus.get(size.gpu_model, 0) + size.gpus <= capacity.gpus_of(size.gpu_model)
            )
        )

    def seats_before(self, moves: Iterable[Operation], spread: AvailabilitySet) -> dict[str, int]:
        """Members by host, those that move by ``moves`` still counted where they were."""
        seats = dict(self.seats.get(spread.name, {}))
        for operation in moves:
            vm = self.vms.get(operation.vm)
            if operation.id in self.flying and vm is not None and vm.set == spread.name:
                seats[operation.dst] = seats.get(operation.dst, 0) - 1
                seats[operation.src] = seats.get(operation.src, 0) + 1
        return seats

    def gain(
        self, spread: AvailabilitySet, src: str, dst: str, seats: Mapping[str, int] | None = None
    ) -> tuple[int, ...]:
        """What the sums of squared counts change, coarse level first, when one member
        that sits on ``src`` goes to ``dst``; less than zeros is better."""
        if seats is None:
            seats = self.seats.get(spread.name, {})
        change = []
        for level in spread.levels:
            if level is Level.HOST:
                change.append(2 * (seats.get(dst, 0) - seats.get(src, 0) + 1))
            elif self.hosts[src].rack == self.hosts[dst].rack:
                change.append(0)
            else:
                here = self._in_rack(seats, self.hosts[src].rack)
                change.append(2 * (self._in_rack(seats, self.hosts[dst].rack) - here + 1))
        return tuple(change)

    def _in_rack(self, seats: Mapping[str, int], rack: str) -> int:
        return sum(
            number
            for name, number in seats.items()
            if number and name in self.hosts and self.hosts[name].rack == rack
        )

    def members(self, spread: str) -> list[Vm]:
        """The VMs of a set."""
        return [vm for vm in self.vms.values() if vm.set == spread]

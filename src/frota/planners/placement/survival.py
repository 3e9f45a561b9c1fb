"""Would every VM of any one host, or rack, find room elsewhere? (N-1)

Two tests, the cheap one first. *Roomy*: the other hosts together have places for as many
of the most demanding VM as there are VMs. *Best fit decreasing*: the largest VM goes to the
host that it leaves the least room on, and so on; what this places fits. What neither proves
counts as not surviving: an assignment may exist that only a search would find, and a promise
must hold without one.

Free memory added up over hosts is no test at all: it may be in crumbs.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping, Sequence

from frota.model.host import Size
from frota.model.snapshot import Snapshot
from frota.model.vm import Vm, VmState
from frota.planners.placement.ledger import Ledger, rooms

_RUNNING = VmState.RUNNING


def survives_any_host(
    snapshot: Snapshot,
    extra: Mapping[str, Sequence[Vm]] | None = None,
    ledger: Ledger | None = None,
) -> bool:
    """Whether each host that serves may die and all its VMs have room on the others.

    ``extra`` are VMs to be counted on hosts where they do not run yet. ``ledger`` counts
    the snapshot, if that was done already.
    """
    rest, guests = _counted(snapshot, extra, ledger)
    return rest.roomy_for_any(guests) or not any(
        rest.without([host], guests[host]) for host in rest.serving
    )


def failing_hosts(
    snapshot: Snapshot,
    extra: Mapping[str, Sequence[Vm]] | None = None,
    ledger: Ledger | None = None,
) -> tuple[str, ...]:
    """The hosts whose loss would leave some VM without room, by name."""
    found = losses(snapshot, extra, ledger=ledger)
    return tuple(name for name, in_the_way in found.items() if in_the_way)


def losses(
    snapshot: Snapshot,
    extra: Mapping[str, Sequence[Vm]] | None = None,
    domains: Mapping[str, Sequence[str]] | None = None,
    ledger: Ledger | None = None,
) -> dict[str, tuple[Size, ...]]:
    """For each domain, the sizes of VMs that would find no room if it died.

    ``domains`` name groups of hosts that die together; each host alone when left out.
    """
    rest, guests = _counted(snapshot, extra, ledger)
    names, index = rest.ledger.names, rest.ledger.index
    if domains is None:
        if rest.roomy_for_any(guests):
            return {names[i]: () for i in rest.serving}
        return {names[i]: rest.without([i], guests[i]) for i in rest.serving}
    return {
        domain: rest.without(
            inside := [index[name] for name in hosts],
            [size for host in inside for size in guests[host]],
        )
        for domain, hosts in domains.items()
    }


def _counted(
    snapshot: Snapshot, extra: Mapping[str, Sequence[Vm]] | None, ledger: Ledger | None
) -> tuple[Rest, list[list[Size]]]:
    """The room left, and the sizes of the guests of each host."""
    if ledger is None:
        ledger = Ledger(snapshot)
    elif extra:
        ledger = ledger.copy()
    guests = _guests(snapshot, ledger)
    for name, vms in (extra or {}).items():
        for vm in vms:
            ledger.take(ledger.index[name], vm.size)
            guests[ledger.index[name]].append(vm.size)
    return Rest(ledger, sorted(ledger.floor.serving)), guests


def _guests(snapshot: Snapshot, ledger: Ledger) -> list[list[Size]]:
    """The sizes of the VMs that take room on each host."""
    guests: list[list[Size]] = [[] for _ in ledger.names]
    index = ledger.index
    for vm in snapshot.vms.values():
        if vm.operation is None and vm.state is _RUNNING:
            host = index.get(vm.host)  # nearly all: ``rooms`` written out
            if host is not None:
                guests[host].append(vm.size)
            continue
        for name in rooms(vm):
            host = index.get(name)
            if host is not None:
                guests[host].append(vm.size)
    return guests


class Rest:
    """The free room of the hosts that serve, in order of free memory.

    Every question leaves it as it was.
    """

    __slots__ = ("_by_memory", "_rooms", "ledger", "serving")

    def __init__(self, ledger: Ledger, serving: Iterable[int]) -> None:
        self.ledger = ledger
        self.serving = tuple(serving)
        self._by_memory: list[tuple[int, int]] = []  # sorted when it is first needed
        self._rooms: dict[tuple[int, int, str, int], dict[int, int]] = {}

    def roomy_for_any(self, guests: Sequence[Sequence[Size]]) -> bool:
        """Whether, whichever host were lost, the others could take as many of the most
        demanding VM of all as it holds VMs: one look instead of one for each host."""
        room = self._room([size for sizes in guests for size in sizes])
        if room is None:
            return False
        total = sum(room.values())
        return all(total - room.get(host, 0) >= len(held) for host, held in enumerate(guests))

    def without(self, lost: Sequence[int], guests: Sequence[Size]) -> tuple[Size, ...]:
        """The guests that best fit places nowhere but on the hosts ``lost``."""
        if not guests or self._roomy(lost, guests):
            return ()
        return self._best_fit(frozenset(lost), guests)

    def _roomy(self, lost: Sequence[int], guests: Sequence[Size]) -> bool:
        room = self._room(guests)
        if room is None:
            return False
        return sum(room.values()) - sum(room.get(host, 0) for host in lost) >= len(guests)

    def _room(self, guests: Sequence[Size]) -> Mapping[int, int] | None:
        """How many of a VM as demanding as the most demanding of these in every respect each
        host could take; None when they want GPUs of several models."""
        kinds = {id(size): size for size in guests}.values()  # VMs of a role share theirs
        models = {size.gpu_model for size in kinds if size.gpus}
        if len(models) > 1 or not kinds:
            return None if models else {}
        most = (
            max([size.memory_mib for size in kinds]),
            max([size.vcpus for size in kinds]),
            next(iter(models), ""),
            max([size.gpus for size in kinds]),
        )
        found = self._rooms.get(most)
        if found is None:
            room, size = self.ledger.room, Size(*most)
            found = self._rooms[most] = {host: room(host, size) for host in self.serving}
        return found

    def _best_fit(self, lost: frozenset[int], guests: Sequence[Size]) -> tuple[Size, ...]:
        ledger, order = self.ledger, self._by_memory
        if not order:
            order.extend(sorted((ledger.memory[host], host) for host in self.serving))
        placed: list[tuple[int, Size]] = []
        left: list[Size] = []
        for size in sorted(guests, key=_demand, reverse=True):
            place = self._tightest(size, lost)
            if place is None:
                left.append(size)
                continue
            _, host = order.pop(place)
            ledger.take(host, size)
            insort(order, (ledger.memory[host], host))
            placed.append((host, size))
        for host, size in reversed(placed):
            del order[bisect_left(order, (ledger.memory[host], host))]
            ledger.give(host, size)
            insort(order, (ledger.memory[host], host))
        return tuple(left)

    def _tightest(self, size: Size, lost: frozenset[int]) -> int | None:
        order, fits = self._by_memory, self.ledger.fits
        for place in range(bisect_left(order, (size.memory_mib, -1)), len(order)):
            host = order[place][1]
            if host not in lost and fits(host, size):
                return place
        return None


def _demand(size: Size) -> tuple[int, int, int]:
    """Most demanding last: GPUs are the scarcest, then memory."""
    return size.gpus, size.memory_mib, size.vcpus

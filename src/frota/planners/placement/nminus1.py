"""Could every VM of a failed host, or of several that fail together, start elsewhere?

For each loss, from cheap to dear, until one decides:

1. *apart* (sufficient): every VM gets a host to itself. Kinds of VM are taken from the
   most demanding down; with the hosts that could take this kind and every lesser one
   counted, Hall's condition for nested choices is a sum.
2. *slots* (necessary): VMs at least as large as some kind need as many places for it.
3. *best fit, decreasing* (sufficient): equal VMs together, tightest host first.
4. a search, if one was given; else the loss counts as not survived.

Adding up free memory over hosts decides nothing: it may lie in crumbs too small to use.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from heapq import merge

from frota.model.host import Capacity, Size

Search = Callable[[Sequence[Size], Sequence[Capacity]], bool | None]


@dataclass(frozen=True, slots=True)
class Gap:
    """A loss that is not known to be survived.

    ``loss`` is its index. ``proved`` tells that no assignment exists at all; otherwise one
    may exist that was not found.
    """

    loss: int
    proved: bool


def failing(
    free: Sequence[Capacity],
    guests: Sequence[Sequence[Size]],
    losses: Sequence[Sequence[int]] | None = None,
    search: Search | None = None,
) -> tuple[Gap, ...]:
    """The losses after which some VM would have no room.

    ``free`` is what each host has left for VMs that are not there yet (all zero for a
    host that takes none), ``guests`` the VMs to restart if it fails. A loss is a group of
    hosts that fail together; each host alone when left out. ``search`` is told the VMs
    and what is free without the lost hosts; it returns None when it does not know.
    """
    groups = [[host] for host in range(len(free))] if losses is None else losses
    spare = _Spare(free, guests)
    found = []
    for index, group in enumerate(groups):
        need = spare.need(group)
        if spare.apart(need, group):
            continue
        if spare.short(need, group):
            found.append(Gap(index, proved=True))
        elif not spare.packs(need, group):
            verdict = None if search is None else search(*spare.question(need, group))
            if not verdict:
                found.append(Gap(index, proved=verdict is False))
    return tuple(found)


class _Spare:
    """What is free, seen through the kinds of VM that there are."""

    def __init__(self, free: Sequence[Capacity], guests: Sequence[Sequence[Size]]) -> None:
        self.free = free
        known = {id(size): size for sizes in guests for size in sizes}
        self.kinds = sorted(set(known.values()), key=_demand, reverse=True)
        rank = {kind: number for number, kind in enumerate(self.kinds)}
        kind_of = {key: rank[size] for key, size in known.items()}
        self.guests = [
            {kind_of[key]: count for key, count in Counter(map(id, sizes)).items()}
            if len(known) == len(rank)
            else Counter(kind_of[id(size)] for size in sizes)
            for sizes in guests
        ]
        self.left = left = _Left(free)
        self.fits = [[left.fit(kind, host) for host in range(len(free))] for kind in self.kinds]
        self.slots = [sum(fits) for fits in self.fits]
        self.larger = [
            [other for other, size in enumerate(self.kinds) if _within(kind, size)]
            for kind in self.kinds
        ]
        every = [True] * len(free)
        self.nested: list[list[bool]] = []
        for fits in reversed(self.fits):
            every = [taking and count > 0 for taking, count in zip(every, fits, strict=True)]
            self.nested.append(every)
        self.nested.reverse()
        self.wide = [sum(hosts) for hosts in self.nested]
        self.takers = [
            sorted((free[host].memory_mib, host) for host, count in enumerate(fits) if count)
            for fits in self.fits
        ]

    def need(self, group: Sequence[int]) -> list[int]:
        """VMs to restart, by kind."""
        need = [0] * len(self.kinds)
        for host in group:
            for kind, count in self.guests[host].items():
                need[kind] += count
        return need

    def apart(self, need: list[int], group: Sequence[int]) -> bool:
        """Whether each VM could have a host to itself."""
        waiting = 0
        for kind, count in enumerate(need):
            waiting += count
            nested = self.nested[kind]
            if count and waiting > self.wide[kind] - sum(nested[host] for host in group):
                return False
        return True

    def short(self, need: list[int], group: Sequence[int]) -> bool:
        """Whether there are fewer places of some kind than VMs that large."""
        for kind, larger in enumerate(self.larger):
            wanted = sum(need[other] for other in larger)
            if wanted > self.slots[kind] - sum(self.fits[kind][host] for host in group):
                return True
        return False

    def packs(self, need: list[int], group: Sequence[int]) -> bool:
        """Whether best fit, decreasing, finds a place for all."""
        left, touched = copy(self.left), set[int]()
        for kind, count in enumerate(need):
            for host in self._tightest_first(kind, left, touched, group) if count else ():
                many = min(count, left.fit(self.kinds[kind], host))
                if many:
                    left.take(self.kinds[kind], host, many)
                    touched.add(host)
                    count -= many  # noqa: PLW2901 - what is still to be placed
                if not count:
                    break
            if count:
                return False
        return True

    def _tightest_first(
        self, kind: int, left: _Left, touched: set[int], group: Sequence[int]
    ) -> Iterator[int]:
        """Hosts that may take a kind, by free memory."""
        skip = touched.union(group)
        changed = sorted((left.memory[host], host) for host in touched)
        rest = (pair for pair in self.takers[kind] if pair[1] not in skip)
        return (host for _, host in merge(changed, rest))

    def question(
        self, need: list[int], group: Sequence[int]
    ) -> tuple[tuple[Size, ...], tuple[Capacity, ...]]:
        """The VMs to restart, and what is free on the hosts that are left."""
        lost = frozenset(group)
        sizes = [size for size, count in zip(self.kinds, need, strict=True) for _ in range(count)]
        rooms = [room for host, room in enumerate(self.free) if host not in lost]
        return tuple(sizes), tuple(rooms)


class _Left:
    """What is left on each host while VMs are placed."""

    def __init__(self, free: Sequence[Capacity]) -> None:
        self.memory = [room.memory_mib for room in free]
        self.vcpus = [room.vcpus for room in free]
        self.slots = [room.slots for room in free]
        self.gpus = {
            (host, model): count for host, room in enumerate(free) for model, count in room.gpus
        }

    def __copy__(self) -> _Left:
        other = _Left(())
        other.memory, other.vcpus = self.memory.copy(), self.vcpus.copy()
        other.slots, other.gpus = self.slots.copy(), self.gpus.copy()
        return other

    def fit(self, size: Size, host: int) -> int:
        """How many VMs of a size the host still takes."""
        many = self.slots[host]
        if size.memory_mib:
            many = min(many, self.memory[host] // size.memory_mib)
        if size.vcpus:
            many = min(many, self.vcpus[host] // size.vcpus)
        if size.gpus:
            many = min(many, self.gpus.get((host, size.gpu_model), 0) // size.gpus)
        return max(0, many)

    def take(self, size: Size, host: int, many: int) -> None:
        """Put VMs of a size there."""
        self.memory[host] -= many * size.memory_mib
        self.vcpus[host] -= many * size.vcpus
        self.slots[host] -= many
        if size.gpus:
            self.gpus[host, size.gpu_model] -= many * size.gpus


def _demand(size: Size) -> tuple[int, int, int, str]:
    """GPUs are the scarcest, then memory."""
    return size.gpus, size.memory_mib, size.vcpus, size.gpu_model


def _within(small: Size, large: Size) -> bool:
    """Whether wherever the large one fits the small one would."""
    return (
        small.memory_mib <= large.memory_mib
        and small.vcpus <= large.vcpus
        and (not small.gpus or (small.gpu_model == large.gpu_model and small.gpus <= large.gpus))
    )

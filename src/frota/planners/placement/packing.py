"""Places for a batch of waiting VMs: spread out if all fit so, else as tight as it takes.

That more VMs run comes before spread, and spread before everything else: whatever way
found room for the most, members are spread again as far as the room that is left allows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from frota.model.availability import AvailabilitySet
from frota.model.host import Size
from frota.model.vm import Vm
from frota.planners.placement.choice import Chooser
from frota.planners.placement.residue import MOVERS_MOST, Mover, Residue, Scene, ask, levels

_TRIES = 4  # times that the VMs left over go first before all are packed
_ROUNDS = 8  # of spreading again; each round is a step down, and two are mostly enough
_HOSTS_MOST = 64  # of a joint search

Places = dict[str, int]  # the host of each VM that has one, by its name


@dataclass(frozen=True, slots=True)
class Batch:
    """VMs to be placed together, in order of importance. ``work`` bounds the search for
    the rare case that every simple way leaves one over (``policy.work_limit``)."""

    queue: Sequence[Vm]
    sets: Mapping[str, AvailabilitySet]
    chooser: Chooser
    work: float

    def place(self) -> Places:
        """Hosts for as many as possible, counted in the chooser's ledger.

        No VM of the queue waits for the sake of a less important one.
        """
        best = self._spread(self.queue)
        if len(best) == len(self.queue):
            return best
        self._clear(best)
        fits = {vm.size: self._tightest(vm) is not None for vm in self.queue}
        queue = [vm for vm in self.queue if fits[vm.size]]
        for way in (self._rest_first, self._packed, self._searched):
            if len(best) == len(queue):
                break
            found = way(queue, best)
            best = found if self._better(found, best) else best
        self._count(best)
        return self._evened(queue, best)

    def _better(self, one: Places, other: Places) -> bool:
        """Whether more run, and the first that runs in only one of the two is in ``one``."""
        gained = [vm.name in one for vm in self.queue]
        return len(one) > len(other) and gained >= [vm.name in other for vm in self.queue]

    def _spread(self, queue: Iterable[Vm]) -> Places:
        """Each where it serves spread best, one after another; counted."""
        places: Places = {}
        full: set[Size] = set()  # a size that had no room has none later in the batch
        for vm in queue:
            spread = self.sets.get(vm.set)
            host = None if vm.size in full else self._chosen(vm)
            if host is None:
                full.add(vm.size)
            else:
                self.chooser.put(spread, host, vm.size)
                places[vm.name] = host
        return places

    def _chosen(self, vm: Vm) -> int | None:
        """The best host; not the one where its last start failed unless there is no other:
        what made it fail (disks that the host cannot reach) may last."""
        spread = self.sets.get(vm.set)
        failed = self.chooser.ledger.index.get(vm.host) if vm.failures else None
        if failed is not None:
            other = self.chooser.choose(spread, vm.size, barred=(failed,))
            if other is not None:
                return other
        return self.chooser.choose(spread, vm.size)

    def _tight(self, queue: Iterable[Vm]) -> Places:
        """Each where the least memory is left, one after another; counted."""
        places: Places = {}
        for vm in queue:
            host = self._tightest(vm)
            if host is not None:
                self.chooser.put(self.sets.get(vm.set), host, vm.size)
                places[vm.name] = host
        return places

    def _tightest(self, vm: Vm) -> int | None:
        ledger = self.chooser.ledger
        fitting = (h for _, h in self.chooser.by_load.all if ledger.fits(h, vm.size))
        return min(fitting, key=lambda h: (ledger.memory[h], h), default=None)

    def _count(self, places: Places) -> None:
        for vm in self.queue:
            if vm.name in places:
                self.chooser.put(self.sets.get(vm.set), places[vm.name], vm.size)

    def _clear(self, places: Places) -> None:
        for vm in self.queue:
            if vm.name in places:
                self.chooser.unput(self.sets.get(vm.set), places[vm.name], vm.size)

    # Ways to place more: each finds nothing of the queue counted, and leaves nothing counted.

    def _rest_first(self, queue: Sequence[Vm], best: Places) -> Places:
        """Those left over first and tight, the others spread over what remains."""
        first = {vm.name for vm in queue if vm.name not in best}
        for _ in range(_TRIES):
            places = self._tight(vm for vm in queue if vm.name in first)
            places |= self._spread(vm for vm in queue if vm.name not in first)
            self._clear(places)
            if self._better(places, best):
                best = places
            left = {vm.name for vm in queue if vm.name not in places}
            if left <= first:
                break
            first |= left
        return best

    def _packed(self, queue: Sequence[Vm], _: Places) -> Places:
        """All tight."""
        places = self._tight(queue)
        self._clear(places)
        return places

    def _searched(self, queue: Sequence[Vm], best: Places) -> Places:
        """All of them, if there is any way: a search within the limit of work."""
        hosts = sorted(host for _, host in self.chooser.by_load.all)
        if len(queue) > MOVERS_MOST or len(hosts) > _HOSTS_MOST or not self._may_fit(queue, hosts):
            return best
        found = ask(self._question(queue, hosts), self.work)
        if found is None:
            return best
        return {vm.name: hosts[at] for vm, at in zip(queue, found.hosts, strict=True)}

    def _may_fit(self, queue: Sequence[Vm], hosts: Sequence[int]) -> bool:
        """Whether the sums leave it open that all fit."""
        ledger = self.chooser.ledger
        need = [sum(vm.size.memory_mib for vm in queue), sum(vm.size.vcpus for vm in queue)]
        free = [sum(max(0, room[h]) for h in hosts) for room in (ledger.memory, ledger.cpus)]
        return need[0] <= free[0] and need[1] <= free[1]

    def _question(self, queue: Sequence[Vm], hosts: Sequence[int]) -> Residue:
        names = sorted({vm.set for vm in queue})
        scene = Scene(self.chooser.ledger, hosts, names)
        number = {name: index for index, name in enumerate(names)}
        return Residue(
            movers=tuple(Mover(number[vm.set], vm.size) for vm in queue),
            room=scene.room(()),
            rack_of=scene.rack_of,
            seated=tuple(scene.seated(name, {}) for name in names),
            levels=tuple(levels(self.sets.get(name)) for name in names),
        )

    def _evened(self, queue: Sequence[Vm], places: Places) -> Places:
        """Spread again what was packed, as far as there is room; and place what now fits."""
        for _ in range(_ROUNDS):
            before = dict(places)
            for vm in queue:
                spread, here = self.sets.get(vm.set), places.get(vm.name)
                if here is not None:
                    self.chooser.unput(spread, here, vm.size)
                best = self.chooser.choose(spread, vm.size)
                if here is not None and (best is None or not self._lower(spread, best, here)):
                    best = here
                if best is not None:
                    self.chooser.put(spread, best, vm.size)
                    places[vm.name] = best
            if places == before:
                break
        return places

    def _lower(self, spread: AvailabilitySet | None, one: int, other: int) -> bool:
        """Whether a set has fewer members where one host is than where the other is."""
        if spread is None:
            return False
        ledger, (by_rack, by_host) = self.chooser.ledger, levels(spread)
        racks = ledger.rack_counts.get(spread.name, {})
        hosts = ledger.counts.get(spread.name, {})
        held = [
            (by_rack * racks.get(ledger.rack_of[h], 0), by_host * hosts.get(h, 0))
            for h in (one, other)
        ]
        return held[0] < held[1]

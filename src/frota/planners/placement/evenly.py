"""Whether a set stands as evenly as its domains allow, and if not, what is in the way.

Most sets are even, so the first look costs only as much as the set has members; domains
are listed one by one only for those that are not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from frota.model.availability import AvailabilitySet, Blocker, Level, domain_of
from frota.model.host import Host, Size
from frota.model.snapshot import Snapshot
from frota.model.vm import Mobility, Vm, VmState
from frota.planners.placement.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Open:
    """The domains of one configuration that serve now, as indices of a ledger.

    ``racks`` and ``hosts`` are those open at each level; ``in_rack`` the open hosts of
    each rack.
    """

    racks: frozenset[int]
    hosts: frozenset[int]
    in_rack: Mapping[int, Sequence[int]]


@dataclass(frozen=True, slots=True)
class Uneven:
    """Why a set is not even: the blocker, or None when a move that helps is open."""

    blocker: Blocker | None
    message: str


class Grounds:
    """One snapshot and its ledger, with the open domains worked out once."""

    __slots__ = ("_by_config", "_serving", "ledger", "snapshot")

    def __init__(self, snapshot: Snapshot, ledger: Ledger) -> None:
        self.snapshot = snapshot
        self.ledger = ledger
        self._serving = [
            (index, snapshot.hosts[name])
            for index, name in enumerate(ledger.names)
            if snapshot.hosts[name].schedulable
        ]
        self._by_config: dict[frozenset[str], Open] = {}

    def open_to(self, spread: AvailabilitySet) -> Open:
        """The open domains of the set's latest configuration."""
        config = spread.generations[-1] if spread.generations else frozenset()
        found = self._by_config.get(config)
        if found is None:
            found = self._by_config[config] = self._work_out(config)
        return found

    def _work_out(self, config: frozenset[str]) -> Open:
        rack_of = self.ledger.rack_of
        racks, hosts = set(), set()
        in_rack: dict[int, list[int]] = {}
        for index, host in self._serving:
            in_rack.setdefault(rack_of[index], []).append(index)
            if not config or domain_of(host, Level.RACK) in config:
                racks.add(rack_of[index])
            if not config or domain_of(host, Level.HOST) in config:
                hosts.add(index)
        return Open(frozenset(racks), frozenset(hosts), in_rack)

    def uneven_at(self, spread: AvailabilitySet) -> Level | None:
        """The first level at which counts differ by more than one; None when even.

        Racks are compared with each other; hosts with each other, or inside their rack
        when racks are a level too.
        """
        ledger = self.ledger
        counts = ledger.counts.get(spread.name)
        if not counts:
            return None
        ground = self.open_to(spread)
        nested = Level.RACK in spread.levels
        if nested and _skewed(ledger.rack_counts[spread.name], ground.racks):
            return Level.RACK
        if Level.HOST not in spread.levels:
            return None
        if not nested:
            return Level.HOST if _skewed(counts, ground.hosts) else None
        for rack in {ledger.rack_of[host] for host, count in counts.items() if count > 1}:
            inside = ground.hosts.intersection(ground.in_rack.get(rack, ()))
            if _skewed(counts, inside):
                return Level.HOST
        return Level.HOST if self._lopsided(spread, ground) else None

    def _lopsided(self, spread: AvailabilitySet, ground: Open) -> bool:
        """Whether a member could leave a crowded host for a rack that holds one member fewer:
        racks would stay as even as they are, and hosts would be more even."""
        ledger = self.ledger
        counts, racks = ledger.counts[spread.name], ledger.rack_counts[spread.name]
        fullest: dict[int, int] = {}  # by members of the rack: the fullest host
        for host, count in counts.items():
            if count > 1 and host in ground.hosts:
                held = racks[ledger.rack_of[host]]
                fullest[held] = max(fullest.get(held, 0), count)
        if not fullest:
            return False
        return any(
            counts.get(host, 0) <= fullest.get(racks.get(rack, 0) + 1, 0) - 2
            for rack in ground.racks
            if racks.get(rack, 0) + 1 in fullest
            for host in ground.in_rack[rack]
            if host in ground.hosts
        )


def _skewed(counts: Mapping[int, int], domains: frozenset[int]) -> bool:
    """Whether the fullest open domain holds over one member more than the emptiest."""
    if len(domains) <= 1:
        return False
    held = [count for domain, count in counts.items() if count and domain in domains]
    if not held:
        return False
    least = min(held) if len(held) == len(domains) else 0
    return max(held) - least > 1


def admits(spread: AvailabilitySet, generation: int, host: Host) -> bool:
    """Whether a member of a generation may be moved to a host by choice: only to domains
    its set had when it was admitted, unless the set adopts new ones."""
    if spread.adopt_new_domains or generation >= len(spread.generations) - 1:
        return True
    config = spread.generations[generation]
    return all(domain_of(host, level) in config for level in spread.levels)


def movable(vm: Vm, snapshot: Snapshot) -> bool:
    """Whether a VM may be moved by choice now."""
    if vm.operation is not None or vm.state is not VmState.RUNNING or not vm.wanted:
        return False
    if vm.mobility is not Mobility.LIVE and not snapshot.policy.cold_rebalance:
        return False
    if vm.retry_at > snapshot.now or not vm.ready or vm.halted:
        return False
    return vm.moved_at + snapshot.policy.timers.move_cooldown <= snapshot.now


def unevenness(spread: AvailabilitySet, members: Sequence[Vm], grounds: Grounds) -> Uneven | None:
    """None when the set is as even as its domains allow (section E.2).

    A domain that could not hold one member more even if it held nothing else is left
    out of the minimum: its size, not its guests, is in the way.
    """
    if grounds.uneven_at(spread) is None or not members:
        return None
    return _Inquiry(spread, members, grounds).find()


@dataclass(frozen=True, slots=True)
class _Inquiry:
    """The detailed look at one set that is not even."""

    spread: AvailabilitySet
    members: Sequence[Vm]
    grounds: Grounds

    def find(self) -> Uneven | None:
        """The obstacle at the coarsest level that has one."""
        ledger, ground = self.grounds.ledger, self.grounds.open_to(self.spread)
        levels = self.spread.levels
        if Level.RACK in levels:
            racks = {r: list(ground.in_rack[r]) for r in sorted(ground.racks)}
            names = {r: ledger.racks[r] for r in racks}
            found = self._among(racks, names, "racks")
            if found is not None or Level.HOST not in levels:
                return found
            return self._within_racks(racks) or self._across_racks(racks)
        return self._among({h: [h] for h in sorted(ground.hosts)}, self._host_names(), "hosts")

    def _host_names(self) -> Mapping[int, str]:
        return dict(enumerate(self.grounds.ledger.names))

    def _counts(self) -> Mapping[int, int]:
        return self.grounds.ledger.counts.get(self.spread.name, {})

    def _within_racks(self, racks: Mapping[int, Sequence[int]]) -> Uneven | None:
        ground = self.grounds.open_to(self.spread)
        for hosts in racks.values():
            inside = {h: [h] for h in hosts if h in ground.hosts}
            found = self._among(inside, self._host_names(), "hosts")
            if found is not None:
                return found
        return None

    def _across_racks(self, racks: Mapping[int, Sequence[int]]) -> Uneven | None:
        """Between hosts of racks that differ by one member."""
        ground, counts = self.grounds.open_to(self.spread), self._counts()
        held = {r: sum(counts.get(h, 0) for h in hosts) for r, hosts in racks.items()}
        first: Uneven | None = None
        for members in sorted(set(held.values()), reverse=True):
            there = [h for r, n in held.items() if n == members for h in racks[r]]
            lower = [h for r, n in held.items() if n == members - 1 for h in racks[r]]
            full = max((counts.get(h, 0) for h in there if h in ground.hosts), default=0)
            crowded = {h for h in there if h in ground.hosts and counts.get(h, 0) == full}
            sparse = [h for h in lower if h in ground.hosts and counts.get(h, 0) <= full - 2]
            if crowded and sparse:
                found = self._obstacle(crowded, sparse, "hosts of different racks are uneven")
                if found.blocker is None:
                    return found
                first = first or found
        return first

    def _among(
        self, domains: Mapping[int, Sequence[int]], names: Mapping[int, str], noun: str
    ) -> Uneven | None:
        """Between domains of one level: a move that helps if there is one, else what is in
        the way of the one that would help most."""
        counts = self._counts()
        held = {d: sum(counts.get(h, 0) for h in hosts) for d, hosts in domains.items()}
        if len(held) <= 1 or max(held.values()) - min(held.values()) <= 1:
            return None
        low = {d: n for d, n in held.items() if not self._too_small(domains[d], n)}
        shape = ", ".join(f"{names[d]}={n}" for d, n in list(held.items())[:12])
        first: Uneven | None = None
        for full in sorted(set(held.values()), reverse=True):
            crowded = {h for d, n in held.items() if n == full for h in domains[d]}
            sparse = [h for d, n in low.items() if n <= full - 2 for h in domains[d]]
            if sparse:
                found = self._obstacle(crowded, sparse, f"{noun} hold {shape}")
                if found.blocker is None:
                    return found
                first = first or found
        return first

    def _too_small(self, hosts: Iterable[int], held: int) -> bool:
        """Whether hosts, empty of all else, could not hold one member more."""
        size = self.members[0].size
        return sum(_most(self.grounds.ledger, host, size) for host in hosts) <= held

    def _obstacle(self, crowded: set[int], sparse: Sequence[int], text: str) -> Uneven:
        """What is between the fullest domains and the emptiest."""
        snapshot, ledger = self.grounds.snapshot, self.grounds.ledger
        inside = [vm for vm in self.members if ledger.index.get(vm.seat, -1) in crowded]
        free = [vm for vm in inside if movable(vm, snapshot)]
        if not free:
            blocker = _held_back(inside, snapshot)
            return Uneven(blocker, f"{text}; {_HELD[blocker]}")
        open_to = [
            (vm, host)
            for vm in free
            for host in sparse
            if admits(self.spread, vm.generation, snapshot.hosts[ledger.names[host]])
        ]
        if not open_to:
            why = "its members were admitted before these domains joined"
            return Uneven(Blocker.CONFIG_STALE, f"{text}; {why}")
        if not any(ledger.fits(host, vm.size) for vm, host in open_to):
            need = free[0].size
            names = ", ".join(sorted({ledger.names[host] for _, host in open_to})[:4])
            why = f"no room for {need.memory_mib} MiB and {need.vcpus} CPUs on {names}"
            return Uneven(Blocker.CAPACITY, f"{text}; {why}")
        return Uneven(None, text)


_HELD = {
    Blocker.PINNED: "the members in the way are pinned to their hosts",
    Blocker.MOVE_FAILING: "moves failed; tried again after a wait",
    Blocker.COOLDOWN_OR_THROTTLE: "members moved lately rest before they move again",
}


def _most(ledger: Ledger, host: int, size: Size) -> int:
    """VMs of a size that a host could hold, empty."""
    capacity = ledger.capacity[host]
    most = min(capacity.memory_mib // size.memory_mib, capacity.slots)
    if size.vcpus:
        most = min(most, capacity.vcpus // size.vcpus)
    if size.gpus:
        most = min(most, capacity.gpus_of(size.gpu_model) // size.gpus)
    return most


def _held_back(inside: Sequence[Vm], snapshot: Snapshot) -> Blocker:
    if any(vm.failures and vm.retry_at > snapshot.now for vm in inside):
        return Blocker.MOVE_FAILING
    cold = snapshot.policy.cold_rebalance
    if inside and all(vm.mobility is not Mobility.LIVE and not cold for vm in inside):
        return Blocker.PINNED
    return Blocker.COOLDOWN_OR_THROTTLE

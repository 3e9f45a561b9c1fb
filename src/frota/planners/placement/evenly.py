"""Whether a set stands as evenly as its domains allow, and if not, what is in the way.

Most sets are even, so the first look costs only as much as the set has members; domains
are listed one by one only for those that are not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

from frota.model.availability import AvailabilitySet, Blocker, Level, domain_of
from frota.model.host import Host, Size
from frota.model.snapshot import Snapshot
from frota.model.vm import Mobility, Vm, VmState
from frota.planners.placement.floor import Open
from frota.planners.placement.ledger import Ledger

# Looked at for every set and VM of every pass: finding a member through its enum costs
# more than the comparison.
_RACK, _HOST, _LIVE, _RUNNING = Level.RACK, Level.HOST, Mobility.LIVE, VmState.RUNNING


@dataclass(frozen=True, slots=True)
class Uneven:
    """Why a set is not even: the blocker, or None when a move that helps is open."""

    blocker: Blocker | None
    message: str


class Grounds:
    """One snapshot and its ledger, which stays as it is: what was worked out is kept."""

    __slots__ = ("floor", "ledger", "levels_found", "snapshot")

    def __init__(self, snapshot: Snapshot, ledger: Ledger) -> None:
        self.snapshot = snapshot
        self.ledger = ledger
        self.floor = ledger.floor
        self.levels_found: dict[str, Level | None] | None = {}

    def over(self, ledger: Ledger) -> Grounds:
        """The same hosts with the counts of another ledger, which may change meanwhile."""
        other = copy(self)
        other.ledger = ledger
        other.levels_found = None
        return other

    def open_to(self, spread: AvailabilitySet) -> Open:
        """The open domains of the set's latest configuration."""
        return self.floor.open_to(spread.generations[-1] if spread.generations else frozenset())

    def uneven_at(self, spread: AvailabilitySet) -> Level | None:
        """The first level at which counts differ by more than one; None when even.

        Racks are compared with each other; hosts with each other, or inside their rack
        when racks are a level too.
        """
        known = self.levels_found
        if known is None:
            return self._uneven_at(spread)
        if spread.name not in known:
            known[spread.name] = self._uneven_at(spread)
        return known[spread.name]

    def _uneven_at(self, spread: AvailabilitySet) -> Level | None:
        ledger = self.ledger
        counts = ledger.counts.get(spread.name)
        if not counts:
            return None
        ground = self.open_to(spread)
        nested = _RACK in spread.levels
        if nested and _skewed(ledger.rack_counts[spread.name], ground.racks):
            return _RACK
        if _HOST not in spread.levels or max(counts.values()) <= 1:
            return None
        if not _skewed(counts, ground.hosts):
            return None
        return _HOST if not nested or self._hosts_uneven(spread, ground) else None

    def _hosts_uneven(self, spread: AvailabilitySet, ground: Open) -> bool:
        """Whether a member could leave a crowded host for another of its rack, or of a rack
        that holds one member fewer: racks stay as even as they are, hosts get more even."""
        ledger = self.ledger
        rack_of, held = ledger.rack_of, ledger.rack_counts[spread.name]
        on_hosts: dict[int, list[int]] = {}  # by rack: counts on open hosts that have any
        for host, count in ledger.counts[spread.name].items():
            if count and host in ground.hosts:
                on_hosts.setdefault(rack_of[host], []).append(count)
        fullest: dict[int, int] = {}  # by members of the rack: the fullest host
        for rack, counts in on_hosts.items():
            top = max(counts)
            if top > 1:
                occupied = len(counts) == len(ground.inside[rack])
                if top - (min(counts) if occupied else 0) > 1:
                    return True
                fullest[held[rack]] = max(fullest.get(held[rack], 0), top)
        for rack in ground.racks if fullest else ():
            top = fullest.get(held.get(rack, 0) + 1, 0)
            if top > 1 and ground.inside[rack]:
                counts = on_hosts.get(rack, [])
                occupied = len(counts) == len(ground.inside[rack])
                if top - (min(counts) if occupied else 0) > 1:
                    return True
        return False


def _skewed(counts: Mapping[int, int], domains: frozenset[int]) -> bool:
    """Whether the fullest open domain holds over one member more than the emptiest."""
    if len(domains) <= 1 or max(counts.values()) <= 1:
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
    if vm.operation is not None or vm.state is not _RUNNING or not vm.wanted:
        return False
    if vm.mobility is not _LIVE and not snapshot.policy.cold_rebalance:
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


def is_uneven(spread: AvailabilitySet, members: Sequence[Vm], grounds: Grounds) -> bool:
    """Whether ``unevenness`` would find something, without asking what is in the way."""
    if grounds.uneven_at(spread) is None or not members:
        return False
    return _Inquiry(spread, members, grounds).finds()


class _Arena(NamedTuple):
    """Domains of one level that are compared. ``held`` are members by domain; domains
    without any may be left out. ``hosts`` of each domain; None where each is a host."""

    noun: str
    names: Sequence[str]
    domains: Sequence[int]
    held: Mapping[int, int]
    hosts: Mapping[int, Sequence[int]] | None = None

    def of(self, domain: int) -> Sequence[int]:
        """The hosts of a domain."""
        return (domain,) if self.hosts is None else self.hosts[domain]

    def text(self) -> str:
        """The first domains and what they hold."""
        shape = ", ".join(f"{self.names[d]}={self.held.get(d, 0)}" for d in self.domains[:12])
        return f"{self.noun} hold {shape}"


class _Gap(NamedTuple):
    """Hosts of domains that hold too many members, and hosts that should take some."""

    crowded: frozenset[int]
    sparse: Iterable[int]  # read at most once
    text: str


@dataclass(frozen=True, slots=True)
class _Inquiry:
    """The detailed look at one set that is not even.

    Work grows with the set's members and the domains it may still use, not with all hosts.
    """

    spread: AvailabilitySet
    members: Sequence[Vm]
    grounds: Grounds

    def finds(self) -> bool:
        """Whether there is any gap."""
        return any(map(self._steep, self._arenas())) or any(True for _ in self._across_racks())

    def find(self) -> Uneven | None:
        """The obstacle at the coarsest level that has one: a move that helps if there is
        one, else what is in the way of the one that would help most."""
        for gaps in chain(map(self._between, self._arenas()), (self._across_racks(),)):
            first: Uneven | None = None
            for gap in gaps:
                found = self._obstacle(gap)
                if found.blocker is None:
                    return found
                first = first or found
            if first is not None:
                return first
        return None

    def _arenas(self) -> Iterator[_Arena]:
        """The racks, then the hosts of each rack; without racks, all hosts."""
        ledger, ground = self.grounds.ledger, self.grounds.open_to(self.spread)
        if _RACK not in self.spread.levels:
            yield _Arena("hosts", ledger.names, ground.host_list, self._on_open_hosts())
            return
        racks = self._in_open_racks()
        yield _Arena("racks", ledger.racks, ground.rack_list, racks, ground.in_rack)
        if _HOST not in self.spread.levels:
            return
        here = self._on_open_hosts()
        for rack in sorted({ledger.rack_of[host] for host, n in here.items() if n > 1}):
            if rack in ground.racks:
                hosts = [host for host in ground.in_rack[rack] if host in ground.hosts]
                inside = {host: here[host] for host in hosts if host in here}
                yield _Arena("hosts", ledger.names, hosts, inside)

    def _on_open_hosts(self) -> dict[int, int]:
        """Members by host, where there are any."""
        open_to = self.grounds.open_to(self.spread).hosts
        counts = self.grounds.ledger.counts[self.spread.name]
        return {host: n for host, n in counts.items() if n and host in open_to}

    def _in_open_racks(self) -> dict[int, int]:
        """Members by rack, on hosts that serve; racks without any too."""
        ledger, serving = self.grounds.ledger, self.grounds.floor.serving
        held = dict.fromkeys(self.grounds.open_to(self.spread).rack_list, 0)
        for host, n in ledger.counts[self.spread.name].items():
            rack = ledger.rack_of[host]
            if rack in held and host in serving:
                held[rack] += n
        return held

    def _steep(self, arena: _Arena) -> bool:
        """Whether ``_between`` would find a gap."""
        top = max(arena.held.values(), default=0)
        return next(self._low(arena, top - 2), None) is not None

    def _between(self, arena: _Arena) -> Iterator[_Gap]:
        """Gaps between the domains of one level, from the fullest domains down."""
        for full in sorted(set(arena.held.values()), reverse=True):
            low = self._low(arena, full - 2)
            one = next(low, None)
            if one is None:
                return
            crowded = frozenset(h for d, n in arena.held.items() if n == full for h in arena.of(d))
            sparse = chain.from_iterable(map(arena.of, chain((one,), low)))
            yield _Gap(crowded, sparse, arena.text())

    def _low(self, arena: _Arena, most: int) -> Iterator[int]:
        """Domains that hold at most so many members and could hold one more."""
        for domain in arena.domains:
            held = arena.held.get(domain, 0)
            if held <= most and not self._too_small(arena.of(domain), held):
                yield domain

    def _across_racks(self) -> Iterator[_Gap]:
        """Gaps between hosts of racks that differ by one member."""
        if _RACK not in self.spread.levels or _HOST not in self.spread.levels:
            return
        ground, rack_of = self.grounds.open_to(self.spread), self.grounds.ledger.rack_of
        held, here = self._in_open_racks(), self._on_open_hosts()
        for members in sorted(set(held.values()), reverse=True):
            there = {h: n for h, n in here.items() if held.get(rack_of[h]) == members}
            full = max(there.values(), default=0)
            if full < 2:
                continue
            sparse = [
                host
                for rack, n in held.items()
                if n == members - 1
                for host in ground.in_rack[rack]
                if host in ground.hosts and here.get(host, 0) <= full - 2
            ]
            if sparse:
                crowded = frozenset(host for host, n in there.items() if n == full)
                yield _Gap(crowded, sparse, "hosts of different racks are uneven")

    def _too_small(self, hosts: Iterable[int], held: int) -> bool:
        """Whether hosts, empty of all else, could not hold one member more."""
        size = self.members[0].size
        most = 0
        for host in hosts:
            most += _most(self.grounds.ledger, host, size)
            if most > held:
                return False
        return True

    def _obstacle(self, gap: _Gap) -> Uneven:
        """What is between the fullest domains and the emptiest."""
        snapshot, ledger = self.grounds.snapshot, self.grounds.ledger
        inside = [vm for vm in self.members if ledger.index.get(vm.seat, -1) in gap.crowded]
        free = [vm for vm in inside if movable(vm, snapshot)]
        if not free:
            blocker = _held_back(inside, snapshot)
            return Uneven(blocker, f"{gap.text}; {_HELD[blocker]}")
        kinds = list(dict.fromkeys((vm.generation, vm.size) for vm in free))
        full = set()
        for host in gap.sparse:
            place = snapshot.hosts[ledger.names[host]]
            for generation, size in kinds:
                if admits(self.spread, generation, place):
                    if ledger.fits(host, size):
                        return Uneven(None, gap.text)
                    full.add(ledger.names[host])
        if not full:
            why = "its members were admitted before these domains joined"
            return Uneven(Blocker.CONFIG_STALE, f"{gap.text}; {why}")
        need = free[0].size
        names = ", ".join(sorted(full)[:4])
        why = f"no room for {need.memory_mib} MiB and {need.vcpus} CPUs on {names}"
        return Uneven(Blocker.CAPACITY, f"{gap.text}; {why}")


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

"""Invariants of a rebalancing as a whole, from its first move to the last.

An episode that anything else disturbs (a host, a failed move, a VM that comes or goes)
is not judged: its goal changed on the way.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from frota.model.availability import AvailabilitySet, Level, domain_of
from frota.model.host import Host
from frota.model.policy import RebalanceMode
from frota.model.vm import Mobility, Verb, Vm, VmState
from frota.twin.invariants.book import Book
from frota.twin.invariants.broken import Findings

_MOVES = frozenset({Verb.LIVE, Verb.COLD})


@dataclass(slots=True)
class _Episode:
    seats: dict[str, dict[str, int]]
    resting: frozenset[str]
    disturbed: bool = False
    moves: dict[str, int] = field(default_factory=dict)
    transits: int = 0


class EpisodeRules:
    """I6 and I17 over whole rebalancings; every set's potential falls, by fewest moves."""

    __slots__ = ("_book", "_episode", "_findings")

    def __init__(self, book: Book, findings: Findings) -> None:
        self._book = book
        self._findings = findings
        self._episode: _Episode | None = None

    def changed(self, before: object, after: object) -> None:
        """Look at one changed record for what disturbs."""
        episode = self._episode
        if episode is None:
            return
        if isinstance(before, Vm) and isinstance(after, Vm):
            old, new = before.operation, after.operation
            if old is not None and new is None and old.voluntary:
                moved = after.host == old.dst and after.state is VmState.RUNNING
                episode.disturbed = episode.disturbed or not moved
            if new is not None and not new.voluntary:
                episode.disturbed = True
            episode.disturbed = episode.disturbed or before.wanted != after.wanted
        elif not (isinstance(before, AvailabilitySet) and isinstance(after, AvailabilitySet)):
            episode.disturbed = True

    def ordered(self, vm: Vm) -> None:
        """A move by choice begins."""
        if self._episode is None:
            self._episode = _Episode(self._before(), self._resting())
            if any(not other.voluntary for other in self._book.flying.values()):
                self._episode.disturbed = True
        episode = self._episode
        episode.transits += bool(vm.transit)
        episode.moves[vm.set] = episode.moves.get(vm.set, 0) + 1

    def disturb(self) -> None:
        """Something happened to the world."""
        if self._episode is not None:
            self._episode.disturbed = True

    def settled(self) -> None:
        """The controller is done for now: with nothing under way the episode is over."""
        episode = self._episode
        if episode is None or self._book.flying:
            return
        self._episode = None
        if not episode.disturbed:
            self._judge(episode)

    def _before(self) -> dict[str, dict[str, int]]:
        """Seats as they were before the moves now under way."""
        seats = {name: dict(counts) for name, counts in self._book.seats.items()}
        for operation in self._book.flying.values():
            vm = self._book.vms.get(operation.vm)
            if vm is None or operation.verb not in _MOVES:
                continue
            counts = seats[vm.set]
            counts[operation.dst] = counts.get(operation.dst, 0) - 1
            counts[operation.src] = counts.get(operation.src, 0) + 1
        return seats

    def _resting(self) -> frozenset[str]:
        """Sets of which a member may not move yet: what they do now is not the last of it."""
        book, now = self._book, self._book.now()
        rest = book.policy.timers.move_cooldown
        return frozenset(
            vm.set for vm in book.vms.values() if max(vm.retry_at, vm.moved_at + rest) > now
        )

    def _judge(self, episode: _Episode) -> None:
        book = self._book
        better = False
        for name, spread in book.sets.items():
            before = _sums(book, spread, episode.seats.get(name, {}))
            after = _sums(book, spread, book.seats.get(name, {}))
            better = better or after < before
            if after > before:
                text = f"rebalancing made {name} less even: {before} became {after}"
                self._findings.broken("I6", text)
            moves = episode.moves.get(name, 0)
            if moves and not episode.transits and book.policy.rebalance is RebalanceMode.MIN_MOVES:
                self._fewest(spread, episode, moves)
        if not better and book.policy.rebalance is RebalanceMode.MIN_MOVES:
            total = sum(episode.moves.values())
            self._findings.broken("I6", f"{total} moves by choice made no set more even")

    def _fewest(self, spread: AvailabilitySet, episode: _Episode, moves: int) -> None:
        """I17, where the closed form holds: one level, one generation, room to spare."""
        book = self._book
        if len(spread.levels) != 1 or spread.name in episode.resting:
            return
        level = spread.levels[0]
        up = [host for host in book.hosts.values() if host.schedulable]
        members = book.members(spread.name)
        latest = len(spread.generations) - 1
        if any(vm.generation != latest or vm.mobility is not Mobility.LIVE for vm in members):
            return
        if not all(self._roomy(host, sum(episode.moves.values())) for host in up):
            return
        domains = sorted({domain_of(host, level) for host in up})
        counts = dict.fromkeys(domains, 0)
        for name, number in episode.seats.get(spread.name, {}).items():
            host = book.hosts.get(name)
            if number and (host is None or domain_of(host, level) not in counts):
                return
            if host is not None and number:
                counts[domain_of(host, level)] += number
        after = _by_domain(book, level, spread.name)
        if max(after.values()) - min(after.get(domain, 0) for domain in domains) > 1:
            return  # not at its end yet: a cooldown or a throttle holds the rest back
        least = fewest_moves(list(counts.values()))
        if moves != least:
            text = f"{spread.name} took {moves} moves from {counts}; {least} are enough"
            self._findings.broken("I17", text)

    def _roomy(self, host: Host, moves: int) -> bool:
        """Whether a host could take every VM that moved, so that no cap can bind."""
        sizes = [vm.size for vm in self._book.vms.values()]
        memory = max(size.memory_mib for size in sizes) * moves
        vcpus = max(size.vcpus for size in sizes) * moves
        used = self._book.used.get(host.name)
        free = host.capacity
        if used is None:
            return free.memory_mib >= memory and free.vcpus >= vcpus
        return (
            free.memory_mib - used.memory_mib >= memory
            and free.vcpus - used.vcpus >= vcpus
            and free.slots - used.slots >= moves
            and not any(size.gpus for size in sizes)
        )


def fewest_moves(counts: list[int]) -> int:
    """The least number of moves that makes counts even: the fullest keep the remainder."""
    floor, over = divmod(sum(counts), len(counts))
    ceil = floor + (1 if over else 0)
    return max(
        sum(max(0, count - ceil) for count in counts),
        sum(max(0, floor - count) for count in counts),
    )


def _by_domain(book: Book, level: Level, name: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for host_name, number in book.seats.get(name, {}).items():
        host = book.hosts.get(host_name)
        if host is not None and number:
            domain = domain_of(host, level)
            found[domain] = found.get(domain, 0) + number
    return found or {"": 0}


def _sums(book: Book, spread: AvailabilitySet, seats: dict[str, int]) -> tuple[int, ...]:
    sums = []
    for level in spread.levels:
        counts: dict[str, int] = {}
        for name, number in seats.items():
            host = book.hosts.get(name)
            key = host.rack if host is not None and level is Level.RACK else name
            counts[key] = counts.get(key, 0) + number
        sums.append(sum(number * number for number in counts.values()))
    return tuple(sums)

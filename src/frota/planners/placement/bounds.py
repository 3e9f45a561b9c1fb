"""What each set could reach if it were alone: a bound that no joint answer can beat.

Room is left out of account; members that cannot move, closed and forbidden hosts are
not. One set alone is a tree of convex costs (racks, in them hosts), and on a tree the
greedy answer is the best: give out members one by one, each where it costs least. For
one level that is ``evenness.least_moves``; it holds for racks and hosts together too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from heapq import heapify, heappop, heappush, heapreplace
from typing import NamedTuple

from frota.planners.placement.spreadproblem import SetSpread, SpreadProblem


class Alone(NamedTuple):
    """The best squares per rack and per host of one set, and the fewest moves to them.

    Squares are 0 for a level that the set is not spread over.
    """

    racks: int
    hosts: int
    moves: int


class _Seat(NamedTuple):
    """The next member on one host. Compared by what it costs, then by host."""

    squares: int  # what it adds to the squares per host, 0 when they do not count
    moved: int  # whether it would have to move there
    host: int  # below 0: any that had no members
    total: int  # members there, the fixed ones too
    stay: int  # members of its own that are not given their place again yet


class _Rack:
    """The hosts of one rack as one set sees them; all hosts, when racks do not count."""

    __slots__ = ("empty", "seats", "total")

    def __init__(self) -> None:
        self.total = 0  # members so far
        self.empty = 0  # hosts that take members and have none
        self.seats: list[_Seat] = []

    def next(self, by_host: int) -> _Seat | None:
        """Where the next member goes; a host without members counts as host -1."""
        best = self.seats[0] if self.seats else None
        if self.empty:
            fresh = _Seat(by_host, 1, -1, 0, 0)
            best = fresh if best is None or fresh < best else best
        return best


class Bounds:
    """The bounds of all sets of one problem."""

    def __init__(self, problem: SpreadProblem) -> None:
        self._problem = problem
        self._open: dict[frozenset[int] | None, tuple[frozenset[int], Counter[int]]] = {}

    def alone(self, index: int) -> Alone:
        """The best of one set by itself."""
        item = self._problem.sets[index]
        if self.apart(index):
            members = sum(item.current.values())
            return Alone(members * item.rack, members * item.host, 0)
        racks, takes = self._racks(item)
        by_rack, by_host = int(item.rack), int(item.host)
        rack_squares = by_rack * sum(rack.total * rack.total for rack in racks)
        host_squares = by_host * sum(count * count for count in item.fixed.values())
        moves = 0
        heap = []
        for number, rack in enumerate(racks):
            heapify(rack.seats)
            seat = rack.next(by_host)
            if seat is not None:
                heap.append((by_rack * (2 * rack.total + 1), *seat[:2], number))
        heapify(heap)
        for _ in range(sum(item.current.values())):
            of_rack, of_host, moved, number = heap[0]
            rack_squares, host_squares, moves = (
                rack_squares + of_rack,
                host_squares + of_host,
                moves + moved,
            )
            rack = racks[number]
            _sit(rack, by_host, takes)
            seat = rack.next(by_host)
            if seat is None:
                heappop(heap)
            else:
                heapreplace(heap, (by_rack * (2 * rack.total + 1), *seat[:2], number))
        return Alone(rack_squares, host_squares, moves)

    def moves(self, index: int) -> int:
        """The moves of ``alone``, by a formula where there is one (section C.1).

        All domains must be open and no member held; and with hosts inside racks, no host
        may need a second member, so that racks alone decide.
        """
        if self.apart(index):
            return 0
        item = self._problem.sets[index]
        takes, open_in = self._open_to(item)
        counts: Mapping[int, int] = item.current
        if item.fixed or not counts.keys() <= takes or not (item.rack or item.host):
            return self.alone(index).moves
        domains = len(open_in) if item.rack else len(takes)
        floor, spare = divmod(sum(counts.values()), domains)
        ceil = floor + (spare > 0)
        if item.rack:
            if item.host and (max(counts.values()) > 1 or min(open_in.values()) < ceil):
                return self.alone(index).moves
            counts = self._by_rack(counts)
        leave = sum(count - ceil for count in counts.values() if count > ceil)
        filled = sum(min(count, floor) for count in counts.values())
        return max(leave, floor * domains - filled)

    def _by_rack(self, hosts: Mapping[int, int]) -> dict[int, int]:
        rack_of = self._problem.rack_of
        racks: dict[int, int] = {}
        for host, count in hosts.items():
            racks[rack_of[host]] = racks.get(rack_of[host], 0) + count
        return racks

    def apart(self, index: int) -> bool:
        """Whether no two members share a rack, or a host: then nothing can be better.

        Most sets of a large group are so.
        """
        item = self._problem.sets[index]
        if item.fixed or not (item.rack or item.host):
            return False
        if not item.rack:
            return max(item.current.values(), default=0) <= 1
        rack_of = self._problem.rack_of
        return len({rack_of[host] for host in item.current}) == sum(item.current.values())

    def _racks(self, item: SetSpread) -> tuple[list[_Rack], frozenset[int]]:
        """The racks before any member is given out, and the hosts that take members."""
        takes, open_in = self._open_to(item)
        rack_of = self._problem.rack_of
        racks: dict[int, _Rack] = {}
        for name, hosts in open_in.items() if item.rack else ((0, len(takes)),):
            racks.setdefault(name, _Rack()).empty = hosts
        for host in {*item.current, *item.fixed}:
            rack = racks.setdefault(rack_of[host] if item.rack else 0, _Rack())
            rack.empty -= host in takes
            fixed, stay = item.fixed.get(host, 0), item.current.get(host, 0)
            rack.total += fixed
            if stay or host in takes:
                squares = (2 * fixed + 1) * item.host
                rack.seats.append(_Seat(squares, int(not stay), host, fixed, stay))
        return list(racks.values()), takes

    def _open_to(self, item: SetSpread) -> tuple[frozenset[int], Counter[int]]:
        known = self._open.get(item.allowed)
        if known is None:
            problem = self._problem
            hosts = range(len(problem.rack_of)) if item.allowed is None else item.allowed
            takes = frozenset(h for h in hosts if problem.accepts[h] and problem.slots[h] >= 0)
            known = takes, Counter(problem.rack_of[host] for host in takes)
            self._open[item.allowed] = known
        return known


def _sit(rack: _Rack, by_host: int, takes: frozenset[int]) -> None:
    """Give the next member of a rack its place."""
    seat = rack.next(by_host)
    if seat is None:
        msg = "a rack without a place was chosen"
        raise AssertionError(msg)
    rack.total += 1
    total, stay = seat.total + 1, max(0, seat.stay - 1)
    more = seat.host < 0 or seat.host in takes
    after = _Seat((2 * total + 1) * by_host, int(not stay), seat.host, total, stay)
    if not seat.total and seat.host < 0:
        rack.empty -= 1
        heappush(rack.seats, after)
    elif stay or more:
        heapreplace(rack.seats, after)
    else:
        heappop(rack.seats)


def least_moves_alone(problem: SpreadProblem) -> int:
    """The sum over sets of the fewest moves that make each as even as it can be.

    With room to spare the best joint answer has just as many.
    """
    bounds = Bounds(problem)
    return sum(bounds.moves(index) for index in range(len(problem.sets)))

"""The spread problem on a few hosts with one uneven set, as nearly all of a small group are.

Its members move one at a time while that gains, in the order of ``descent``. Costs are convex
over hosts and over the racks that hold them, so counts that no move of one member makes
better are the best of all (such costs are M-convex: Murota, Discrete Convex Analysis, 2003,
theorem 6.26). In the end every pair of hosts is held against that. Where no move would gain
even if full hosts had room, nothing is won when other sets make way, which would cost moves.
What is found is what the flow would find, without arrays.
"""

from __future__ import annotations

from collections.abc import Mapping

from frota.planners.placement.spreadarrays import LOAD_MAX
from frota.planners.placement.spreadproblem import SpreadProblem

HOSTS_MOST, SETS_MOST = 32, 8  # for more of them arrays are faster


def alone(problem: SpreadProblem) -> tuple[int, Mapping[int, int]] | None:
    """The only uneven set with its best counts; None when that is for the flow to say."""
    if len(problem.slots) > HOSTS_MOST or len(problem.sets) > SETS_MOST:
        return None
    movers = [_Mover(problem, index) for index in range(len(problem.sets))]
    uneven = [mover for mover in movers if not mover.proved(full=True)]
    if len(uneven) != 1:
        return None
    mover = uneven[0]
    while (move := mover.best()) is not None:
        mover.move(*move)
    return (mover.index, mover.count) if mover.proved(full=len(movers) > 1) else None


class _Mover:
    """One set that moves its members. ``count`` are those in play by host, in the order in
    which hosts came to have some: it decides between equals."""

    def __init__(self, problem: SpreadProblem, index: int) -> None:
        item, hosts = problem.sets[index], range(len(problem.slots))
        self.index, self.item, self.rack_of = index, item, problem.rack_of
        self.order = sorted(hosts, key=problem.rack_of.__getitem__)
        self.count = {host: item.current[host] for host in self.order if item.current.get(host)}
        self.most = {host: item.current.get(host, 0) for host in hosts}
        self.open = {
            host
            for host in (hosts if item.allowed is None else item.allowed)
            if problem.accepts[host] and problem.slots[host] >= 0
        }
        for host in self.open:
            self.most[host] += problem.slots[host]
        least = min(problem.load, default=0)
        self.load = [min(load - least, LOAD_MAX) for load in problem.load]
        for other in (*problem.sets[:index], *problem.sets[index + 1 :]):
            for host, count in other.current.items():
                self.load[host] += count
        self.in_rack = dict.fromkeys(problem.rack_of, 0)
        for held in (item.current, item.fixed):
            for host, count in held.items():
                self.in_rack[problem.rack_of[host]] += count
        # The levels of the score are digits of one number, each beyond the reach of the next.
        digit = 8 * (sum(self.in_rack.values()) + max(self.load, default=0) + item.weight + 1)
        self.racks = digit**5 * item.rack
        self.crowd = digit**4 if item.host else digit * item.rack
        self.moved, self.astray = digit**3 * item.weight, digit**2

    def best(self) -> tuple[int, int] | None:
        """The move of one member that gains most, from and to; None when none gains."""
        gains, costs = self._gains(), self._costs()
        if not gains or not costs:
            return None
        giver, taker = max(gains, key=gains.__getitem__), min(costs, key=costs.__getitem__)
        best = costs[taker] - gains[giver]
        for host in filter(self._crowded, self.order):
            # A better place may be in its own rack, which stays as full as it is.
            inside = [other for other in costs if self.rack_of[other] == self.rack_of[host]]
            place = min(inside, key=costs.__getitem__, default=taker)
            delta = self._change(host, place, gains, costs)
            if delta < best:
                giver, taker, best = host, place, delta
        return (giver, taker) if best < 0 else None

    def move(self, giver: int, taker: int) -> None:
        """Let one member go."""
        self.count[giver] -= 1
        self.count[taker] = self.count.get(taker, 0) + 1
        if not self.count[giver]:
            del self.count[giver]
        self.in_rack[self.rack_of[giver]] -= 1
        self.in_rack[self.rack_of[taker]] += 1

    def proved(self, *, full: bool) -> bool:
        """Whether no move of one member gains anything; ``full``: nor would one to a host
        that is full."""
        gains, costs = self._gains(), self._costs(full=full)
        return all(
            self._change(giver, taker, gains, costs) >= 0
            for giver in gains
            for taker in costs
            if taker != giver
        )

    def _change(
        self, giver: int, taker: int, gains: Mapping[int, int], costs: Mapping[int, int]
    ) -> int:
        """What a move costs; within a rack, that rack loses none."""
        same = self.rack_of[giver] == self.rack_of[taker]
        return costs[taker] - gains[giver] - 2 * self.racks * same

    def _crowded(self, host: int) -> bool:
        here = self.count.get(host, 0)
        return self.item.host and here > 0 and here + self.item.fixed.get(host, 0) > 1

    def _gains(self) -> dict[int, int]:
        """What is gained when one member leaves, by host that has some."""
        return {host: self._unit(host, count, 0) for host, count in self.count.items()}

    def _costs(self, *, full: bool = False) -> dict[int, int]:
        """What one member more costs, by host that has room for it, or is full."""
        count = self.count
        return {
            host: self._unit(host, count.get(host, 0) + 1, 1)
            for host in self.order
            if count.get(host, 0) < self.most[host] or (full and host in self.open)
        }

    def _unit(self, host: int, unit: int, arriving: int) -> int:
        """The cost of the ``unit``-th member on a host."""
        item = self.item
        came = unit - item.current.get(host, 0)
        home = came <= item.away.get(host, 0) if came > 0 else unit <= item.native.get(host, 0)
        return (
            self.racks * (2 * (self.in_rack[self.rack_of[host]] + arriving) - 1)
            + self.crowd * (2 * (item.fixed.get(host, 0) + unit) - 1)
            + self.moved * (came > 0)
            + self.astray * (not home)
            + (2 * (self.load[host] + unit) - 1)
        )

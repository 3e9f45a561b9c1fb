"""Whether an answer to a spread problem is the best there is, apart from the solver.

Shares no code with the solver but the problem's own definitions. Two arguments:

* *closed form*: every set is as even as it could be alone, in as few moves (``bounds``);
  no joint answer can do better than all of them alone.
* *residual*: where sets compete for room. An answer is the best if and only if no chain of
  members, each taking the place of the next, lowers the cost. Chains are walks over hosts:
  the least cost of making a member arrive on each host is followed until it falls no more
  (Bellman-Ford); if it settles, no such chain exists.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from frota.model.plan import Proof
from frota.planners.placement.bounds import Bounds
from frota.planners.placement.spreadproblem import SetSpread, SpreadAnswer, SpreadProblem, vector

Table = npt.NDArray[np.int64]

FAR = np.int64(1) << 61
SWEEPS = 64  # longest chain looked at; an answer that needs a longer look is not proved
ROWS = 128  # sets looked at together


def faults(problem: SpreadProblem, answer: SpreadAnswer) -> tuple[str, ...]:
    """What the answer does that it may not, as sentences; empty when it is sound."""
    found = []
    change = [0] * len(problem.rack_of)
    for index in sorted(answer.counts):
        item, after = problem.sets[index], answer.counts[index]
        if sum(after.values()) != sum(item.current.values()):
            found.append(f"set {index} does not keep its number of members")
        for host in sorted({*after, *item.current}):
            came = after.get(host, 0) - item.current.get(host, 0)
            change[host] += came
            barred = item.allowed is not None and host not in item.allowed
            closed = not problem.accepts[host] or problem.slots[host] < 0
            if came > 0 and (barred or closed):
                found.append(f"set {index} sends members to host {host}, which takes none of it")
        if vector(problem, index, after) > vector(problem, index):
            found.append(f"set {index} becomes less even")
        if index in answer.held and after != item.current:
            found.append(f"set {index} was to be held and moves")
    found += [
        f"host {host} gets {by} more members and has room for {problem.slots[host]}"
        for host, by in enumerate(change)
        if by > max(0, problem.slots[host])
    ]
    return tuple(found)


def prove(problem: SpreadProblem, answer: SpreadAnswer) -> Proof:
    """The verdict on an answer; it never holds for one that is unsound.

    ``bound`` is the fewest moves of the argument that ``method`` names: for ``residual``
    that is the answer's own number of moves if the argument holds, else the bound of the
    sets alone, which then need not be within reach.
    """
    moves = sum(
        max(0, count - problem.sets[index].current.get(host, 0))
        for index, after in answer.counts.items()
        for host, count in after.items()
    )
    bounds = Bounds(problem)
    least = 0
    reached = True
    for index, item in enumerate(problem.sets):
        if index not in answer.counts and bounds.apart(index):
            continue
        best = bounds.alone(index)
        least += best.moves
        after = answer.of(problem, index)
        came = sum(max(0, count - item.current.get(host, 0)) for host, count in after.items())
        reached = reached and (*vector(problem, index, after), came) == best
    if faults(problem, answer):
        return Proof("closed-form", least, moves, holds=False)
    if reached:
        return Proof("closed-form", least, moves, holds=True)
    holds = _Chains(problem, answer).none_gains()
    return Proof("residual", moves if holds else least, moves, holds)


class _Chains:
    """The residual network of an answer, walked host by host over all sets at once."""

    def __init__(self, problem: SpreadProblem, answer: SpreadAnswer) -> None:
        self.weights = _weights(problem)
        order = sorted(range(len(problem.rack_of)), key=lambda h: (problem.rack_of[h], h))
        racks = sorted(set(problem.rack_of))
        self.place = {host: place for place, host in enumerate(order)}
        self.rack = np.array([racks.index(problem.rack_of[h]) for h in order], np.int64)
        self.racks = len(racks)
        self.open = np.array(
            [problem.accepts[h] and problem.slots[h] >= 0 for h in order], np.bool_
        )
        least = min(problem.load, default=0)
        load = [problem.load[host] - least for host in order]
        left = [max(0, problem.slots[host]) for host in order]
        on_host = [0] * len(order)
        for index, item in enumerate(problem.sets):
            for host, count in answer.of(problem, index).items():
                load[self.place[host]] += count
                left[self.place[host]] -= count
                on_host[self.place[host]] += count
            for host, count in item.current.items():
                left[self.place[host]] += count
        weight = self.weights[-1]
        self.room = np.array(left, np.int64) > 0
        self.one_more = weight * (2 * np.array(load, np.int64) + 1)
        self.last = self.one_more - 2 * weight * (np.array(on_host, np.int64) > 0)
        free = [index for index in range(len(problem.sets)) if index not in set(answer.held)]
        self.blocks = [
            _Block(self, problem, answer, free[low : low + ROWS])
            for low in range(0, len(free), ROWS)
        ]

    def none_gains(self) -> bool:
        """Whether the least costs settle, and no way out of the hosts gains anything."""
        if not self.weights[0]:
            return False
        arriving = -self.last
        for _ in range(SWEEPS):
            before = arriving
            for block in self.blocks:
                arriving = np.minimum(arriving, block.reach(arriving))
            if np.any(self.room & (arriving + self.one_more < 0)):
                return False
            if np.array_equal(before, arriving):
                return True
        return False


class _Block:
    """Some sets of the residual network; all else is the same empty host to them."""

    def __init__(
        self, chains: _Chains, problem: SpreadProblem, answer: SpreadAnswer, sets: list[int]
    ) -> None:
        self.rack = chains.rack
        weights = chains.weights
        items = [problem.sets[index] for index in sets]
        self.held = np.zeros((len(sets), chains.racks), np.int64)
        self.of_rack = np.array([weights[0] * item.rack for item in items], np.int64)[:, None]
        self.first = np.array([_first(weights, item) for item in items], np.int64)
        self.open = np.empty((len(sets), len(chains.rack)), np.bool_)
        pairs: list[tuple[int, int, int, int]] = []
        for row, (index, item) in enumerate(zip(sets, items, strict=True)):
            after = answer.of(problem, index)
            self.open[row] = chains.open
            if item.allowed is not None:
                inside = np.zeros(len(chains.rack), np.bool_)
                inside[[chains.place[host] for host in item.allowed]] = True
                self.open[row] &= inside
            for host in sorted({*after, *item.current, *item.fixed, *item.away}):
                place, count = chains.place[host], after.get(host, 0)
                self.held[row, chains.rack[place]] += count + item.fixed.get(host, 0)
                gives = _unit(weights, item, host, count) if count else int(FAR)
                home = self.open[row, place] or count < item.current.get(host, 0)
                takes = _unit(weights, item, host, count + 1) if home else int(FAR)
                pairs.append((row, place, gives, takes))
        table = np.array(pairs, np.int64).reshape(-1, 4)
        self.row, self.at, self.gives, self.takes = table.T

    def reach(self, arriving: Table) -> Table:
        """The least cost of one more member on each host, when one of these sets sends it."""
        cost = np.where(self.open, self.first[:, None], FAR)
        cost[self.row, self.at] = self.takes
        leave = np.full(self.held.shape, FAR)
        given = np.where(self.gives < FAR, arriving[self.at] - self.gives, FAR)
        np.minimum.at(leave, (self.row, self.rack[self.at]), given)
        out = np.where(leave < FAR, leave - self.of_rack * (2 * self.held - 1), FAR)
        any_rack = out.min(axis=1, initial=FAR)[:, None]
        enter = np.minimum(leave, any_rack + self.of_rack * (2 * self.held + 1))
        least: Table = (enter[:, self.rack] + cost).min(axis=0, initial=FAR)
        return least


def _unit(weights: tuple[int, ...], item: SetSpread, host: int, unit: int) -> int:
    """The cost of the ``unit``-th member in play of a set on a host, without its load."""
    current = item.current.get(host, 0)
    crowd = 2 * (item.fixed.get(host, 0) + unit) - 1
    came = unit > current
    home = unit - current <= item.away.get(host, 0) if came else unit <= item.native.get(host, 0)
    cost = weights[1] * crowd * item.host + weights[2] * item.weight * came
    return cost + weights[3] * (not home) + weights[4] * crowd * (item.rack and not item.host)


def _first(weights: tuple[int, ...], item: SetSpread) -> int:
    """The cost of a first member on a host of which the set says nothing."""
    bare = SetSpread(current={}, rack=item.rack, host=item.host, weight=item.weight)
    return _unit(weights, bare, 0, 1)


def _weights(problem: SpreadProblem) -> tuple[int, ...]:
    """Weights by which the cost of a chain compares like its levels, one by one.

    A chain passes each host once, so no level can add up to more than twice its largest
    unit for each host or member. Lower levels are left out (weight 0) when they do not
    fit into 64 bits; when even moves do not fit all weights are 0.
    """
    members = [sum(item.current.values()) + sum(item.fixed.values()) for item in problem.sets]
    length = 2 * (min(sum(members), len(problem.rack_of)) + 1)
    crowd = 2 * max(members, default=0) + 1
    heaviest = max((item.weight for item in problem.sets), default=1)
    spread = max(problem.load, default=0) - min(problem.load, default=0)
    load = 2 * (spread + sum(members)) + 1
    units = (crowd, crowd, heaviest, 1, crowd, load)
    for levels in range(len(units), 2, -1):
        weights = [0] * len(units)
        below = 0
        for level in reversed(range(levels)):
            weights[level] = below + 1
            below += weights[level] * units[level] * length
        if below < FAR // 4:
            return tuple(weights)
    return (0,) * len(units)

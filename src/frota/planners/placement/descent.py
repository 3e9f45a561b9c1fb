"""A good flow to begin with: one set after the other moves members while it gains.

With room to spare, what one set does is no matter to the others but for load, and the
outcome is as a rule the best already; the search for something better (``pricing``) then
has only to say so. Nothing relies on it: any feasible flow would do.
"""

from __future__ import annotations

import numpy as np

from frota.planners.placement.network import Costs, Flow, Play, flow_of
from frota.planners.placement.spreadarrays import HUGE
from frota.planners.placement.spreadproblem import Score

FULL = int(HUGE)


def descend(game: Play) -> Flow:
    """The flow after every set, in order, has made its best moves of one member each."""
    shared = _Shared(game)
    entries = game.entries
    bounds = np.searchsorted(entries.set, np.arange(game.rows + 1)).tolist()
    changed: list[tuple[int, int, int]] = []
    for row in range(game.rows):
        mover = _Mover(shared, row, slice(bounds[row], bounds[row + 1]))
        while mover.step():
            pass
        changed += [(row, host, mover.count.get(host, 0)) for host in sorted(mover.touched)]
    rows, hosts, counts = np.array(changed, np.int64).reshape(-1, 3).T
    at, known = game.entry_of(rows, hosts)
    after = entries.current.copy()
    after[at[known]] = counts[known]
    return flow_of(
        game,
        np.concatenate([entries.set, rows[~known]]),
        np.concatenate([entries.host, hosts[~known]]),
        np.concatenate([entries.current, np.zeros_like(rows[~known])]),
        np.concatenate([after, counts[~known]]),
    )


def unit_weights(game: Play) -> Score:
    """Weights by which two moves of one member compare level by level.

    Each level weighs more than the largest difference that all lower ones can make in
    one move: twice the largest cost of one unit. Load is left out when the numbers would
    leave 64 bits (sets of thousands).
    """
    crowd = 2 * int((game.members + game.base.sum(axis=1)).max(initial=0)) + 1
    heaviest = int(game.data.weight.max(initial=1))
    load = 2 * int((game.load + game.room).max(initial=0)) + 1
    weights = _unit_weights(crowd, heaviest, load)
    return weights if weights.racks * crowd < FULL // 8 else _unit_weights(crowd, heaviest, 0)


def _unit_weights(crowd: int, heaviest: int, load: int) -> Score:
    """The weights for the largest costs of one unit; without ``load`` if that is 0."""
    wish = 2 * load + 1
    astray = wish * (2 * crowd + 1)
    moves = astray * 3
    hosts = moves * (2 * heaviest + 1)
    return Score(hosts * (2 * crowd + 1), hosts, moves, astray, wish, int(load > 0))


class _Shared:
    """What all sets share: the room and load of hosts, kept up as members move."""

    def __init__(self, game: Play) -> None:
        data, entries = game.data, game.entries
        self.game = game
        self.costs = costs = Costs(game, unit_weights(game))
        self.weights = costs.weights
        self.rack: list[int] = data.rack.tolist()
        ends = [*data.first[1:].tolist(), data.hosts]
        self.span = [slice(*pair) for pair in zip(data.first.tolist(), ends, strict=True)]
        self.left = game.room - game.on_host
        self.load = game.load + game.on_host
        marginal = self.weights.load * (2 * self.load + 1)
        self.next = np.where(self.left > 0, marginal, HUGE)
        # Of each entry: what the member after the present ones costs, and the last of them.
        said: list[list[int]] = [column.tolist() for column in entries.columns()[2:]]
        self.entries: list[tuple[int, tuple[int, ...]]] = list(
            zip(entries.host.tolist(), zip(*said, strict=True), strict=True)
        )
        self.more = costs.of_host(entries.set, entries.host, entries.current + 1)
        self.last = costs.of_host(entries.set, entries.host, entries.current)

    def shift(self, host: int, by: int) -> None:
        """One member more or less on a host."""
        self.left[host] -= by
        self.load[host] += by
        cost = self.weights.load * (2 * int(self.load[host]) + 1)
        self.next[host] = cost if self.left[host] > 0 else HUGE


class _Mover:
    """One set that moves its members."""

    def __init__(self, shared: _Shared, row: int, part: slice) -> None:
        game, data, weights = shared.game, shared.game.data, shared.weights
        index = int(game.sets[row])
        self.shared, self.row = shared, row
        self.by_host = bool(data.by_host[index])
        self.of_rack = weights.racks * bool(data.by_rack[index])
        self.crowd = weights.hosts if self.by_host else weights.wish
        self.moved = weights.moves * int(data.weight[index])
        hosts, current = game.entries.host[part], game.entries.current[part]
        in_rack = game.base[row] + game.in_rack[row]
        self.in_rack: list[int] = in_rack.tolist()
        self.known = dict(shared.entries[part])
        held = np.flatnonzero(current)
        there = hosts[held]
        self.count: dict[int, int] = dict(zip(there.tolist(), current[held].tolist(), strict=True))
        gain = self.of_rack * (2 * in_rack[data.rack[there]] - 1)
        gain += weights.load * (2 * shared.load[there] - 1) + shared.last[part][held]
        self.gains: dict[int, int] = dict(zip(there.tolist(), gain.tolist(), strict=True))
        cost = shared.next + (self.crowd + self.moved + weights.astray)
        cost[hosts] = shared.next[hosts] + shared.more[part]
        cost += (self.of_rack * (2 * in_rack + 1))[data.rack]
        cost[~game.open_to(slice(row, row + 1))[0]] = HUGE
        self.cost = cost
        self.touched: set[int] = set()
        # Hosts whose own rack may have a better host for one of their members.
        several = (current + game.entries.fixed[part])[held] > 1
        self.crowded: set[int] = set(there[several & self.by_host].tolist())

    def step(self) -> bool:
        """Make the best move of one member, if it gains anything."""
        gains = self.gains
        if not gains:
            return False
        giver, taker = max(gains, key=gains.__getitem__), int(self.cost.argmin())
        best = int(self.cost[taker]) - gains[giver]
        for host in sorted(self.crowded):
            span = self.shared.span[self.shared.rack[host]]
            place = span.start + int(self.cost[span].argmin())
            delta = int(self.cost[place]) - gains[host] - 2 * self.of_rack
            if delta < best:
                giver, taker, best = host, place, delta
        if best >= 0:
            return False
        self._move(giver, taker)
        return True

    def _unit(self, host: int, unit: int) -> int:
        """The cost of the ``unit``-th member in play on a host, without load and rack."""
        current, fixed, native, away = self.known.get(host, (0, 0, 0, 0))
        came = unit - current
        home = came <= away if came > 0 else unit <= native
        cost = self.crowd * (2 * (fixed + unit) - 1) + self.moved * (came > 0)
        return cost + (0 if home else self.shared.weights.astray)

    def _gain(self, host: int) -> int:
        """What is gained when one member leaves the host."""
        shared = self.shared
        load = shared.weights.load * (2 * int(shared.load[host]) - 1)
        rack = self.of_rack * (2 * self.in_rack[shared.rack[host]] - 1)
        return rack + load + self._unit(host, self.count[host])

    def _arrival(self, host: int) -> int:
        shared = self.shared
        rack = self.of_rack * (2 * self.in_rack[shared.rack[host]] + 1)
        return int(shared.next[host]) + rack + self._unit(host, self.count.get(host, 0) + 1)

    def _move(self, giver: int, taker: int) -> None:
        shared = self.shared
        for host, by in ((giver, -1), (taker, 1)):
            shared.shift(host, by)
            self.count[host] = self.count.get(host, 0) + by
            if self.of_rack:
                self._shift_rack(shared.rack[host], by)
        if not self.count[giver]:
            del self.count[giver], self.gains[giver]
        for host in (giver, taker):
            self.touched.add(host)
            self.cost[host] = self._arrival(host)
            self.crowded.discard(host)
            if host in self.count:
                self.gains[host] = self._gain(host)
                if self.by_host and self.count[host] + self.known.get(host, (0, 0))[1] > 1:
                    self.crowded.add(host)

    def _shift_rack(self, rack: int, by: int) -> None:
        """One member more or less in a rack: all its hosts cost and gain that much more."""
        step = 2 * by * self.of_rack
        self.in_rack[rack] += by
        self.cost[self.shared.span[rack]] += step
        for host in self.gains:
            if self.shared.rack[host] == rack:
                self.gains[host] += step

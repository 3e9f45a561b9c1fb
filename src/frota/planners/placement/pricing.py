"""Whether a flow is the best of the whole network, and if not, which arcs it lacks.

The whole network, with an arc from every set to every host, is too large for the solver
but not to look at. The flow is best if and only if its residual network, with all the
arcs that were never made, has no cycle of negative cost: then the shortest distances
from the end (Bellman-Ford) exist. Where they do not, the arcs on which they fell are
those worth making.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from frota.planners.placement.network import Arcs, Costs, Flow, Play, unused
from frota.planners.placement.spreadarrays import HUGE, Bools, Ints

BLOCK = 16  # rows looked at together: with 5,000 hosts 640 KB, which stays in a core's cache
FAR = HUGE // 2  # what is farther cannot be reached


@dataclass(frozen=True, slots=True)
class Prices:
    """Shortest distances from the end, under which no arc has a negative reduced cost.

    HUGE where nothing can arrive. ``rack`` is by row and rack; a row that is not spread
    over racks has its set's own distance there.
    """

    costs: Costs
    host: Ints
    set: Ints
    rack: Ints

    def reduced(self, flow: Flow) -> tuple[Ints, Ints]:
        """The reduced costs of the arcs of racks and of hosts."""
        racks, hosts = flow.racks, flow.hosts
        of_rack = self.costs.of_rack(racks.row, racks.place, racks.unit)
        of_host = self.costs.of_host(hosts.row, hosts.place, hosts.unit)
        cell = self.rack[hosts.row, self.costs.play.data.rack[hosts.place]]
        return (
            self.set[racks.row] + of_rack - self.rack[racks.row, racks.place],
            cell + of_host - self.host[hosts.place],
        )


class Unmade:
    """Costs of the next unit that there is no arc for; HUGE where it may not be.

    An arc may not be made when it would worsen a level that is settled, or for one
    member more than there is room for; for the first that has none it may: what that
    would gain is the price of the room. ``host`` is by row and host, ``rack`` by row and
    rack.
    """

    def __init__(self, costs: Costs, settled: tuple[Prices, ...]) -> None:
        game = costs.play
        self.costs, self.settled = costs, settled
        self.rack = self.rack_unit = np.zeros((0, 0), np.int64)
        self.pair = self.pair_unit = np.zeros(0, np.int64)
        first = costs.of_arrival(np.arange(game.rows))
        self.host = np.repeat(first[:, None], game.data.hosts, axis=1)
        for low in range(0, game.rows, BLOCK):
            part = slice(low, low + BLOCK)
            self.host[part][~self._allowed(part)] = HUGE

    def _allowed(self, part: slice) -> Bools:
        """Where a first member of these rows may go."""
        game = self.costs.play
        allowed = game.open_to(part)
        rows = np.arange(game.rows)[part]
        for past in self.settled:
            base = past.rack[part] + past.costs.of_arrival(rows)[:, None]
            allowed &= base[:, game.data.rack] == past.host
        return allowed

    def follow(self, flow: Flow) -> None:
        """Take in that there are arcs for these units now."""
        self._follow_racks(flow.racks)
        costs, hosts = self.costs, flow.hosts
        game, data = costs.play, costs.play.data
        made = hosts.row * data.hosts + hosts.place
        self.pair = np.unique(np.concatenate([game.keys, made]))
        self.pair_unit = unit = np.ones(len(self.pair), np.int64)
        np.maximum.at(unit, np.searchsorted(self.pair, made), hosts.unit + 1)
        row, place = np.divmod(self.pair, data.hosts)
        bad = (unit > game.members[row]) | (unit > game.room[place] + 1)
        bad |= ~data.open[data.pattern[game.sets[row]], place]
        for past in self.settled:
            cost = past.costs.of_host(row, place, unit)
            bad |= past.rack[row, data.rack[place]] + cost != past.host[place]
        self.host[row, place] = np.where(bad, HUGE, costs.of_host(row, place, unit))

    def _follow_racks(self, racks: Arcs) -> None:
        game = self.costs.play
        unit = racks.next_unit((game.rows, game.data.racks))
        row, rack = np.arange(game.rows)[:, None], np.arange(game.data.racks)[None, :]
        cost = self.costs.of_rack(row, rack, unit)
        bad = (unit > game.members[:, None]) | ~game.data.by_rack[game.sets][:, None]
        for past in self.settled:
            bad |= past.set[:, None] + past.costs.of_rack(row, rack, unit) != past.rack
        self.rack, self.rack_unit = np.where(bad, HUGE, cost), unit

    def arcs(self, row: Ints, place: Ints) -> Arcs:
        """The next units of these pairs as arcs."""
        key = row * self.costs.play.data.hosts + place
        at = np.minimum(np.searchsorted(self.pair, key), len(self.pair) - 1)
        return unused(row, place, np.where(self.pair[at] == key, self.pair_unit[at], 1))


def survey(flow: Flow, more: Unmade, sweeps: int) -> tuple[Prices | tuple[Arcs, Arcs], int]:
    """The prices that prove the flow best; else the arcs of racks and hosts it lacks.

    Gives up after some ``sweeps``, and then returns the arcs found so far. The second of
    the pair is the number of sweeps made.
    """
    more.follow(flow)
    look = _Survey(flow, more)
    for swept in range(1, sweeps + 1):
        if not look.sweep():
            return Prices(more.costs, look.host, look.set, look.rack), swept
        if look.negative():
            return look.lacking(), swept
    return look.lacking(), sweeps


def tempted(flow: Flow, found: Prices, game: Play) -> Bools:
    """Rows of another game, at rest, for which a move now costs nothing or less.

    They hold slots that others want: they may have to make room. Nothing itself counts,
    since lower levels may decide for the move.
    """
    costs = Costs(game, found.costs.weights)
    more = Unmade(costs, ())
    more.follow(flow)
    gains = _Survey(flow, more).gains(found.host)
    return gains <= 0


class _Survey:
    """Distances while they fall. One sweep follows one more member that makes room."""

    def __init__(self, flow: Flow, more: Unmade) -> None:
        costs = more.costs
        game, data = costs.play, costs.play.data
        self.flow, self.costs, self.more = flow, costs, more
        place, on_host = np.arange(data.hosts), flow.on_host
        self.direct = ~data.by_rack[game.sets]
        # An empty host starts as if it could give back one unit: that closes no cycle.
        last = costs.of_load(place, np.maximum(on_host, 1))
        self.host = np.where(flow.ends_free, -last, HUGE)
        self.ending = np.where(
            flow.ends_free & (on_host < game.room), costs.of_load(place, on_host + 1), HUGE
        )
        self.set = np.full(game.rows, HUGE)
        self.rack = np.full((game.rows, data.racks), HUGE)
        self.lowered: list[Ints] = []  # pairs whose unmade arcs lowered a host
        self.rack_take, self.rack_give = _sides(
            flow.racks, costs.of_rack(flow.racks.row, flow.racks.place, flow.racks.unit)
        )
        self.host_take, self.host_give = _sides(
            flow.hosts, costs.of_host(flow.hosts.row, flow.hosts.place, flow.hosts.unit)
        )

    def sweep(self) -> bool:
        """Follow members out of hosts and into hosts; whether any distance fell."""
        before = self.host.copy()
        self._climb()
        row, place, cost = self.host_take
        rack_of = self.costs.play.data.rack
        np.minimum.at(self.host, place, self.rack[row, rack_of[place]] + cost)
        self._arrive()
        return not np.array_equal(before, self.host)

    def _climb(self) -> None:
        """From hosts to the sets whose members could leave, and to their racks."""
        rack_of = self.costs.play.data.rack
        row, place, cost = self.host_give
        given = _reached(self.host[place] - cost)
        np.minimum.at(self.rack, (row, rack_of[place]), given)
        lone = self.direct[row]
        np.minimum.at(self.set, row[lone], given[lone])
        row, place, cost = self.rack_give
        np.minimum.at(self.set, row, _reached(self.rack[row, place] - cost))
        row, place, cost = self.rack_take
        np.minimum.at(self.rack, (row, place), self.set[row] + cost)
        np.minimum(self.rack, _reached(self.set[:, None] + self.more.rack), out=self.rack)
        self.rack[self.direct] = self.set[self.direct, None]

    def _arrive(self) -> None:
        """Let the arcs that were not made lower the hosts."""
        rack_of = self.costs.play.data.rack
        for low in range(0, len(self.set), BLOCK):
            part = slice(low, low + BLOCK)
            reach = self.rack[part][:, rack_of] + self.more.host[part]
            least = reach.min(axis=0)
            lower = np.flatnonzero(least < self.host)
            row = reach[:, lower].argmin(axis=0) + low
            self.lowered.append(row * len(rack_of) + lower)
            self.host[lower] = least[lower]

    def gains(self, host: Ints) -> Ints:
        """By row, the least cost of a move of one member, given distances of hosts."""
        self.host = host
        self._climb()
        rack_of = self.costs.play.data.rack
        least = []
        for low in range(0, len(self.set), BLOCK):
            part = slice(low, low + BLOCK)
            reach = self.rack[part][:, rack_of] + self.more.host[part]
            least.append((reach - host).min(axis=1))
        return np.concatenate(least) if least else np.zeros(0, np.int64)

    def negative(self) -> bool:
        """Whether a way from the end leads back to it at a gain."""
        return bool(np.any(self.host + self.ending < 0))

    def lacking(self) -> tuple[Arcs, Arcs]:
        """The arcs, never made, on which distances fell."""
        more, data = self.more, self.costs.play.data
        row, place = np.divmod(np.unique(np.concatenate(self.lowered)), data.hosts)
        wanted = more.rack_unit > 1
        wanted[row, data.rack[place]] = True
        wanted &= (self.set[:, None] + more.rack == self.rack) & (self.rack < FAR)
        at, rack = np.nonzero(wanted)
        return unused(at, rack, more.rack_unit[at, rack]), more.arcs(row, place)


def _sides(arcs: Arcs, cost: Ints) -> tuple[tuple[Ints, Ints, Ints], tuple[Ints, Ints, Ints]]:
    """Arcs that may take a unit, and arcs that may give theirs back: row, place, cost."""
    take, give = arcs.free & ~arcs.used, arcs.free & arcs.used
    return (
        (arcs.row[take], arcs.place[take], cost[take]),
        (arcs.row[give], arcs.place[give], cost[give]),
    )


def _reached(distance: Ints) -> Ints:
    return np.where(distance > FAR, HUGE, distance)

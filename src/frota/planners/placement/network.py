"""The flow network of the sets in play, as far as it has been made.

Every member in play is one unit of flow::

    set --> set and rack --> host --> end

An arc out of a set, and one into a host, carries one unit and stands for *the k-th
member* there, so that convex costs are plain arc costs. A set that is not spread over
racks has no node for its racks: its arcs go straight to hosts. The arc to the end holds
the host's room. Arcs are added as they prove useful (``pricing``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from frota.planners.placement.spreadarrays import Arrays, Bools, Entries, Ints
from frota.planners.placement.spreadproblem import Score


@dataclass(frozen=True, slots=True)
class Play:
    """The sets that take part, by row, and what the room is for them."""

    data: Arrays
    sets: Ints  # row -> set
    entries: Entries  # of these sets; ``set`` is the row
    keys: Ints  # row * hosts + position of each entry, ascending
    room: Ints  # members in play that a host may hold
    base: Ints  # members by row and rack that may not move
    in_rack: Ints  # members in play by row and rack, now
    on_host: Ints  # members in play by host, now
    members: Ints  # in play, by row
    load: Ints  # what else a host carries, members of other sets too

    @property
    def rows(self) -> int:
        """The number of sets that take part."""
        return len(self.sets)

    def entry_of(self, row: Ints, host: Ints) -> tuple[Ints, Bools]:
        """The entry of each pair of row and host, and whether there is one."""
        key = row * self.data.hosts + host
        at = np.minimum(np.searchsorted(self.keys, key), len(self.keys) - 1)
        return at, self.keys[at] == key

    def current(self, row: Ints, host: Ints) -> Ints:
        """Members in play of a row on a host, now."""
        at, known = self.entry_of(row, host)
        return self.entries.current[at] * known

    def open_to(self, rows: Ints | slice) -> Bools:
        """Where the members of these rows may arrive, if there is room."""
        wanted: Bools = self.data.open[self.data.pattern[self.sets[rows]]]
        return wanted


def play(data: Arrays, chosen: Bools) -> Play:
    """Let the chosen sets take part; all other members stand still."""
    sets = np.flatnonzero(chosen)
    row_of = np.full(data.sets, -1)
    row_of[sets] = np.arange(len(sets))
    mine = data.entries.of(chosen[data.entries.set])
    mine = replace(mine, set=row_of[mine.set])
    shape = (len(sets), data.racks)
    base, in_rack = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    np.add.at(base, (mine.set, data.rack[mine.host]), mine.fixed)
    np.add.at(in_rack, (mine.set, data.rack[mine.host]), mine.current)
    on_host = np.zeros(data.hosts, np.int64)
    np.add.at(on_host, mine.host, mine.current)
    load = data.load - on_host
    np.add.at(load, data.entries.host, data.entries.current)
    return Play(
        data=data,
        sets=sets,
        entries=mine,
        keys=mine.set * data.hosts + mine.host,
        room=data.slots + on_host,
        base=base,
        in_rack=in_rack,
        on_host=on_host,
        members=in_rack.sum(axis=1),
        load=load,
    )


@dataclass(frozen=True, slots=True)
class Arcs:
    """Unit arcs of one kind: for the ``unit``-th member in play of a row at a place.

    ``used`` tells whether the unit flows; ``free`` whether that may still change: when
    a level of the score is settled, arcs that would worsen it are no longer free.
    """

    row: Ints
    place: Ints
    unit: Ints
    used: Bools
    free: Bools

    def __len__(self) -> int:
        return len(self.row)

    def and_(self, more: Arcs) -> Arcs:
        """These and more."""
        mine = (getattr(self, name) for name in self.__slots__)
        others = (getattr(more, name) for name in self.__slots__)
        return Arcs(*map(np.concatenate, zip(mine, others, strict=True)))

    def flowing(self, at: Ints, flow: Ints) -> Arcs:
        """The same with another flow on some of them."""
        used = self.used.copy()
        used[at] = flow > 0
        return replace(self, used=used)

    def next_unit(self, shape: tuple[int, int]) -> Ints:
        """By row and place, the unit after the last that there is an arc for."""
        unit = np.ones(shape, np.int64)
        np.maximum.at(unit, (self.row, self.place), self.unit + 1)
        return unit


def unused(row: Ints, place: Ints, unit: Ints) -> Arcs:
    """New arcs without flow, free to change."""
    idle = np.zeros(len(row), np.bool_)
    return Arcs(row, place, unit, idle, ~idle)


def filled(row: Ints, place: Ints, units: Ints, used: Ints) -> Arcs:
    """For every pair the arcs of its first ``units``, of which ``used`` flow."""
    ends = np.cumsum(units)
    unit = np.arange(1, (int(ends[-1]) if len(ends) else 0) + 1) - np.repeat(ends - units, units)
    flows = unit <= np.repeat(used, units)
    return Arcs(np.repeat(row, units), np.repeat(place, units), unit, flows, np.ones_like(flows))


@dataclass(frozen=True, slots=True)
class Flow:
    """A feasible flow on the arcs that there are.

    ``ends_free``: hosts whose number of members may still change.
    """

    racks: Arcs
    hosts: Arcs
    ends_free: Bools

    @property
    def on_host(self) -> Ints:
        """Members in play by host."""
        return np.bincount(self.hosts.place[self.hosts.used], minlength=len(self.ends_free))


@dataclass(frozen=True, slots=True)
class Costs:
    """What arcs cost under one weighting of the levels of the score."""

    play: Play
    weights: Score

    def of_rack(self, row: Ints, rack: Ints, unit: Ints) -> Ints:
        """The cost of the ``unit``-th member in play in a rack."""
        return self.weights.racks * (2 * (self.play.base[row, rack] + unit) - 1)

    def of_host(self, row: Ints, host: Ints, unit: Ints) -> Ints:
        """The cost of the ``unit``-th member in play on a host, without its load."""
        game, entries = self.play, self.play.entries
        at, known = game.entry_of(row, host)
        came = unit - entries.current[at] * known
        home = np.where(came > 0, came <= entries.away[at], unit <= entries.native[at]) & known
        crowd = 2 * (entries.fixed[at] * known + unit) - 1
        moved = (came > 0) * game.data.weight[game.sets[row]]
        return self.crowding(row) * crowd + self.weights.moves * moved + self.weights.astray * ~home

    def total(self, flow: Flow) -> int:
        """The cost of a flow, up to a constant."""
        racks, hosts = flow.racks, flow.hosts
        place, on_host = np.arange(self.play.data.hosts), flow.on_host
        load = self.weights.load * on_host * (2 * self.play.load[place] + on_host)
        of_rack = self.of_rack(racks.row, racks.place, racks.unit)[racks.used]
        of_host = self.of_host(hosts.row, hosts.place, hosts.unit)[hosts.used]
        return int(of_rack.sum() + of_host.sum() + load.sum())

    def crowding(self, row: Ints) -> Ints:
        """The weight of squared members per host, by row."""
        data, sets = self.play.data, self.play.sets[row]
        hosts: Ints = self.weights.hosts * data.by_host[sets]
        return hosts + self.weights.wish * (data.by_rack[sets] & ~data.by_host[sets])

    def of_arrival(self, row: Ints) -> Ints:
        """The cost of a first member on a host of which the problem says nothing."""
        moved = self.weights.moves * self.play.data.weight[self.play.sets[row]]
        return self.crowding(row) + moved + self.weights.astray

    def of_load(self, host: Ints, unit: Ints) -> Ints:
        """The cost of the ``unit``-th member in play, of any set, on a host."""
        return self.weights.load * (2 * (self.play.load[host] + unit) - 1)


def flow_of(game: Play, row: Ints, host: Ints, before: Ints, after: Ints) -> Flow:
    """The flow with ``after`` members in play of a row on a host where ``before`` are now.

    There are arcs for the present state and for that one, and no others.
    """
    data = game.data
    shape = (game.rows, data.racks)
    was, will = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    np.add.at(was, (row, data.rack[host]), before)
    np.add.at(will, (row, data.rack[host]), after)
    will[~data.by_rack[game.sets]] = was[~data.by_rack[game.sets]] = 0
    held, rack = np.nonzero(was + will)
    return Flow(
        racks=filled(held, rack, np.maximum(was, will)[held, rack], will[held, rack]),
        hosts=filled(row, host, np.maximum(before, after), after),
        ends_free=np.ones(data.hosts, np.bool_),
    )

"""The joint spread problem of one size class, as flat numbers, and what is best.

All VMs in one problem have the same size, so the room on a host is a whole number of
slots. Hosts and racks are indices from 0. A *member in play* may be moved; others count
for evenness but are outside (``fixed``).

An answer is judged by these sums, the first that differs decides (``score``):

1. squared members per rack, over sets spread over racks;
2. squared members per host, over sets spread over hosts;
3. moves, each times its set's ``weight``;
4. members that are *not* at home;
5. squared members per host, over sets spread over racks only (a wish, never worth a move);
6. squared load per host.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class SetSpread:
    """One availability set of the size class. Mappings go from host to members (> 0).

    ``current``: members in play on each host. ``fixed``: members that may not move.
    ``allowed``: hosts that members may move to; None for every host that accepts.
    ``weight``: cost of one move, >= 1. ``native``: members in play on the host that is
    their home; ``away``: members in play that are elsewhere, by their home.
    """

    current: Mapping[int, int]
    rack: bool = False
    host: bool = True
    fixed: Mapping[int, int] = field(default_factory=dict)
    allowed: frozenset[int] | None = None
    weight: int = 1
    native: Mapping[int, int] = field(default_factory=dict)
    away: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SpreadProblem:
    """Hosts as parallel sequences, and all sets of the size class, even ones too.

    ``slots``: VMs of this size that still fit on the host as it is now; the most that it
    may hold is that plus its members in play. A host with less than nothing left gets no
    arrivals. ``accepts``: whether members may move there at all; those that are there may
    stay. ``load``: what else the host carries, in VMs of this size.
    """

    rack_of: Sequence[int]
    slots: Sequence[int]
    accepts: Sequence[bool]
    load: Sequence[int]
    sets: Sequence[SetSpread]


class Score(NamedTuple):
    """What an answer costs; smaller is better, compared from the left."""

    racks: int
    hosts: int
    moves: int
    astray: int
    wish: int
    load: int


@dataclass(frozen=True, slots=True)
class SpreadAnswer:
    """New counts of the sets that change; the others stay as they are.

    ``counts``: by index of the set, its members in play on each host (> 0).
    ``held``: sets whose members were kept where they are, because the best sum would
    have made these sets less even for the good of others; the answer is best with
    them held. ``in_play``: sets that the solver looked at.
    """

    counts: Mapping[int, Mapping[int, int]]
    held: tuple[int, ...] = ()
    in_play: int = 0
    best: bool = True

    def of(self, problem: SpreadProblem, index: int) -> Mapping[int, int]:
        """The members in play of one set after the answer."""
        return self.counts.get(index, problem.sets[index].current)


class Change(NamedTuple):
    """What one set does: members that leave and arrive, by host, both sorted by host."""

    set_index: int
    leave: tuple[tuple[int, int], ...]
    arrive: tuple[tuple[int, int], ...]


def changes(problem: SpreadProblem, answer: SpreadAnswer) -> tuple[Change, ...]:
    """The answer as departures and arrivals, by set."""
    found = []
    for index in sorted(answer.counts):
        before, after = problem.sets[index].current, answer.counts[index]
        delta = {h: after.get(h, 0) - before.get(h, 0) for h in sorted({*before, *after})}
        leave = tuple((host, -by) for host, by in delta.items() if by < 0)
        arrive = tuple((host, by) for host, by in delta.items() if by > 0)
        found.append(Change(index, leave, arrive))
    return tuple(found)


def vector(
    problem: SpreadProblem, index: int, counts: Mapping[int, int] | None = None
) -> tuple[int, int]:
    """Squared members per rack and per host of one set; 0 for a level it is not spread over.

    ``counts`` are its members in play, the present ones when left out.
    """
    item = problem.sets[index]
    held = item.current if counts is None else counts
    totals = {h: held.get(h, 0) + item.fixed.get(h, 0) for h in {*held, *item.fixed}}
    racks: dict[int, int] = {}
    for host, count in totals.items():
        racks[problem.rack_of[host]] = racks.get(problem.rack_of[host], 0) + count
    return (
        sum(count * count for count in racks.values()) if item.rack else 0,
        sum(count * count for count in totals.values()) if item.host else 0,
    )


def score(problem: SpreadProblem, answer: SpreadAnswer) -> Score:
    """The sums of the module's docstring, straight from their definitions."""
    racks = hosts = moves = astray = wish = 0
    load = list(problem.load)
    for index, item in enumerate(problem.sets):
        after = answer.of(problem, index)
        of_racks, of_hosts = vector(problem, index, after)
        racks, hosts = racks + of_racks, hosts + of_hosts
        for host, count in after.items():
            came = max(0, count - item.current.get(host, 0))
            moves += came * item.weight
            astray -= min(count, item.native.get(host, 0)) + min(came, item.away.get(host, 0))
            load[host] += count
        astray += sum(after.values())
        if item.rack and not item.host:
            totals = {h: after.get(h, 0) + item.fixed.get(h, 0) for h in {*after, *item.fixed}}
            wish += sum(count * count for count in totals.values())
    return Score(racks, hosts, moves, astray, wish, sum(value * value for value in load))

"""The joint spread problem solved to its proved best, as a minimum-cost flow."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from frota.planners.placement.alone import alone
from frota.planners.placement.descent import descend
from frota.planners.placement.levels import LIMIT, passes
from frota.planners.placement.network import Costs, Flow, Play, flow_of, play
from frota.planners.placement.pricing import Prices, tempted
from frota.planners.placement.settling import Effort, best
from frota.planners.placement.spreadarrays import Arrays, Bools, arrays, uneven
from frota.planners.placement.spreadproblem import Score, SpreadAnswer, SpreadProblem

WORK = 5.0  # about seconds of one core; the largest case of bench/racks.py takes 0.5


def solve(problem: SpreadProblem, work: float = WORK, limit: int = LIMIT) -> SpreadAnswer:
    """The best answer by ``spreadproblem.score``; the same problem gives the same answer.

    Never exceeds the room of a host, never sends a member where it may not go, and never
    makes a set less even than it is: where the best sum would do that, the set is held as
    it is and the rest is solved again.

    At first only uneven sets take part. Where the room they want is taken by members of
    other sets that could make way without loss, these sets join.

    When ``work`` ends before the answer is proved, the answer is the best so far and says
    so; all it promises above still holds. ``limit`` bounds the size of numbers in one
    pass (``levels``); the answer does not depend on it.
    """
    one = alone(problem)
    if one is not None:
        return SpreadAnswer(dict([one]), in_play=1)
    data = arrays(problem)
    uneven_sets = uneven(data)
    held = np.zeros(data.sets, np.bool_)
    effort = Effort(work)
    while np.any(uneven_sets & ~held):
        game, flow, proved = _joint(data, uneven_sets & ~held, held, (effort, limit))
        raised = _raised(game, flow)
        if raised.any() and proved:
            held[game.sets[raised]] = True
            continue
        counts = _counts(game, descend(game) if raised.any() else flow)
        return SpreadAnswer(counts, tuple(np.flatnonzero(held).tolist()), game.rows, proved)
    return SpreadAnswer({}, tuple(np.flatnonzero(held).tolist()))


def _joint(
    data: Arrays, chosen: Bools, held: Bools, bounds: tuple[Effort, int]
) -> tuple[Play, Flow, bool]:
    """The best flow when sets that are not held may join to make room; whether proved."""
    effort, limit = bounds
    scale = chosen
    while True:
        game = play(data, chosen)
        flow, found = best(game, passes(play(data, scale), limit), effort)
        if found is None:
            return game, flow, False
        asked = _asked(game, flow, found) & ~chosen & ~held
        if np.any(asked & ~scale):
            scale = scale | asked  # prices must tell what a move of these sets costs
            continue
        joining = _willing(game, found[0], asked)
        if not joining.any():
            return game, flow, True
        chosen = chosen | joining


def _asked(game: Play, flow: Flow, found: list[Prices]) -> Bools:
    """Sets with members on full hosts that others would pay for."""
    entries = game.data.entries
    wanted = np.any([prices.host < 0 for prices in found], axis=0)
    wanted &= flow.on_host >= game.room
    asked = np.zeros(game.data.sets, np.bool_)
    asked[entries.set[wanted[entries.host] & (entries.current > 0)]] = True
    return asked


def _willing(game: Play, found: Prices, asked: Bools) -> Bools:
    """Those of the asked sets at rest to which the price is worth a move."""
    willing = np.zeros_like(asked)
    if asked.any():
        rest = play(game.data, asked)
        crowd = replace(rest, room=game.room + rest.on_host)
        entries = rest.entries
        still = flow_of(rest, entries.set, entries.host, entries.current, entries.current)
        willing[rest.sets[tempted(still, found, crowd)]] = True
    return willing


def _raised(game: Play, flow: Flow) -> Bools:
    """Rows that are less even than they were, by racks or else by hosts."""
    racks, hosts = flow.racks, flow.hosts
    steps = []
    for arcs, was, cost in (
        (racks, game.in_rack[racks.row, racks.place], Costs(game, Score(1, 0, 0, 0, 0, 0)).of_rack),
        (hosts, game.current(hosts.row, hosts.place), Costs(game, Score(0, 1, 0, 0, 0, 0)).of_host),
    ):
        change = arcs.used.astype(np.int64) - (arcs.unit <= was)
        rise = np.zeros(game.rows, np.int64)
        np.add.at(rise, arcs.row, change * cost(arcs.row, arcs.place, arcs.unit))
        steps.append(rise)
    raised: Bools = (steps[0] > 0) | ((steps[0] == 0) & (steps[1] > 0))
    return raised


def _counts(game: Play, flow: Flow) -> dict[int, dict[int, int]]:
    data = game.data
    used = flow.hosts.used
    key, count = np.unique(
        flow.hosts.row[used] * data.hosts + flow.hosts.place[used], return_counts=True
    )
    found: dict[int, dict[int, int]] = {}
    lines = zip(
        game.sets[key // data.hosts].tolist(),
        data.host[key % data.hosts].tolist(),
        count.tolist(),
        strict=True,
    )
    for index, host, members in lines:
        found.setdefault(index, {})[host] = members
    return found

"""The joint spread problem solved to its proved best, as a minimum-cost flow."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from frota.planners.placement.descent import descend
from frota.planners.placement.levels import LIMIT, passes
from frota.planners.placement.mincost import CostsTooLarge, improved
from frota.planners.placement.network import Costs, Flow, Play, flow_of, play
from frota.planners.placement.pricing import Prices, Unmade, survey, tempted
from frota.planners.placement.spreadarrays import Arrays, Bools, arrays, uneven
from frota.planners.placement.spreadproblem import Score, SpreadAnswer, SpreadProblem

SWEEPS = 12  # sweeps before the solver is asked; doubled each time it was asked
ROUNDS = 1000  # each round makes at least one new arc; tens were seen at most


def solve(problem: SpreadProblem, limit: int = LIMIT) -> SpreadAnswer:
    """The best answer by ``spreadproblem.score``; the same problem gives the same answer.

    Never exceeds the room of a host, never sends a member where it may not go, and never
    makes a set less even than it is: where the best sum would do that, the set is held as
    it is and the rest is solved again.

    At first only uneven sets take part. Where the room they want is taken by members of
    other sets that could make way without loss, these sets join. ``limit`` bounds the
    size of numbers in one pass (``levels``); the answer does not depend on it.
    """
    data = arrays(problem)
    uneven_sets = uneven(data)
    held = np.zeros(data.sets, np.bool_)
    while np.any(uneven_sets & ~held):
        try:
            game, flow = _joint(data, uneven_sets & ~held, held, limit)
        except CostsTooLarge:
            limit = 1
            continue
        raised = _raised(game, flow)
        if not raised.any():
            return SpreadAnswer(
                _counts(game, flow), tuple(np.flatnonzero(held).tolist()), game.rows
            )
        held[game.sets[raised]] = True
    return SpreadAnswer({}, tuple(np.flatnonzero(held).tolist()))


def _joint(data: Arrays, chosen: Bools, held: Bools, limit: int) -> tuple[Play, Flow]:
    """The best flow when sets that are not held may join to make room."""
    scale = chosen
    while True:
        game = play(data, chosen)
        flow, found = _best(game, passes(play(data, scale), limit))
        asked = _asked(game, flow, found) & ~chosen & ~held
        if np.any(asked & ~scale):
            scale = scale | asked  # prices must tell what a move of these sets costs
            continue
        joining = _willing(game, found[0], asked)
        if not joining.any():
            return game, flow
        chosen = chosen | joining


def _best(game: Play, weights: tuple[Score, ...]) -> tuple[Flow, list[Prices]]:
    """The best flow of the sets in play, and the prices of the levels down to moves."""
    flow = descend(game)
    settled: list[Prices] = []
    for turn, weight in enumerate(weights):
        flow, found = settle(flow, Costs(game, weight), tuple(settled))
        settled.append(found)
        if turn + 1 < len(weights):
            flow = _restricted(flow, found)
    last = next((turn for turn, weight in enumerate(weights) if weight.moves), 0)
    return flow, settled[: last + 1]


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


def settle(flow: Flow, costs: Costs, settled: tuple[Prices, ...]) -> tuple[Flow, Prices]:
    """The best flow under these costs among those that are best under all settled ones."""
    more = Unmade(costs, settled)
    sweeps, total = SWEEPS, costs.total(flow)
    for _ in range(ROUNDS):
        found = survey(flow, more, sweeps)
        if isinstance(found, Prices):
            return flow, found
        racks, hosts = found
        flow = improved(Flow(flow.racks.and_(racks), flow.hosts.and_(hosts), flow.ends_free), costs)
        before, total = total, costs.total(flow)
        sweeps *= 1 + (total == before)  # no cycle was there, only a long way
    msg = f"no best flow after {ROUNDS} rounds"
    raise ArithmeticError(msg)


def _restricted(flow: Flow, found: Prices) -> Flow:
    """Free arcs stay free only where a change is no loss."""
    of_rack, of_host = found.reduced(flow)
    racks = replace(flow.racks, free=flow.racks.free & (of_rack == 0))
    hosts = replace(flow.hosts, free=flow.hosts.free & (of_host == 0))
    return Flow(racks, hosts, flow.ends_free & (found.host == 0))


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

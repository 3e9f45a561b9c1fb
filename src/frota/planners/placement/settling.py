"""From a first flow to the best one, level after level, within an amount of work."""

from __future__ import annotations

from dataclasses import replace

from frota.planners.placement.descent import descend
from frota.planners.placement.mincost import improved
from frota.planners.placement.network import Costs, Flow, Play
from frota.planners.placement.pricing import Prices, Unmade, survey
from frota.planners.placement.spreadproblem import Score

SWEEPS = 12  # sweeps before the solver is asked; doubled each time it was asked in vain
PER_MOVE = 6e-5  # seconds of one core, measured: a member moved in the descent,
PER_ARC = 6e-6  # an arc given to the solver,
PER_CELL = 8e-9  # a pair of set and host looked at once


class Effort:
    """Work done so far. Counted, not timed: the same on every machine."""

    def __init__(self, most: float) -> None:
        self.left = most

    def spend(self, moves: int = 0, arcs: int = 0, cells: int = 0) -> None:
        """Take note of work done; it may go below zero by the last piece."""
        self.left -= moves * PER_MOVE + arcs * PER_ARC + cells * PER_CELL

    @property
    def over(self) -> bool:
        """Whether nothing new is to be begun."""
        return self.left <= 0


def best(
    game: Play, weights: tuple[Score, ...], effort: Effort
) -> tuple[Flow, list[Prices] | None]:
    """The best flow of the sets in play, and the prices of the levels down to moves.

    When the effort is over: the best flow so far, and None.
    """
    flow = descend(game)
    effort.spend(moves=game.rows + int((flow.on_host - game.on_host).clip(0).sum()))
    settled: list[Prices] = []
    for turn, weight in enumerate(weights):
        flow, found = settle(flow, Costs(game, weight), tuple(settled), effort)
        if found is None:
            return flow, None
        settled.append(found)
        if turn + 1 < len(weights):
            flow = _restricted(flow, found)
    last = next((turn for turn, weight in enumerate(weights) if weight.moves), 0)
    return flow, settled[: last + 1]


def settle(
    flow: Flow, costs: Costs, settled: tuple[Prices, ...], effort: Effort
) -> tuple[Flow, Prices | None]:
    """The best flow under these costs among those that are best under all settled ones."""
    more = Unmade(costs, settled)
    sweeps, total = SWEEPS, costs.total(flow)
    while not effort.over:
        found, swept = survey(flow, more, sweeps)
        effort.spend(cells=(swept + 1) * more.host.size)
        if isinstance(found, Prices):
            return flow, found
        racks, hosts = found
        flow = Flow(flow.racks.and_(racks), flow.hosts.and_(hosts), flow.ends_free)
        effort.spend(arcs=len(flow.racks) + len(flow.hosts))
        better = improved(flow, costs)
        if better is None:
            break
        flow = better
        before, total = total, costs.total(flow)
        sweeps *= 1 + (total == before)  # no cycle was there, only a long way
    return flow, None


def _restricted(flow: Flow, found: Prices) -> Flow:
    """Free arcs stay free only where a change is no loss."""
    of_rack, of_host = found.reduced(flow)
    racks = replace(flow.racks, free=flow.racks.free & (of_rack == 0))
    hosts = replace(flow.hosts, free=flow.hosts.free & (of_host == 0))
    return Flow(racks, hosts, flow.ends_free & (found.host == 0))

"""Weights that let one cost stand for several levels of the score."""

from __future__ import annotations

import numpy as np

from frota.planners.placement.network import Play
from frota.planners.placement.spreadproblem import Score

LIMIT = 1 << 54  # largest cost times nodes; the solver's own limit is near 2**60


def ranges(game: Play) -> tuple[int, ...]:
    """For each level, how much it can differ between two answers that matter.

    0 for a level that cannot differ at all; the first level present has nothing above
    it and needs no range. An answer that matters is no worse than the present state on
    the levels above. Two facts keep the ranges small: over racks that are no fuller, the
    squares per host are at most the squares per rack; and a host holds no more than its
    room.
    """
    data, entries = game.data, game.entries
    held = game.base + game.in_rack
    total = held.sum(axis=1)
    by_rack, by_host = data.by_rack[game.sets], data.by_host[game.sets]
    fixed = np.zeros(game.rows, np.int64)
    np.maximum.at(fixed, entries.set, entries.fixed)
    crowd = total * np.minimum(total, fixed + int(game.room.max(initial=0)))
    squares = int((held[by_rack] ** 2).sum())
    both, wish = by_rack & by_host, by_rack & ~by_host
    hosts = min(squares, int(crowd[both].sum())) + int(crowd[by_host & ~by_rack].sum())
    members = int(game.members.sum())
    homes = bool(entries.native.any() or entries.away.any())
    heaviest = 2 * int((game.load + game.room).max(initial=0))
    return (
        squares,
        hosts,
        int((data.weight[game.sets] * game.members).sum()),
        members * homes,
        min(squares, int(crowd[wish].sum())),
        members * heaviest,
    )


def passes(game: Play, limit: int = LIMIT) -> tuple[Score, ...]:
    """Weights for one solution after another, each settling as many levels as fit.

    In a pass a level weighs more than all that lower ones of the pass can differ by.
    """
    found: list[Score] = []
    spans = ranges(game)
    nodes = 2 * int(game.members.sum()) + game.rows + game.data.hosts
    left = [level for level, span in enumerate(spans) if span]
    while left:
        take = len(left)
        while take > 1 and _cost(game, _weights(left[:take], spans)) * nodes > limit:
            take -= 1
        found.append(_weights(left[:take], spans))
        left = left[take:]
    return tuple(found)


def _weights(levels: list[int], spans: tuple[int, ...]) -> Score:
    weights = [0] * len(spans)
    below = 0
    for level in reversed(levels):
        weights[level] = below + 1
        below += weights[level] * spans[level]
    return Score(*weights)


def _cost(game: Play, weights: Score) -> int:
    """The largest cost of one unit."""
    crowd = 2 * int((game.members + game.base.sum(axis=1)).max(initial=0)) + 1
    load = 2 * int((game.load + game.room).max(initial=0)) + 1
    heaviest = int(game.data.weight.max(initial=1))
    host = max(weights.hosts, weights.wish) * crowd + weights.moves * heaviest + weights.astray
    return max(weights.racks * crowd, host, weights.load * load)

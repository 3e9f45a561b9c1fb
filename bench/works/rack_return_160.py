"""A rack of 20 hosts returns to a group of 160, beside three other programs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bench import returns
from bench.clock import Limits
from bench.figures import Figure
from bench.peers import cpsat, htools, meta
from bench.peers.answer import Answer
from bench.racks import M

BAR_S = 0.05


def figures(limits: Limits) -> Iterator[Figure]:
    """Peers solve the case with sets over racks, so they stand beside those figures."""
    own = list(returns.figures(M, BAR_S, limits))
    yield from own
    wall = next(figure for figure in own if figure.metric.endswith("over racks, wall"))
    moves = next(figure for figure in own if figure.metric.endswith("moves, sets over racks"))
    for peer in (cpsat.solve, meta.solve, htools.hbal):
        answer = peer(M, limits)
        yield replace(wall, peer=answer.name, peer_value=answer.seconds)
        if answer.moves is not None:
            name = f"{answer.name}{_left(answer)}"
            yield replace(moves, peer=name, peer_value=answer.moves)


def _left(answer: Answer) -> str:
    return f"; {answer.left} still too many" if answer.left else ""

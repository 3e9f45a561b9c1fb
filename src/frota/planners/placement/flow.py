"""The joint spread problem solved to its proved best, as a minimum-cost flow."""

from __future__ import annotations

from frota.planners.placement.spreadproblem import SpreadAnswer, SpreadProblem


def solve(problem: SpreadProblem) -> SpreadAnswer:
    """The best answer by ``spreadproblem.score``; the same problem gives the same answer.

    Never exceeds the room of a host, never sends a member where it may not go, and never
    makes a set less even than it is.
    """
    raise NotImplementedError(problem)

"""Measures the plan that follows the return of a rack, from the snapshot to steps in layers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

from bench.clock import Limits, best_of
from bench.figures import Figure, Must
from bench.groups import RACKS, RACKS_AND_HOSTS, returned
from bench.racks import Case
from frota.model.plan import Plan
from frota.model.snapshot import Snapshot
from frota.planners.placement.certificate import prove
from frota.planners.placement.evenly import Grounds
from frota.planners.placement.flow import solve
from frota.planners.placement.ledger import Ledger
from frota.planners.placement.rebalance import plan_rebalance
from frota.planners.placement.spreadproblem import SpreadAnswer, SpreadProblem


@dataclass(slots=True)
class Listener:
    """The solver, and what it was asked and answered."""

    heard: list[tuple[SpreadProblem, SpreadAnswer]] = field(default_factory=list)

    def __call__(self, problem: SpreadProblem) -> SpreadAnswer:
        answer = solve(problem)
        self.heard.append((problem, answer))
        return answer


def planned(snapshot: Snapshot) -> Plan:
    """What is measured."""
    return plan_rebalance(Grounds(snapshot, Ledger(snapshot)))


def figures(case: Case, bar: float, limits: Limits) -> Iterator[Figure]:
    """Time and moves, for sets spread over racks, and over racks and hosts together."""
    for levels, words in ((RACKS, "racks"), (RACKS_AND_HOSTS, "racks and hosts")):
        snapshot = returned(case, levels)
        timing = best_of(partial(planned, snapshot), limits)
        yield Figure(f"plan, sets over {words}, CPU", timing.cpu, "s", bar)
        yield Figure(f"plan, sets over {words}, wall", timing.wall, "s", bar)
        yield from _moves(snapshot, timing.result, words)


def _moves(snapshot: Snapshot, plan: Plan, words: str) -> Iterator[Figure]:
    """The moves beside the fewest that are possible, by code apart from the solver."""
    listener = Listener()
    plan_rebalance(Grounds(snapshot, Ledger(snapshot)), listener)
    proofs = [prove(problem, answer) for problem, answer in listener.heard]
    bound = sum(proof.bound for proof in proofs)
    sound = all(proof.holds for proof in proofs) and not plan.refusals
    moves = len({step.vm for step in plan.steps})
    yield Figure(f"moves, sets over {words}", moves, "moves", bound, Must.EQUAL, sound)

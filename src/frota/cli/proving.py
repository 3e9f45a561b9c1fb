"""The second proof of ``frota plan --prove``: apart from the solver, slower, for any level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from frota.model.plan import Plan, Proof
from frota.planners.placement.certificate import prove
from frota.planners.placement.flow import solve
from frota.planners.placement.spreadproblem import SpreadAnswer, SpreadProblem


class Checked:
    """The solver, with every answer proved by code that shares nothing with it."""

    def __init__(self) -> None:
        self._proofs: list[Proof] = []

    def __call__(self, problem: SpreadProblem) -> SpreadAnswer:
        """The solver's answer, once it is proved or found wanting."""
        answer = solve(problem)
        self._proofs.append(prove(problem, answer))
        return answer

    def on(self, plan: Plan) -> Plan:
        """The plan with the verdict of all proofs in it."""
        return replace(plan, proof=joint(self._proofs)) if plan.steps else plan


def joint(proofs: Sequence[Proof]) -> Proof | None:
    """One proof of several parts, which holds when all of them do."""
    asked = [proof for proof in proofs if proof.moves or proof.bound]
    if not asked:
        return None
    return Proof(
        method="+".join(sorted({proof.method for proof in asked})),
        bound=sum(proof.bound for proof in asked),
        moves=sum(proof.moves for proof in asked),
        holds=all(proof.holds for proof in proofs),
    )

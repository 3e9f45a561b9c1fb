"""Plans: what is to be done, in order, and why; also what was not done, and why not."""

from __future__ import annotations

from dataclasses import dataclass

from frota.model.vm import Verb


@dataclass(frozen=True, slots=True)
class Step:
    """One act of a plan on one VM.

    ``layer`` orders acts: those of one layer may run side by side; a layer starts
    when the room it needs has been made by those before it. ``via`` is true for the
    first half of a swap that goes through a third host: where the VM is to end.
    ``rejected`` are places that were looked at and not taken, each with its reason.
    """

    verb: Verb
    vm: str
    src: str
    dst: str
    reason: str
    layer: int = 0
    final: str = ""
    rejected: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something a planner looked at and did not do."""

    subject: str  # a VM or a set
    reason: str  # one CamelCase word
    message: str


@dataclass(frozen=True, slots=True)
class Proof:
    """Why the number of moves cannot be smaller.

    ``method`` is ``closed-form`` (the bound of one level) or ``residual`` (no negative
    cycle in the residual network of the flow). ``bound`` is the least number of moves.
    """

    method: str
    bound: int
    moves: int
    holds: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """The answer of a placement planner for one host group."""

    group: str
    steps: tuple[Step, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    proof: Proof | None = None
    warnings: tuple[str, ...] = ()

"""A Foresight as words for people and as data for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from frota.cli.foresight import Foresight, verdicts
from frota.cli.terminal import Cell, Terminal
from frota.cli.words import plural, state_cell
from frota.model.availability import Verdict
from frota.model.plan import Proof, Refusal, Step
from frota.planners.placement.survival import failing_hosts


def show(sight: Foresight, terminal: Terminal) -> None:
    """What would be done, why, what not and why not, and how the sets would stand."""
    group = sight.snapshot.group
    if sight.idle:
        terminal.say(f"{group}: nothing to do")
    for steps, what in (
        (sight.stops, "stop"),
        (sight.starts, "start"),
        (sight.drains, "move off draining hosts"),
    ):
        if steps:
            terminal.say(f"\n{group}: {plural(len(steps), 'VM')} would {what}")
            show_steps(steps, terminal)
    _show_rebalance(sight, terminal)
    refused = [*sight.refusals, *sight.rebalance.refusals]
    if refused:
        terminal.say("\nnot done:")
        terminal.table(
            ("SUBJECT", "REASON", "WHY"), [(r.subject, r.reason, r.message) for r in refused]
        )
    for warning in sight.warnings:
        terminal.say(f"\nwarning: {warning}")
    before = {verdict.set: verdict for verdict in verdicts(sight.snapshot)}
    after = verdicts(sight.after)
    if after:
        terminal.say("\nsets, when all is done:")
        show_verdicts(after, before, terminal)


def marks(sight: Foresight) -> dict[str, str]:
    """What would be done with each VM, and what not: a saved plan is held against it."""
    found = {}
    for step in (*sight.stops, *sight.starts, *sight.drains, *sight.rebalance.steps):
        places = f"{step.src or '-'} to {step.dst or '-'} {step.final}".strip()
        found[f"VM {step.vm}, step {step.layer}"] = f"{step.verb} {places}"
    for refusal in (*sight.refusals, *sight.rebalance.refusals):
        found[f"{refusal.subject}, not done"] = refusal.reason
    if sight.held:
        found["moves"] = f"held #{sight.held}"
    return found


def _show_rebalance(sight: Foresight, terminal: Terminal) -> None:
    plan = sight.rebalance
    if not plan.steps:
        return
    count = len({step.vm for step in plan.steps})
    proof = f"; {proof_text(plan.proof)}" if plan.proof is not None else ""
    terminal.say(f"\n{sight.snapshot.group}: {plural(count, 'move')} even out the sets{proof}")
    if sight.waits:
        terminal.say(f"they wait {sight.waits}")
    if sight.held:
        terminal.say(
            f"the brake holds them: frota approve {sight.snapshot.group} {sight.held} lets them go"
        )
    show_steps(plan.steps, terminal)


def proof_text(proof: Proof) -> str:
    """Why there cannot be fewer moves, or that this is not proved."""
    if proof.holds:
        return f"no plan needs fewer (proof: {proof.method}, bound {proof.bound})"
    return f"the bound is {proof.bound}, so fewer may be possible ({proof.method})"


def show_steps(steps: Sequence[Step], terminal: Terminal) -> None:
    """Steps as a table; layers only where there are several."""
    layered = len({step.layer for step in steps}) > 1
    rows = []
    for step in steps:
        arrow = f"{step.src or '-'} -> {step.dst}" if step.dst else step.src
        via = f" (by way of {step.dst} to {step.final})" if step.final else ""
        row = (step.verb.value, step.vm, arrow, f"{step.reason}{via}")
        rows.append((str(step.layer), *row) if layered else row)
    head = ("ACT", "VM", "WHERE", "WHY")
    terminal.table(("LAYER", *head) if layered else head, rows)


def show_verdicts(after: Sequence[Verdict], before: dict[str, Verdict], terminal: Terminal) -> None:
    """How sets stand, and how they stood before where that differs."""
    rows: list[tuple[str | Cell, ...]] = []
    for verdict in after:
        old = before.get(verdict.set)
        was = old.phase.value if old is not None and old.phase is not verdict.phase else ""
        spread = " ".join(f"{domain}={count}" for domain, count in verdict.counts) or "-"
        rows.append((verdict.set, state_cell(verdict.phase.value), was, spread, verdict.message))
    terminal.table(("SET", "PHASE", "BEFORE", "SPREAD", "MESSAGE"), rows)


def data(sight: Foresight) -> dict[str, Any]:
    """For programs."""
    plan = sight.rebalance
    return {
        "group": sight.snapshot.group,
        "stops": [step_data(step) for step in sight.stops],
        "starts": [step_data(step) for step in sight.starts],
        "drains": [step_data(step) for step in sight.drains],
        "rebalance": {
            "moves": [step_data(step) for step in plan.steps],
            "proof": proof_data(plan.proof),
            "heldByBrake": sight.held,
            "waits": sight.waits,
        },
        "refusals": [refusal_data(r) for r in (*sight.refusals, *plan.refusals)],
        "warnings": [*sight.warnings, *plan.warnings],
        "n1": {"before": n1_data(sight), "after": n1_data(sight, after=True)},
        "sets": [verdict_data(verdict) for verdict in verdicts(sight.after)],
    }


def n1_data(sight: Foresight, *, after: bool = False) -> dict[str, Any]:
    """Whether any one host may be lost, and if not, which may not."""
    failing = failing_hosts(sight.after if after else sight.snapshot)
    return {"holds": not failing, "hostsNotSpared": list(failing)}


def step_data(step: Step) -> dict[str, Any]:
    """One step for programs."""
    return {
        "act": step.verb.value,
        "vm": step.vm,
        "from": step.src,
        "to": step.dst,
        "layer": step.layer,
        "final": step.final or step.dst,
        "reason": step.reason,
        "rejected": list(step.rejected),
    }


def refusal_data(refusal: Refusal) -> dict[str, str]:
    """One refusal for programs."""
    return {"subject": refusal.subject, "reason": refusal.reason, "message": refusal.message}


def proof_data(proof: Proof | None) -> dict[str, Any] | None:
    """A proof for programs."""
    if proof is None:
        return None
    return {
        "method": proof.method,
        "bound": proof.bound,
        "moves": proof.moves,
        "holds": proof.holds,
    }


def verdict_data(verdict: Verdict) -> dict[str, Any]:
    """How one set stands, for programs."""
    return {
        "set": verdict.set,
        "phase": verdict.phase.value,
        "aligned": verdict.aligned,
        "blocker": verdict.blocker.value if verdict.blocker is not None else "",
        "spread": dict(verdict.counts),
        "message": verdict.message,
    }

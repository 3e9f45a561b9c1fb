"""From plans to operations: starts, stops, drains and rebalancing, as far as allowed now."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from math import inf

from frota.controllers import brake
from frota.controllers.draft import Draft
from frota.controllers.same import Same
from frota.model.availability import Blocker
from frota.model.decision import Stage
from frota.model.host import HostState
from frota.model.plan import Plan, Refusal, Step
from frota.model.policy import RebalanceMode
from frota.model.vm import Operation, Verb, VmState
from frota.planners.placement.drain import BLOCKED, plan_drain
from frota.planners.placement.evenly import movable
from frota.planners.placement.ledger import Ledger
from frota.planners.placement.rebalance import plan_rebalance
from frota.planners.placement.single import single_move
from frota.planners.placement.starts import (
    plan_starts,
    preemptions,
    reason_of_refusal,
    waiting,
)
from frota.planners.placement.throttle import MOVES, admit

NewId = Callable[[], str]
_SILENT = frozenset({HostState.SUSPECT, HostState.ISOLATED, HostState.FENCING})
_PASSING = frozenset({Blocker.COOLDOWN_OR_THROTTLE, Blocker.MOVE_FAILING})
_STOPPABLE = frozenset({VmState.RUNNING, VmState.STOPPED})
# Looking a member up through its enum is slow, and these are asked in every pass.
_DRAINING, _LOST = HostState.DRAINING, VmState.LOST


@dataclass(slots=True)
class Agenda:
    """The rest of a rebalance plan that is being carried out.

    Kept in memory only: after a restart, or when anything about hosts or sets changed,
    the rest is dropped and planned anew from what is.
    """

    steps: list[Step] = field(default_factory=list)
    basis: object = None
    cause_id: str = ""
    approval: str = ""  # what let it begin, until it has begun
    layer: int = 0  # of the steps begun last
    vain: Same = field(default_factory=Same)  # what the last plan that found nothing saw
    rested_at: float = -inf  # until then it would find nothing again
    respect_until: float = -inf  # what people moved is left alone until the next audit,
    respected: object = None  # or until something else changes

    def drop(self) -> None:
        """Forget the rest."""
        self.steps.clear()
        self.basis = None
        self.approval = ""


def begin(draft: Draft, step: Step, new_id: NewId, cause: str, *, voluntary: bool = False) -> None:
    """Turn a step into an operation on record, and journal it."""
    vm = draft.vms[step.vm]
    fresh_copy = step.verb in (Verb.START, Verb.COLD)
    operation = Operation(
        id=f"{step.verb.value}-{vm.name}-{new_id()}",
        verb=step.verb,
        vm=vm.name,
        src=step.src,
        dst=step.dst,
        epoch=vm.epoch + 1 if fresh_copy else vm.epoch,
        voluntary=voluntary,
        since=draft.now,
        cause_id=cause,
    )
    draft.begin(vm, operation, step.final)
    where = f"on {step.dst}" if not step.src else f"{step.src} -> {step.dst}".rstrip("-> ")
    draft.story.tell(
        Stage.ACTION,
        cause,
        f"VirtualMachine/{vm.name}",
        step.verb.value.capitalize(),
        f"{step.verb.value} {where}: {step.reason}",
        step.rejected,
    )


def start_waiting(draft: Draft, new_id: NewId) -> None:
    """Start all that wait and fit; mark and explain the rest."""
    snapshot = draft.snapshot()
    queue = waiting(snapshot)
    if not queue:
        return
    plan = plan_starts(snapshot, queue, Ledger(snapshot))
    for step in plan.steps:
        begin(draft, step, new_id, draft.vms[step.vm].cause_id or new_id())
    for refusal in plan.refusals:
        _unplaceable(draft, refusal)
    for warning in plan.warnings:
        draft.story.tell(
            Stage.DECISION, "", f"HostGroup/{draft.spec.name}", "N1Infeasible", warning
        )
    if plan.refusals and draft.spec.policy.preempt:
        rest = draft.now + draft.spec.policy.timers.move_cooldown
        for step in preemptions(snapshot, plan.ledger, plan.refusals):
            # It must not take back the room that its stop makes; others may yet have to go.
            draft.wake_at(draft.now)
            draft.vms[step.vm] = replace(draft.vms[step.vm], retry_at=rest)
            begin(draft, step, new_id, draft.vms[step.vm].cause_id or new_id())


def _unplaceable(draft: Draft, refusal: Refusal) -> None:
    vm = draft.vms[refusal.subject]
    word = reason_of_refusal(vm, refusal)
    reason = f"{word}: {refusal.message}"
    if vm.state is VmState.UNPLACEABLE and vm.reason.startswith(word):
        return  # said already
    if vm.state is not VmState.UNPLACEABLE:
        draft.wake_at(draft.now)  # a set that waits for it may have to give way first
    draft.vms[vm.name] = replace(vm, state=VmState.UNPLACEABLE, reason=reason)
    draft.story.tell(
        Stage.DECISION, vm.cause_id, f"VirtualMachine/{vm.name}", "Unplaceable", reason
    )


def stop_unwanted(draft: Draft, new_id: NewId) -> None:
    """Stop VMs that are no longer wanted, or that were halted by agreement."""
    for vm in list(draft.vms.values()):
        if vm.wanted and not vm.halted:
            continue  # as nearly all
        halting = vm.halted and vm.state is VmState.RUNNING
        leaving = not vm.wanted and vm.state in _STOPPABLE
        if (halting or leaving) and vm.operation is None and vm.retry_at <= draft.now:
            why = "halted by agreement" if halting and vm.wanted else "no longer wanted"
            begin(draft, Step(Verb.STOP, vm.name, vm.host, "", why), new_id, vm.cause_id)


def drain(draft: Draft, new_id: NewId) -> None:
    """Move VMs off draining hosts, as many at a time as the throttle allows."""
    steps: tuple[Step, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    snapshot = draft.snapshot()
    if any(host.state is _DRAINING for host in draft.hosts.values()):
        steps, refusals = plan_drain(snapshot, Ledger(snapshot))
    _unblock(draft, refusals)
    admitted, _ = admit(steps, snapshot, voluntary=False)
    for step in admitted:
        begin(draft, step, new_id, draft.hosts[step.src].cause_id)
    draft.emptying = any(_leaving(op) for vm in draft.vms.values() if (op := vm.operation))
    for refusal in refusals:
        vm = draft.vms[refusal.subject]
        reason = f"{refusal.reason}: {refusal.message}"
        if vm.reason != reason:
            draft.vms[vm.name] = replace(vm, reason=reason)
            cause = draft.hosts[vm.host].cause_id
            draft.story.tell(
                Stage.DECISION, cause, f"VirtualMachine/{vm.name}", refusal.reason, reason
            )


def _leaving(operation: Operation) -> bool:
    return operation.verb in MOVES and not operation.voluntary


def _unblock(draft: Draft, refusals: Iterable[Refusal]) -> None:
    """VMs that nothing keeps from leaving any more, or that need not leave, say so no longer."""
    blocked = {refusal.subject for refusal in refusals}
    for vm in list(draft.vms.values()):
        if not vm.reason or vm.operation is not None or vm.name in blocked:
            continue
        if vm.reason.startswith(BLOCKED):
            draft.vms[vm.name] = replace(vm, reason="")


def failover_pending(draft: Draft) -> bool:
    """Whether something more pressing than evenness is going on."""
    if draft.storm or any(host.state in _SILENT for host in draft.hosts.values()):
        return True
    return any(
        vm.state is _LOST
        or (vm.operation is not None and vm.operation.verb is Verb.START and vm.epoch > 1)
        for vm in draft.vms.values()
    )


def rebalance(draft: Draft, agenda: Agenda, new_id: NewId) -> bool:
    """Carry on with the agenda, or make one; start what may start now, and say if anything
    did."""
    if failover_pending(draft):
        agenda.drop()
        return False
    if _respects_hands(draft, agenda) or draft.emptying:
        return False
    moving = any(vm.operation and vm.operation.voluntary for vm in draft.vms.values())
    if agenda.steps and (agenda.basis != _basis(draft) or not _still_true(agenda.steps, draft)):
        agenda.drop()
    if agenda.steps:
        begun = _carry_on(draft, agenda, new_id, moving=moving)
        if begun or moving or not agenda.steps:
            return begun
        agenda.drop()  # nothing of it may begin as things are: plan anew
    if moving or not _planned(draft, agenda, new_id):
        return False
    if _carry_on(draft, agenda, new_id, moving=False):
        return True
    agenda.drop()
    return _single(draft, agenda, new_id)


def _carry_on(draft: Draft, agenda: Agenda, new_id: NewId, *, moving: bool) -> bool:
    """Begin what may begin of the agenda now; whether anything did."""
    admitted, _ = admit(_open_steps(agenda, moving=moving), draft.snapshot(), voluntary=True)
    for step in admitted:
        begin(draft, step, new_id, agenda.cause_id, voluntary=True)
        agenda.steps.remove(step)
    if admitted and agenda.approval:
        brake.use_approval(draft, agenda.approval, agenda.cause_id)
        agenda.approval = ""
    return bool(admitted)


def _single(draft: Draft, agenda: Agenda, new_id: NewId) -> bool:
    """Begin one move that may begin though none of the joint plan may; if there is none,
    do not look again before something changes."""
    step = single_move(draft.grounds())
    if step is None:
        agenda.rested_at = _rested_at(draft)
        draft.wake_at(agenda.rested_at)
        return False
    begin(draft, step, new_id, agenda.cause_id, voluntary=True)
    return True


def _respects_hands(draft: Draft, agenda: Agenda) -> bool:
    """A move by hand is no reason to move: it is undone, if at all, at the next occasion."""
    if draft.moved_by_hand:
        agenda.drop()
        agenda.respected = _basis(draft)
        agenda.respect_until = draft.now + draft.spec.policy.timers.audit
    if draft.now >= agenda.respect_until or agenda.respected != _basis(draft):
        return False
    draft.wake_at(agenda.respect_until)
    return True


def _planned(draft: Draft, agenda: Agenda, new_id: NewId) -> bool:
    """Make an agenda, if there is something to even out and the brake lets it pass."""
    going_home = draft.spec.policy.rebalance is RebalanceMode.HOME
    if not going_home and all(verdict.aligned for verdict in draft.verdicts.values()):
        brake.no_moves(draft)
        return False
    records = (*draft.hosts.values(), *draft.sets.values(), *draft.vms.values())
    scene = (draft.spec, *records)
    if agenda.vain.holds(scene) and draft.now < agenda.rested_at:
        draft.wake_at(agenda.rested_at)
        return False
    plan = plan_rebalance(draft.grounds())
    agenda.rested_at = -inf if plan.steps else _rested_at(draft)
    if not plan.steps:
        brake.no_moves(draft)
        draft.wake_at(agenda.rested_at)
        return False
    cause = brake.story_of_held(draft, brake.MOVES_BRAKED)
    cause = cause or _cause_of_rebalance(draft) or new_id()
    if not brake.lets_moves(draft, plan.steps, cause):
        return False
    digest = brake.plan_hash(plan.steps)
    agenda.approval = digest if digest in draft.approvals else ""
    agenda.steps, agenda.basis, agenda.cause_id = list(plan.steps), _basis(draft), cause
    _tell_plan(draft, plan, agenda.cause_id)
    return True


def _open_steps(agenda: Agenda, *, moving: bool) -> list[Step]:
    """Steps of the lowest layer left; a layer waits until the one before has ended."""
    first = min((step.layer for step in agenda.steps), default=0)
    if moving and first > agenda.layer:
        return []
    agenda.layer = first
    return [step for step in agenda.steps if step.layer == first]


def _still_true(steps: Iterable[Step], draft: Draft) -> bool:
    """Whether every step left is still about the world as it is.

    A VM may have several steps (a swap by way of a third host): only its first is checked.
    """
    seen: set[str] = set()
    snapshot = draft.snapshot()
    for step in steps:
        if step.vm in seen:
            continue
        seen.add(step.vm)
        vm = draft.vms.get(step.vm)
        if vm is None:
            return False
        if vm.operation is not None and vm.operation.voluntary:
            continue  # its first half is under way
        if vm.host != step.src or not movable(vm, snapshot):
            return False
    return True


def _basis(draft: Draft) -> object:
    """What a plan rests on beside the VMs' places: a change cancels the rest of it."""
    hosts = tuple((h.name, h.state, h.tenure, h.capacity) for h in draft.hosts.values())
    sets = tuple((s.name, len(s.generations), s.deleting) for s in draft.sets.values())
    wanted = sum(vm.wanted for vm in draft.vms.values())
    return hosts, sets, len(draft.vms), wanted


def _cause_of_rebalance(draft: Draft) -> str:
    """The latest host event, if a set waits because of it."""
    latest = max(draft.hosts.values(), key=lambda host: host.since, default=None)
    return latest.cause_id if latest is not None else ""


def _tell_plan(draft: Draft, plan: Plan, cause: str) -> None:
    proof = plan.proof
    moves = len({step.vm for step in plan.steps})
    text = f"{moves} moves make the sets even"
    if proof is not None and proof.holds:
        text += f"; no plan needs fewer ({proof.method}, bound {proof.bound})"
    rejected = [f"{r.subject}: {r.reason}: {r.message}" for r in plan.refusals]
    draft.story.tell(
        Stage.DECISION, cause, f"HostGroup/{draft.spec.name}", "Rebalance", text, rejected
    )


def _rested_at(draft: Draft) -> float:
    """When the next VM may be moved, or tried, again; infinity when all may."""
    cooldown = draft.spec.policy.timers.move_cooldown
    times = (t for vm in draft.vms.values() for t in (vm.retry_at, vm.moved_at + cooldown))
    return min((time for time in times if time > draft.now), default=inf)


def wake_for_retries(draft: Draft) -> None:
    """Come back when the next failed start, stop or move may be tried again, and when
    members that keep their set uneven by resting have rested."""
    for vm in draft.vms.values():
        if vm.operation is None and vm.retry_at > draft.now:
            draft.wake_at(vm.retry_at)
    if any(verdict.blocker in _PASSING for verdict in draft.verdicts.values()):
        draft.wake_at(_rested_at(draft))

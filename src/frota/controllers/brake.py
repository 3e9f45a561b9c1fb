"""The brake: a plan that moves or deletes many VMs at once waits for a person's approval.

An approval names the hash of one plan. It is used up in the commit that begins the plan,
and one that no plan uses runs out: so the same plan, made again later, must be asked for
again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256

from frota.controllers.conditions import clear_condition, raise_condition
from frota.controllers.draft import Draft
from frota.model.condition import Condition
from frota.model.decision import Stage
from frota.model.plan import Step
from frota.model.policy import Policy
from frota.model.vm import Vm, VmState

MOVES_BRAKED = "MovesBraked"
DELETIONS_BRAKED = "DeletionsBraked"
APPROVAL_LIFE = 3600.0  # seconds until an approval that no plan used runs out


def plan_hash(steps: Iterable[Step]) -> str:
    """What an approval names: the moves and nothing else, so that it fits this plan only."""
    return _hash(f"{s.layer} {s.verb} {s.vm} {s.src} {s.dst} {s.final}" for s in steps)


def deletion_hash(names: Iterable[str]) -> str:
    """What an approval of deletions names: exactly these VMs."""
    return _hash(f"delete {name}" for name in sorted(names))


def _hash(lines: Iterable[str]) -> str:
    return sha256("\n".join(lines).encode()).hexdigest()[:12]


def held_moves(steps: Sequence[Step], vms: Mapping[str, Vm], policy: Policy) -> str:
    """The hash of a plan that moves more than may begin unasked; else empty."""
    running = sum(vm.state is VmState.RUNNING for vm in vms.values())
    moved = len({step.vm for step in steps})
    if moved <= max(policy.brake_least, policy.brake_share * running):
        return ""
    return plan_hash(steps)


def held_deletions(names: Sequence[str], vms: Mapping[str, Vm], policy: Policy) -> str:
    """The hash of deletions that are more than may begin unasked; else empty."""
    if len(names) <= policy.brake_least:
        return ""
    there = sum(vm.wanted for vm in vms.values())
    if len(names) <= policy.brake_delete_share * there:
        return ""
    return deletion_hash(names)


def lets_moves(draft: Draft, steps: Sequence[Step], cause: str) -> bool:
    """Whether a plan of moves may begin; if not, a condition says how it may."""
    digest = held_moves(steps, draft.vms, draft.spec.policy)
    if not digest or digest in draft.approvals:
        clear_condition(draft, _group(draft), MOVES_BRAKED)
        return True
    moved = len({step.vm for step in steps})
    running = sum(vm.state is VmState.RUNNING for vm in draft.vms.values())
    text = (
        f"{moved} of {running} VMs would move, more than the brake allows; nothing moves. To go "
        f"on: frota approve {draft.spec.name} {digest}"
    )
    _hold(draft, MOVES_BRAKED, text, digest, cause)
    return False


def lets_deletions(draft: Draft, names: Sequence[str], cause: str) -> bool:
    """Whether these VMs may be deleted; if not, a condition says how they may."""
    digest = held_deletions(names, draft.vms, draft.spec.policy)
    if not digest:
        clear_condition(draft, _group(draft), DELETIONS_BRAKED)
        return True
    if digest in draft.approvals:
        use_approval(draft, digest, cause)
        clear_condition(draft, _group(draft), DELETIONS_BRAKED)
        return True
    there = sum(vm.wanted for vm in draft.vms.values())
    text = (
        f"{len(names)} of {there} VMs would be deleted ({_by_set(draft, names)}), more than the "
        f"brake allows; nothing is deleted. To go on: frota approve {draft.spec.name} {digest}"
    )
    _hold(draft, DELETIONS_BRAKED, text, digest, cause)
    return False


def no_moves(draft: Draft) -> None:
    """There is no plan of moves any more that could be held."""
    clear_condition(draft, _group(draft), MOVES_BRAKED)


def use_approval(draft: Draft, digest: str, cause: str) -> None:
    """The approved plan begins: it is approved no longer."""
    if draft.approvals.pop(digest, None) is not None:
        text = f"plan {digest} was approved and begins; the approval is used up"
        draft.story.tell(Stage.DECISION, cause, _group(draft), "Approved", text)


def expire_approvals(draft: Draft) -> None:
    """Drop approvals that no plan used in time, and come back for the next."""
    for digest, value in list(draft.approvals.items()):
        ends = value["at"] + APPROVAL_LIFE
        if ends > draft.now:
            draft.wake_at(ends)
            continue
        del draft.approvals[digest]
        text = f"no plan {digest} came within {APPROVAL_LIFE / 60:g} minutes of its approval"
        draft.story.tell(Stage.OUTCOME, "", _group(draft), "ApprovalExpired", text)


def story_of_held(draft: Draft, type_: str) -> str:
    """The cause of the plan that is held; empty when none is."""
    held = draft.conditions.get(f"{_group(draft)}/{type_}")
    return held.cause_id if held is not None else ""


def _hold(draft: Draft, type_: str, text: str, digest: str, cause: str) -> None:
    found = Condition(_group(draft), type_, text, draft.now, cause, digest)
    raise_condition(draft, found)


def _group(draft: Draft) -> str:
    return f"HostGroup/{draft.spec.name}"


def _by_set(draft: Draft, names: Sequence[str]) -> str:
    leaving = Counter(draft.vms[name].set for name in names)
    every = Counter(vm.set for vm in draft.vms.values() if vm.wanted)
    parts = (
        f"all {count} of {name}" if count == every[name] else f"{count} of {every[name]} of {name}"
        for name, count in sorted(leaving.items())
    )
    return ", ".join(parts)

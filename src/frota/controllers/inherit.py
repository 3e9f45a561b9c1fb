"""Operations that a controller before this one left on record.

It may have died before it ordered them, and the world has moved on since: so each is
looked at again before it is ordered. One that is seen under way is adopted; a move that
never began is dropped, and planned anew from what is now; where a host does not answer,
it waits.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from frota.controllers.draft import Draft
from frota.model.decision import Stage
from frota.model.sight import CopyState
from frota.model.vm import Operation, Verb, Vm, VmState

_UNDER_WAY = frozenset({CopyState.OUTGOING, CopyState.INCOMING})


def inherit(draft: Draft, ordered: Collection[str]) -> None:
    """Sort out every operation on record that this process did not order."""
    for vm in list(draft.vms.values()):
        operation = vm.operation
        if operation is None or operation.id in ordered:
            continue
        if operation.verb is Verb.STOP or _seen(draft, operation):
            draft.to_order.add(operation.id)
        elif not all(_answers(draft, end) for end in (operation.src, operation.dst) if end):
            continue
        elif operation.verb is Verb.START or not _still_at_source(draft, operation):
            draft.to_order.add(operation.id)  # the same id: what was begun is not begun again
        else:
            _drop(draft, vm, operation)


def _answers(draft: Draft, host: str) -> bool:
    view, record = draft.views.get(host), draft.hosts.get(host)
    return (
        view is not None
        and record is not None
        and view.beating
        and view.incarnation == record.incarnation
    )


def _seen(draft: Draft, operation: Operation) -> bool:
    """Whether a host shows that the operation began."""
    for end in (operation.src, operation.dst):
        view = draft.views.get(end)
        copy = view.copies.get(operation.vm) if view is not None and view.beating else None
        if copy is None:
            continue
        if copy.state in _UNDER_WAY or (end == operation.dst and copy.live):
            return True
    return False


def _still_at_source(draft: Draft, operation: Operation) -> bool:
    """Only while the guest is seen to run where it was is it sure that nothing began."""
    copy = draft.views[operation.src].copies.get(operation.vm)
    return copy is not None and copy.live


def _drop(draft: Draft, vm: Vm, operation: Operation) -> None:
    """The move never began: the guest runs where it was."""
    draft.vms[vm.name] = replace(vm, state=VmState.RUNNING, operation=None, transit="")
    text = f"{operation.verb.value} to {operation.dst} never began; planned anew"
    draft.story.tell(
        Stage.OUTCOME, operation.cause_id, f"VirtualMachine/{vm.name}", "Dropped", text
    )

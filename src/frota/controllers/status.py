"""The verdicts on sets, written when they change."""

from __future__ import annotations

from frota.controllers.draft import Draft
from frota.model.decision import Stage
from frota.planners.placement.survival import survives_any_host
from frota.planners.placement.verdict import verdicts


def update_verdicts(draft: Draft) -> None:
    """Judge every set; journal changes of phase."""
    if not draft.sets:
        return
    busy = any(vm.operation is not None for vm in draft.vms.values())
    # While VMs are on their way the answer would change with every step: say unknown.
    feasible = None if busy else survives_any_host(draft.grounds().snapshot)
    for verdict in verdicts(draft.grounds(), feasible):
        old = draft.verdicts.get(verdict.set)
        if verdict == old:
            continue
        draft.verdicts[verdict.set] = verdict
        if old is None or old.phase is not verdict.phase:
            before = old.phase.value if old is not None else "new"
            draft.story.tell(
                Stage.OUTCOME,
                _cause(draft, verdict.set),
                f"AvailabilitySet/{verdict.set}",
                verdict.phase.value,
                f"{before} -> {verdict.phase.value}: {verdict.message}",
            )


def _cause(draft: Draft, name: str) -> str:
    """The story that the set's members are part of now, else that of the latest host event."""
    for vm in draft.vms.values():
        if vm.set == name and vm.operation is not None:
            return vm.cause_id
    latest = max(draft.hosts.values(), key=lambda host: host.since, default=None)
    return latest.cause_id if latest is not None else ""

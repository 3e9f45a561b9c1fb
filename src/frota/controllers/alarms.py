"""What a person should see to before it hurts: hosts that could not be fenced, guests that
nobody manages, and silence that is not believed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from frota.controllers.conditions import clear_condition, raise_condition
from frota.controllers.draft import Draft
from frota.model.condition import Condition
from frota.model.host import HostState
from frota.model.sight import HostView
from frota.ports.fence import Fence

FROZEN = "Frozen"
LEASE_UNUSABLE = "LeaseUnusable"
UNKNOWN_COPIES = "UnknownCopies"
_OF_HOSTS = frozenset({LEASE_UNUSABLE, UNKNOWN_COPIES})
_IN_SERVICE = frozenset(
    {HostState.UP, HostState.RECOVERING, HostState.QUARANTINED, HostState.DRAINING}
)
_NAMED_MOST = 5


@dataclass(frozen=True, slots=True)
class _Trouble:
    """``patience`` is for how many seconds it must last to be worth a word."""

    subject: str
    type: str
    message: str
    patience: float
    cause_id: str = ""

    @property
    def name(self) -> str:
        return f"{self.subject}/{self.type}"


class Alarms:
    """Remembers since when each trouble is seen; what is on record already needs no wait."""

    def __init__(self) -> None:
        self._seen: dict[str, float] = {}

    def look(self, draft: Draft, fence: Fence) -> None:
        """Bring the conditions of the hosts, and of the group's sight, up to date."""
        found = {trouble.name: trouble for trouble in _troubles(draft, fence)}
        for gone in self._seen.keys() - found.keys():
            del self._seen[gone]
        for name, trouble in found.items():
            due = self._seen.setdefault(name, draft.now) + trouble.patience
            if name not in draft.conditions and due > draft.now:
                draft.wake_at(due)
                continue
            raise_condition(
                draft,
                Condition(
                    trouble.subject, trouble.type, trouble.message, draft.now, trouble.cause_id
                ),
            )
        for condition in list(draft.conditions.values()):
            ours = condition.type in _OF_HOSTS or condition.type == FROZEN
            if ours and condition.name not in found:
                clear_condition(draft, condition.subject, condition.type)


def _troubles(draft: Draft, fence: Fence) -> Iterator[_Trouble]:
    timers = draft.spec.policy.timers
    if draft.storm:
        yield _Trouble(f"HostGroup/{draft.spec.name}", FROZEN, _frozen(draft), 0.0)
    for name, view in draft.views.items():
        host = draft.hosts[name]
        if host.state not in _IN_SERVICE:
            continue
        problem = fence.lease_problem(name)
        if problem:
            text = (
                f"if it fell silent its lease could not prove it dead: {problem}. See to "
                "`frota host-agent` on it"
            )
            yield _Trouble(f"Host/{name}", LEASE_UNUSABLE, text, timers.lease)
        if view.beating and not view.copies.keys() <= draft.vms.keys():
            text = _unknown(draft, view)
            patience = timers.suspect_beats * timers.beat
            yield _Trouble(f"Host/{name}", UNKNOWN_COPIES, text, patience)


def _frozen(draft: Draft) -> str:
    return (
        f"{draft.storm}: silence is not believed, so no host is fenced for it and nothing moves. "
        "For each host that is really off: frota host declare-dead HOST"
    )


def _unknown(draft: Draft, view: HostView) -> str:
    """Copies without a record may belong to another Frota, or to a store that was lost: they
    are never ended unasked."""
    names = sorted(view.copies.keys() - draft.vms.keys())
    shown = ", ".join(f"{name} ({view.copies[name].state.value})" for name in names[:_NAMED_MOST])
    more = f", and {len(names) - _NAMED_MOST} more" if len(names) > _NAMED_MOST else ""
    return (
        f"it has VMs with Frota's mark that are on no record: {shown}{more}. They take room that "
        "is not counted. Unless another Frota manages them, on the host: virsh destroy NAME; "
        "virsh undefine NAME"
    )

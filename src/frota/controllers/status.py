"""The verdicts on sets: judged anew when something they rest on changed, written when they
differ."""

from __future__ import annotations

from frota.controllers.draft import Draft
from frota.controllers.same import Same
from frota.model.availability import Verdict
from frota.model.decision import Stage
from frota.planners.placement.ledger import rooms
from frota.planners.placement.survival import survives_any_host
from frota.planners.placement.verdict import Judge, members_of


class Standings:
    """Remembers what each verdict was based on. Members are frozen records, kept as the same
    objects while they do not change; of hosts only that counts which a verdict can rest on."""

    def __init__(self) -> None:
        self._ground: object = None
        self._room: object = None
        self._sets: dict[str, Same] = {}
        self._feasible: bool | None = None

    def update(self, draft: Draft) -> None:
        """Judge the sets that may have changed; journal changes of phase."""
        if not draft.sets:
            return
        ground = _ground(draft)
        feasible = self._n1_feasible(draft, ground)
        moved, self._ground = ground != self._ground, ground
        judge: Judge | None = None
        for name, members in members_of(draft.snapshot()).items():
            spread, old = draft.sets[name], draft.verdicts.get(name)
            known = self._sets.setdefault(name, Same()).holds((spread, *members))
            even = old is not None and old.aligned and old.n1_feasible == feasible
            if known and even and not moved:
                continue
            judge = judge or Judge(draft.grounds(), feasible)
            _write(draft, judge.judge(spread, members), old)
        for name in self._sets.keys() - draft.sets.keys():
            del self._sets[name]

    def _n1_feasible(self, draft: Draft, ground: object) -> bool | None:
        """N-1 of the group at rest; while VMs are on their way, what it was before."""
        if any(vm.operation is not None for vm in draft.vms.values()):
            return self._feasible
        room = ground, [(rooms(vm), vm.size) for vm in draft.vms.values()]
        if room != self._room:
            self._room = room
            grounds = draft.grounds()
            self._feasible = survives_any_host(grounds.snapshot, ledger=grounds.ledger)
        return self._feasible


def _ground(draft: Draft) -> list[object]:
    """All of the hosts that a verdict on an even set rests on."""
    return [(h.name, h.rack, h.tenure, h.capacity, h.schedulable) for h in draft.hosts.values()]


def _write(draft: Draft, verdict: Verdict, old: Verdict | None) -> None:
    if verdict == old:
        return
    draft.verdicts[verdict.set] = verdict
    if old is not None and old.phase is verdict.phase:
        return
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

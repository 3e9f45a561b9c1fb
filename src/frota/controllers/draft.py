"""The working copy of a group's records during one reconcile."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any

from frota.controllers.desired import ClusterSpec, GroupSpec
from frota.controllers.records import APPROVAL, CONDITION, FORMER, HOST, SET, VERDICT, VM, Records
from frota.controllers.story import Story
from frota.model.availability import AvailabilitySet, Verdict
from frota.model.condition import Condition
from frota.model.host import Host
from frota.model.sight import HostView
from frota.model.snapshot import Snapshot
from frota.model.vm import Operation, Verb, Vm, VmState
from frota.planners.placement.evenly import Grounds
from frota.planners.placement.ledger import Ledger


@dataclass(slots=True)
class Draft:
    """Records as they will be written, the views they were judged by, and what is to be
    done once they are written. ``again_at`` is the next time to look, if nothing happens."""

    spec: GroupSpec
    clusters: Mapping[str, ClusterSpec]
    now: float
    story: Story
    hosts: dict[str, Host]
    sets: dict[str, AvailabilitySet]
    vms: dict[str, Vm]
    verdicts: dict[str, Verdict]
    conditions: dict[str, Condition]
    approvals: dict[str, Any]
    former: dict[str, Mapping[str, Any]]
    asked: Callable[[str], str]  # see Records
    views: dict[str, HostView] = field(default_factory=dict)
    storm: str = ""
    calm_since: float = -inf  # the end of the last storm; infinity while there is one
    again_at: float = inf
    settled: list[str] = field(default_factory=list)
    overdue: list[str] = field(default_factory=list)
    probe: tuple[str, ...] = ()
    kill: tuple[str, ...] = ()
    forget: list[str] = field(default_factory=list)
    moved_by_hand: bool = False
    waiting: bool = False  # a role is to change once its members are in another state
    emptying: bool = False  # VMs are leaving hosts that drain, and need the room for it
    begun: int = 0  # operations begun in this pass
    to_order: set[str] = field(default_factory=set)  # operations to hand to the hypervisor
    removed: list[str] = field(default_factory=list)  # hosts gone for good in this pass
    _snapshot: Snapshot | None = None
    _grounds: Grounds | None = None

    @classmethod
    def of(
        cls,
        records: Records,
        spec: GroupSpec,
        clusters: Mapping[str, ClusterSpec],
        now: float,
    ) -> Draft:
        """A draft that equals the records."""
        return cls(
            spec,
            clusters,
            now,
            Story(spec.name, now),
            dict(records.hosts),
            dict(records.sets),
            dict(records.vms),
            dict(records.verdicts),
            dict(records.conditions),
            dict(records.approvals),
            dict(records.former),
            records.asked,
        )

    def snapshot(self) -> Snapshot:
        """What a planner may look at. It shows the draft as it is, even when that changes."""
        if self._snapshot is None:
            self._snapshot = Snapshot(
                self.spec.name, self.now, self.hosts, self.sets, self.vms, self.spec.policy
            )
        return self._snapshot

    def grounds(self) -> Grounds:
        """The snapshot counted out. Kept until ``begin`` changes the draft: to be used only
        when observing and declaring are over."""
        if self._grounds is None:
            snapshot = self.snapshot()
            self._grounds = Grounds(snapshot, Ledger(snapshot))
        return self._grounds

    def values(self) -> dict[str, Mapping[str, Any]]:
        """The records by kind, for the commit."""
        return {
            HOST: self.hosts,
            SET: self.sets,
            VM: self.vms,
            VERDICT: self.verdicts,
            CONDITION: self.conditions,
            APPROVAL: self.approvals,
            FORMER: self.former,
        }

    def wake_at(self, when: float) -> None:
        """Look again at a time, if not before."""
        self.again_at = min(self.again_at, when)

    def begin(self, vm: Vm, operation: Operation, final: str = "") -> None:
        """Record that an operation is ordered. It is carried out after the commit."""
        self._grounds = None
        self.begun += 1
        self.to_order.add(operation.id)
        states = {Verb.START: VmState.STARTING, Verb.STOP: VmState.STOPPING}
        starts = operation.verb is Verb.START
        self.vms[vm.name] = replace(
            vm,
            state=states.get(operation.verb, VmState.MIGRATING),
            host=operation.dst if starts else vm.host,
            epoch=operation.epoch if starts else vm.epoch,
            operation=operation,
            transit="" if starts else final or vm.transit,
            reason="",
            cause_id=operation.cause_id,
        )

"""The controller of one host group: observe, plan, write down, act.

Level-based: every pass starts from what is stored and what is seen, never from what an
event said. Whatever is to be done is first on record; a killed controller finds it there
and orders it again under the same operation id.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import partial
from itertools import chain
from math import inf
from typing import Any

from frota.controllers import brake, declare, moves, observe
from frota.controllers.alarms import Alarms
from frota.controllers.asks import Asks
from frota.controllers.build import build, forget_former
from frota.controllers.desired import (
    ClusterSpec,
    GroupSpec,
    desired_cluster,
    desired_group,
)
from frota.controllers.draft import Draft
from frota.controllers.inherit import inherit
from frota.controllers.kills import Kills
from frota.controllers.observe import ASKED
from frota.controllers.quiet import Quiet
from frota.controllers.records import Records
from frota.controllers.same import Same
from frota.controllers.status import Standings
from frota.model.host import Capacity, HostState
from frota.model.sight import HostView
from frota.model.vm import VmState
from frota.planners.liveness import leftovers
from frota.ports.clock import Clock
from frota.ports.fence import Fence
from frota.ports.hypervisor import Hypervisor
from frota.ports.store import Conflict, Store
from frota.ports.witness import Witness
from frota.runtime.cause import cause_id
from frota.runtime.result import Result


class Rest:
    """Planning that was done. Planners are pure: while the records are the same objects,
    and no deadline that planning set has passed, it would come to the same again."""

    __slots__ = ("_scene", "_storm", "until")

    def __init__(self) -> None:
        self.until = -inf
        self._scene = Same()
        self._storm = ""

    def holds(self, draft: Draft) -> bool:
        """Whether planning again would be in vain."""
        if draft.now >= self.until or draft.storm != self._storm or draft.moved_by_hand:
            return False
        return self._scene.holds(_planned_on(draft))

    def begin(self, draft: Draft) -> None:
        """Planning was done for these records, until its earliest deadline."""
        self.until, self._storm = draft.again_at, draft.storm
        self._scene.holds(_planned_on(draft))


def _planned_on(draft: Draft) -> tuple[object, ...]:
    """All that planning reads."""
    records = (draft.hosts, draft.sets, draft.vms, draft.verdicts, draft.clusters)
    return (draft.spec, *chain.from_iterable(kind.values() for kind in records))


class HostGroupController:
    """Keeps one host group as declared. One instance acts on a group at a time."""

    def __init__(  # noqa: PLR0913 - every port it may touch, by name
        self,
        group: str,
        *,
        store: Store,
        hypervisor: Hypervisor,
        fence: Fence,
        witness: Witness,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self._group = group
        self._records = Records(store, group)
        self._hypervisor = hypervisor
        self._fence = fence
        self._witness = witness
        self._clock = clock
        self._new_id = partial(cause_id, rng)
        self._asks = Asks()
        self._kills = Kills()
        self._alarms = Alarms()
        self._agenda = moves.Agenda()
        self._ordered: set[str] = set()
        self._capacities: dict[str, tuple[Capacity, Capacity | None]] = {}
        self._attached: dict[str, object] = {}
        self._quiet = Quiet()
        self._rest = Rest()
        self._calm_since = -inf
        self._standings = Standings()
        self._config = Same()
        self._spec: GroupSpec | None = None
        self._spec_of: Mapping[str, Any] | None = None
        self._documents = Same()
        self._clusters: dict[str, tuple[Mapping[str, Any], ClusterSpec]] = {}
        self._wanted: dict[str, ClusterSpec] = {}
        self._populated: object = None  # see declare.basis_of_population

    def reconcile(self) -> Result:
        """One pass. Raises StoreFull when the disk is full; nothing was done then."""
        records = self._records
        touched = records.refresh()
        spec = self._read_spec()
        if spec is None:
            return Result()
        now = self._clock.now()
        outcomes = self._hypervisor.outcomes()
        views, sight = self._look(spec)
        if not touched and not outcomes and self._quiet.holds(sight, now):
            return Result(min(self._quiet.until, now + spec.policy.timers.audit))
        draft = Draft.of(records, spec, self._read_clusters(), now)
        declare.declare_hosts(draft, self._new_id)
        if self._attach(draft):
            views, sight = self._look(spec)  # what was not watched was not silent for long
        observe.look(draft, views, self._capacities)
        draft.calm_since = self._calm_since
        observe.judge_hosts(draft, self._fence, self._witness, self._new_id)
        self._calm_since = draft.calm_since
        self._asks.pace(draft)
        observe.find_vms(draft, outcomes)
        inherit(draft, self._ordered)
        left = leftovers(draft.vms, draft.hosts, draft.views)
        declare.unhost_removed(draft)
        self._alarms.look(draft, self._fence)
        brake.expire_approvals(draft)
        forget_former(draft)
        if touched or not self._rest.holds(draft):
            self._plan(draft)
            if draft.begun and leftovers(draft.vms, draft.hosts, draft.views) != left:
                draft.wake_at(now)  # a fresh start makes older copies of its VM stale
        draft.wake_at(self._rest.until)
        kills = self._kills.plan(left, outcomes, draft)
        try:
            records.commit(draft.values(), draft.story.lines, self._shorter(draft))
        except Conflict:
            self._agenda.drop()
            self._asks = Asks()
            return Result(now)  # somebody wrote first: look again
        self._act(draft)
        for operation in kills:
            self._hypervisor.order(operation, None)
        self._quiet = Quiet(sight, draft.again_at)
        return Result(min(max(draft.again_at, now), now + spec.policy.timers.audit))

    def _plan(self, draft: Draft) -> None:
        """Decide what follows from the records as they are now."""
        seen_until, draft.again_at = draft.again_at, inf
        if not self._config.holds((*draft.hosts.values(), *draft.sets.values())):
            declare.expand_sets(draft)
        declare.adopt_domains(draft)
        declare.forget_idle(draft)
        basis = declare.basis_of_population(draft)
        if basis is None or basis != self._populated:
            done = declare.declare_population(draft, self._new_id)
            self._populated = basis if done else None
        moves.stop_unwanted(draft, self._new_id)
        moves.start_waiting(draft, self._new_id)
        started = draft.begun
        moves.drain(draft, self._new_id)
        self._standings.update(draft)
        if moves.rebalance(draft, self._agenda, self._new_id):
            self._standings.update(draft)
        if draft.begun > started and any(
            vm.state is VmState.UNPLACEABLE for vm in draft.vms.values()
        ):
            draft.wake_at(draft.now)  # what keeps them waiting may be another thing now
        if draft.begun and draft.waiting:
            draft.wake_at(draft.now)  # what was begun may be what a role waits for
        moves.wake_for_retries(draft)
        self._rest.begin(draft)
        draft.again_at = seen_until

    def doubt(self) -> None:
        """Look at everything again in the next pass, even if nothing seems to have changed."""
        self._quiet = Quiet()
        self._rest = Rest()
        self._populated = None

    def _look(self, spec: GroupSpec) -> tuple[Mapping[str, HostView], tuple[object, ...]]:
        views = {host.name: self._hypervisor.view(host.name) for host in spec.hosts}
        return views, self._sight(views)

    def _sight(self, views: Mapping[str, HostView]) -> tuple[object, ...]:
        """All that is seen of the world, to be compared with the last pass."""
        fence = self._fence
        seen: list[object] = [self._witness.sees()]
        for name, view in views.items():
            seen += (view.beating, view.incarnation, view.capacity, view.copies, view.error)
            seen.append(fence.lease_problem(name))
        for host in self._records.hosts.values():
            if host.state in ASKED:
                seen.append(fence.verdict(host.name, host.incarnation))
        return tuple(seen)

    def _read_spec(self) -> GroupSpec | None:
        document = self._records.document
        if document is not self._spec_of:
            self._spec_of = document
            self._spec = None if document is None else desired_group(document)
            self._capacities.clear()
        return self._spec

    def _read_clusters(self) -> dict[str, ClusterSpec]:
        documents = self._records.clusters
        if self._documents.holds(documents.values()):
            return self._wanted
        for name, document in documents.items():
            known = self._clusters.get(name)
            if known is None or known[0] is not document:
                self._clusters[name] = (document, desired_cluster(document))
        for name in self._clusters.keys() - documents.keys():
            del self._clusters[name]
        self._wanted = {name: self._clusters[name][1] for name in sorted(self._clusters)}
        return self._wanted

    def _attach(self, draft: Draft) -> bool:
        """Watch the hosts that are to be watched; whether anything changed."""
        wanted = {
            spec.name: spec.address
            for spec in draft.spec.hosts
            if draft.hosts[spec.name].state is not HostState.REMOVED
        }
        if wanted == self._attached:
            return False
        for name in self._attached.keys() - wanted.keys():
            self._hypervisor.detach(name)
        for name, address in wanted.items():
            if self._attached.get(name) != address:
                self._hypervisor.attach(address)
        self._attached = dict(wanted)
        return True

    def _shorter(self, draft: Draft) -> Mapping[str, Any] | None:
        """The HostGroup without the hosts that were removed for good in this pass."""
        document = self._records.document
        if not draft.removed or document is None:
            return None
        spec = document["spec"]
        hosts = [host for host in spec["hosts"] if host["name"] not in draft.removed]
        return {**document, "spec": {**spec, "hosts": hosts}}

    def _act(self, draft: Draft) -> None:
        """Carry out what is now on record. Every call may be repeated without harm."""
        for host in draft.forget:
            self._fence.forget(host)
        for host in draft.removed:
            self._fence.forget(host)
        for name in draft.probe:
            self._fence.probe(name, draft.hosts[name].incarnation)
        for name in draft.kill:
            self._fence.kill(name, draft.hosts[name].incarnation)
        open_operations: set[str] = set()
        for vm in draft.vms.values():
            operation = vm.operation
            if operation is None:
                continue
            open_operations.add(operation.id)
            if operation.id in draft.to_order:
                self._ordered.add(operation.id)
                self._hypervisor.order(operation, build(vm, draft))
        for identity in draft.overdue:
            self._hypervisor.cancel(identity)
        for identity in draft.settled:
            self._hypervisor.settle(identity)
        self._ordered &= open_operations

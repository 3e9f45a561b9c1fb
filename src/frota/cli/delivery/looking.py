"""Looking at clusters without changing them: what is there, and what their API servers say
to the changes that are planned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from frota.app.members import Members
from frota.cli.delivery.foresight import Target
from frota.model.delivery import Change, ChangeResult, ClusterView, Delivery
from frota.model.deliveryplan import Action, DeliveryPlan
from frota.model.objects import Object, ObjectKey
from frota.planners.delivery import mark, plan_delivery
from frota.planners.delivery.recorded import plan_recorded

_SILENT_S = 5.0  # a cluster that does not answer for so long holds nobody up
_WAIT_S = 0.5


@dataclass(frozen=True, slots=True)
class Look:
    """What was found in one cluster. ``error``: why nothing could be planned, or not all of
    it asked; empty when all is known. ``unasked`` are changes that the API server could not
    judge yet, since their namespace is not there. ``basis``: what it was held against, where it
    was not looked at; empty where it was."""

    target: Target
    plan: DeliveryPlan | None = None
    version: str = ""
    live: Mapping[ObjectKey, Object] = field(default_factory=dict)
    results: Mapping[ObjectKey, ChangeResult] = field(default_factory=dict)
    unasked: frozenset[ObjectKey] = frozenset()
    error: str = ""
    basis: str = ""


class Looker:
    """Looks at many clusters at the same time."""

    def __init__(self, members: Members, targets: Iterable[Target]) -> None:
        self._members = members
        self._waiting = {target.cluster: target for target in targets}
        self._asked: dict[str, Look] = {}  # by the id of the dry run
        self._found: dict[str, Look] = {}
        self._began = members.clock.now()

    def look(self, seconds: float) -> dict[str, Look]:
        """What was found in every cluster, after at most this time."""
        clusters, alarm = self._members.clusters, self._members.alarm
        clusters.on_change(lambda _: alarm.ring())
        for target in self._waiting.values():
            clusters.attach(target.wish.address, target.kinds)
        while (self._waiting or self._asked) and self._passed() < seconds:
            self._step()
            if self._waiting or self._asked:
                alarm.wait(min(_WAIT_S, max(0.0, seconds - self._passed())))
        for target in self._waiting.values():
            self._give_up(target, clusters.view(target.cluster))
        for look in self._asked.values():
            error = f"its API server did not say within {seconds:g} s whether it takes them"
            self._found[look.target.cluster] = replace(look, error=error)
        return self._found

    def _passed(self) -> float:
        return self._members.clock.now() - self._began

    def _step(self) -> None:
        for target in list(self._waiting.values()):
            view = self._members.clusters.view(target.cluster)
            if view.answers and view.complete:
                del self._waiting[target.cluster]
                self._plan(target, view)
            elif not view.answers and self._passed() >= _SILENT_S:
                del self._waiting[target.cluster]
                self._give_up(target, view)
        for outcome in self._members.clusters.outcomes():
            asked = self._asked.pop(outcome.delivery, None)
            if asked is not None:
                results = {result.key: result for result in outcome.results}
                self._found[outcome.cluster] = replace(asked, results=results)
                self._members.clusters.settle(outcome.delivery)

    def _give_up(self, target: Target, view: ClusterView) -> None:
        what = "does not list all of its objects" if view.answers else "does not answer"
        error = f"{what}: {view.error}" if view.error else what
        self._found[target.cluster] = Look(target, error=error)

    def _plan(self, target: Target, view: ClusterView) -> None:
        plan = plan_delivery(target.wanted, view, target.wish.policy)
        changes = [change for batch in plan.batches for change in batch]
        early = unaskable(plan)
        look = Look(target, plan, view.version, view.objects, unasked=early)
        asked = tuple(change for change in changes if change.key not in early)
        if not asked:
            self._found[target.cluster] = look
            return
        # One batch: nothing is kept, and so no change waits for another.
        delivery = Delivery(f"plan-{target.cluster}", target.cluster, (asked,), dry_run=True)
        self._asked[delivery.id] = look
        self._members.clusters.order(delivery)


def recorded(target: Target) -> Look:
    """What would change in a cluster that is not looked at, as far as is known."""
    before, wish = target.before, target.wish
    if before is None:
        return Look(target)
    plan = plan_recorded(target.cluster, before, target.wanted, wish.policy)
    return Look(target, plan, live=before.objects, basis=target.basis)


def unaskable(plan: DeliveryPlan) -> frozenset[ObjectKey]:
    """Changes in namespaces that are not there yet: a dry run would only say so."""
    fresh = {
        item.key.name
        for item in plan.items
        if item.action is Action.CREATE and item.key.kind == "Namespace" and not item.key.group
    }
    writes: Sequence[Change] = [
        change for batch in plan.batches for change in batch if change.desired is not None
    ]
    return frozenset(change.key for change in writes if change.key.namespace in fresh)


def marks(look: Look) -> dict[str, str]:
    """What would be done in a cluster, object by object: what a saved plan is held against.
    The reason of a silence is no part of it."""
    target, plan = look.target, look.plan
    found = {"what it is to have": f"content #{target.wanted.digest}"}
    if plan is None or plan.waits or look.error:
        return {**found, "objects": "unseen"}
    found["objects"] = "seen"
    for item in plan.items:
        result = look.results.get(item.key)
        said = f", {result.verdict}" if result is not None else ""
        found[str(item.key)] = f"{item.action}{said} #{mark(item, target.wanted)}"
    if plan.held is not None:
        found["deletions"] = f"held #{plan.held.plan}"
    return found

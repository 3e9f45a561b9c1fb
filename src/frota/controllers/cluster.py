"""The controller of one member cluster: what it should have, what it shows, what is sent.

Level-based: every pass compares the content that was released for the cluster with what its
watches show, and sends what differs. A killed controller loses nothing: what was sent is
seen, and sending it again changes nothing.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from math import inf

from frota.controllers.clusterrecords import (
    PRUNE_APPROVAL,
    STATUS,
    Wish,
    approval_name,
    read_wish,
    surplus_uids,
)
from frota.controllers.contents import Contents
from frota.controllers.deliverystory import DeliveryStory
from frota.controllers.flights import Flights
from frota.controllers.quiet import Quiet
from frota.controllers.story import Story
from frota.model.delivery import ClusterView, Delivery, DeliveryOutcome, WatchedKind, kinds_in
from frota.model.deliveryplan import DeliveryMemory, DeliveryPlan
from frota.model.objects import MEMBERSHIP_LABEL, Object, ObjectKey
from frota.model.release import HELD_MOST, ClusterStatus, Drift, HeldPrune
from frota.planners.delivery import (
    APPLIED,
    HealthBook,
    Wanted,
    cluster_health,
    learn,
    plan_delivery,
    remember,
)
from frota.planners.delivery.conditions import Standing, cluster_conditions
from frota.planners.delivery.runs import TIME_OVER
from frota.planners.delivery.wanted import annotations_of, labels_of
from frota.ports.clock import Clock
from frota.ports.clusters import Clusters
from frota.ports.store import Conflict, Store, Write
from frota.runtime.cause import cause_id
from frota.runtime.result import Result

_NOTHING = Wanted({}, {}, "")
_SHOWN_MOST = 50  # drifts and problems in a status; more are counted in the conditions
_LOOK_S = 0.05
# After something was ordered its cluster has enough to do. How it stands is told when it is
# done; or so much later, when that takes its time.
_HUSH_S = 0.05
_JITTER = 0.2  # of the time between full comparisons, so that clusters do not keep step


class ClusterController:
    """Keeps one cluster as released. One instance acts on a cluster at a time."""

    def __init__(
        self,
        cluster: str,
        *,
        store: Store,
        clusters: Clusters,
        clock: Clock,
        rng: random.Random,
        contents: Contents | None = None,
    ) -> None:
        self._cluster = cluster
        self._store = store
        self._clusters = clusters
        self._clock = clock
        self._rng = rng
        self._new_id = partial(cause_id, rng)
        self._memory = DeliveryMemory()
        self._contents = contents or Contents(store)
        self._wanted = _NOTHING
        self._wanted_kinds: frozenset[WatchedKind] = frozenset()
        self._digest = ""
        self._health = HealthBook()
        self._flights = Flights()
        self._story = DeliveryStory(cluster)
        self._compare_at = -inf
        self._kinds: frozenset[WatchedKind] = frozenset()
        self._since = clock.now()
        self._hushed = False  # the last pass ordered something, and told nothing more
        self._quiet = Quiet()

    def reconcile(self) -> Result:
        """One pass. Raises StoreError when the store cannot be read or written."""
        wish = read_wish(self._store, self._cluster)
        if wish is None:
            self._clusters.detach(self._cluster)
            return Result()
        now = self._clock.now()
        wanted = self._content(wish)
        kinds = self._wanted_kinds | (wish.status.kinds if wish.status is not None else frozenset())
        fresh = kinds != self._kinds
        if fresh:
            self._kinds = kinds
        self._clusters.attach(wish.address, kinds)
        if wish.release is None:  # it is to be left alone: what is under way ends here
            for delivery_id in self._flights:
                self._clusters.cancel(delivery_id)
        view = self._clusters.view(self._cluster)
        # Silence is counted from when this process began to look.
        view = replace(view, last_seen=max(view.last_seen, self._since))
        story = Story(wish.fleet, now)
        ended = self._take_ends(wish, story, now)
        self._flights.look(view, now)
        # The serial first: it tells views apart without looking at their objects.
        sight = (view.serial, self._digest, wish, replace(view, last_seen=0.0))
        if not ended and self._quiet.holds(sight, now):
            return Result(self._quiet.until)
        plan = self._plan(wish, wanted, view, now) if not fresh else self._looking()
        first_told = any(item.reason == TIME_OVER for item in plan.items)
        sent = not first_told and self._deliver(plan, view, story)
        self._hushed = sent and not self._hushed
        if self._hushed:
            self._settle(ended)
            return Result(now + _HUSH_S)
        self._story.found(story, plan)
        left = self._left(wish, plan, view)
        status = self._status(wish, wanted, plan, view, left, now)
        self._story.stands(story, status, wish.status)
        if not self._write(wish, status, story, self._used_up(wish, wanted, plan, view)):
            return Result(now)  # somebody wrote first: look again
        if first_told:
            self._deliver(plan, view, Story(wish.fleet, now))
        self._settle(ended)
        again_at = min(self._again_at(wish, view, plan, now), now + wish.compare)
        self._quiet = Quiet(sight, again_at)
        return Result(again_at)

    def _content(self, wish: Wish) -> Wanted:
        """The released content. One that cannot be found leaves the one before."""
        digest = wish.release.digest if wish.release is not None else ""
        if digest:
            held = self._wanted if digest == self._digest else None
            label = wish.policy.membership
            found = self._contents.find(wish.fleet, self._cluster, digest, label, held)
            if found is not None and found is not self._wanted:
                self._wanted_kinds = self._kinds_of(found)
                self._wanted, self._digest = found, digest
        return self._wanted

    def _kinds_of(self, found: Wanted) -> frozenset[WatchedKind]:
        altered = found.altered
        if altered is not None and altered.digest == self._digest:
            changed = kinds_in(found.objects[key] for key in altered.keys)
            if changed <= self._wanted_kinds:
                return self._wanted_kinds
        return kinds_in(found.objects.values())

    def _take_ends(self, wish: Wish, story: Story, now: float) -> list[DeliveryOutcome]:
        """Learn from deliveries that ended. Those of a process before this one teach nothing."""
        ended = [item for item in self._clusters.outcomes() if item.cluster == self._cluster]
        for outcome in ended:
            plan = self._flights.end(outcome, now)
            if plan is not None:
                self._memory = learn(self._memory, plan, outcome, wish.policy, now)
                self._story.ended(story, outcome)
        return ended

    def _plan(self, wish: Wish, wanted: Wanted, view: ClusterView, now: float) -> DeliveryPlan:
        if wish.release is None or not self._digest:
            return DeliveryPlan(self._cluster, waits="nothing was released for it yet")
        if now >= self._compare_at:  # trust no watch for longer than this
            self._memory = replace(self._memory, settled={}, compared=None)
            self._compare_at = now + wish.compare * (1 + _JITTER * (self._rng.random() - 0.5))
        plan = plan_delivery(wanted, view, wish.policy, self._memory, now)
        self._memory = remember(self._memory, plan)
        return plan

    def _looking(self) -> DeliveryPlan:
        """The view may be of the kinds before: wait until it is of these."""
        soon = self._clock.now() + _LOOK_S
        return DeliveryPlan(self._cluster, waits="its objects are being listed", again_at=soon)

    def _deliver(self, plan: DeliveryPlan, view: ClusterView, story: Story) -> bool:
        """Tell what is to be sent, with what was learned before, then order it; whether
        anything is."""
        delivery = self._delivery(plan, view)
        if delivery is None:
            return False
        self._story.sends(story, plan, delivery)
        self._store.commit((), story.lines)
        story.lines.clear()
        self._flights.begin(delivery, plan, view)
        self._clusters.order(delivery)
        return True

    def _settle(self, ended: Iterable[DeliveryOutcome]) -> None:
        """What ended was taken in."""
        for outcome in ended:
            self._clusters.settle(outcome.delivery)

    def _delivery(self, plan: DeliveryPlan, view: ClusterView) -> Delivery | None:
        """What of a plan is not on its way already."""
        batches = tuple(
            fresh
            for batch in plan.batches
            if (fresh := tuple(c for c in batch if self._flights.lacks(c, view)))
        )
        if not batches:
            return None
        return Delivery(f"{self._cluster}-{self._new_id()}", self._cluster, batches)

    def _status(
        self,
        wish: Wish,
        wanted: Wanted,
        plan: DeliveryPlan,
        view: ClusterView,
        kinds: frozenset[WatchedKind],
        now: float,
    ) -> ClusterStatus:
        release, old = wish.release, wish.status
        generation = release.generation if release is not None else 0
        health = cluster_health(wanted, view, wish.policy.ran, self._health)
        standing = Standing(view, wanted, plan, wish.policy, generation, wish.declared, health)
        conditions = cluster_conditions(standing, old.conditions if old is not None else (), now)
        fresh = ClusterStatus(
            cluster=self._cluster,
            fleet=wish.fleet,
            generation=generation,
            digest=self._digest,
            conditions=conditions,
            wanted=len(wanted.objects),
            version=view.version or (old.version if old is not None else ""),
            identity=view.identity or (old.identity if old is not None else ""),
            kinds=kinds,
            ran=_ran(plan, wanted, view, old),
        )
        if plan.waits:
            if old is None:
                return fresh
            return replace(
                fresh,
                settled=old.settled,
                drifts=old.drifts,
                problems=old.problems,
                held=old.held,
            )
        return replace(
            fresh,
            settled=len(plan.settled),
            drifts=tuple(_drifts(plan))[:_SHOWN_MOST],
            problems=tuple(_problems(plan))[:_SHOWN_MOST],
            held=_held(plan),
        )

    def _left(self, wish: Wish, plan: DeliveryPlan, view: ClusterView) -> frozenset[WatchedKind]:
        """The kinds that are still to be watched: wanted ones, and those that something of
        this set is left of. Until all is seen, and nothing is under way, none is let go."""
        if plan.waits or plan.batches or self._flights:
            return self._kinds
        there = {
            (key.group, key.kind)
            for key, item in view.objects.items()
            if labels_of(item).get(MEMBERSHIP_LABEL) == wish.policy.membership
        }
        left = {kind for kind in self._kinds if (kind.group, kind.kind) in there}
        return self._wanted_kinds | left

    def _used_up(
        self, wish: Wish, wanted: Wanted, plan: DeliveryPlan, view: ClusterView
    ) -> list[Write]:
        """Approvals of deletions end when nothing that they name is left to be deleted."""
        if plan.waits or not wish.policy.approved:
            return []
        left = surplus_uids(wanted.objects, view.objects, wish.policy.membership)
        return [
            Write(PRUNE_APPROVAL, approval_name(self._cluster, approval.plan), None, None)
            for approval in wish.policy.approved
            if approval.uids.isdisjoint(left)
        ]

    def _write(
        self, wish: Wish, status: ClusterStatus, story: Story, more: Iterable[Write]
    ) -> bool:
        writes = list(more)
        if status != wish.status:
            writes.append(Write(STATUS, self._cluster, status, wish.status_revision))
        if not writes and not story.lines:
            return True
        try:
            self._store.commit(writes, story.lines)
        except Conflict:
            return False
        return True

    def _again_at(self, wish: Wish, view: ClusterView, plan: DeliveryPlan, now: float) -> float:
        again_at = plan.again_at if plan.waits else min(plan.again_at, self._compare_at)
        again_at = min(again_at, self._flights.news_by)
        if not view.answers:
            due = view.last_seen + wish.policy.unreachable_after
            again_at = min(again_at, due) if due > now else again_at
        return max(again_at, now)


def kinds_of(objects: Iterable[Object], status: ClusterStatus | None) -> frozenset[WatchedKind]:
    """Kinds to be watched: those wanted, and those of which something may be left."""
    return kinds_in(objects) | (status.kinds if status is not None else frozenset())


def _ran(
    plan: DeliveryPlan, wanted: Wanted, view: ClusterView, old: ClusterStatus | None
) -> tuple[tuple[ObjectKey, str], ...]:
    """Jobs that are deleted since their time is over: on record before that is done."""
    known = dict(old.ran) if old is not None else {}
    if plan.waits:
        return tuple(known.items())
    for item in plan.items:
        if item.reason == TIME_OVER:
            made = annotations_of(view.objects[item.key]).get(APPLIED)
            known[item.key] = str(made or wanted.digests[item.key])
    return tuple((key, made) for key, made in known.items() if key in wanted.objects)


def _drifts(plan: DeliveryPlan) -> Iterable[Drift]:
    for item in plan.drifts:
        fields = tuple(
            f"{diff.path}" + (f" (by {diff.writer})" if diff.writer else "") for diff in item.diffs
        )
        corrected = item.change is not None or item.reason == "Contested"  # then more slowly
        yield Drift(str(item.key), item.reason, item.message, fields, corrected)


def _problems(plan: DeliveryPlan) -> Iterable[str]:
    for item in plan.items:
        if item.change is None and not item.drifted:
            yield f"{item.key}: {item.reason}: {item.message}"


def _held(plan: DeliveryPlan) -> HeldPrune | None:
    held = plan.held
    if held is None:
        return None
    names = tuple(str(key) for key in held.keys[:HELD_MOST])
    return HeldPrune(held.approval, names, len(held.keys), held.reasons)

"""From what a cluster should have and what it shows, to what is to be done there.

The plan is total: every object that is not as it should be has one item with its reason,
whether something is done about it or not. It is safe to plan from any view: what is not
seen is never deleted, and what is not Frota's is never written over without a person's word.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from operator import attrgetter

from frota.compile.kubernetes.order import rank
from frota.model.delivery import Change, ClusterView
from frota.model.deliveryplan import (
    Compared,
    DeliveryMemory,
    DeliveryPlan,
    DeliveryPolicy,
    Item,
)
from frota.model.objects import MEMBERSHIP_LABEL, Object, ObjectKey
from frota.planners.delivery.judging import Case, judge
from frota.planners.delivery.pruning import Pruned, prune
from frota.planners.delivery.sequence import in_sequence
from frota.planners.delivery.wanted import Wanted, covering, digest, labels_of, revision_of

INCOMPLETE = "the cluster was not seen whole yet"


def plan_delivery(
    wanted: Wanted,
    view: ClusterView,
    policy: DeliveryPolicy,
    memory: DeliveryMemory | None = None,
    now: float = 0.0,
) -> DeliveryPlan:
    """Compare, and say what to do. ``memory`` is that of earlier passes over this cluster;
    ``now`` is on the clock of its times."""
    if not view.answers or not view.complete:
        why = view.error or (INCOMPLETE if view.answers else "the cluster does not answer")
        return DeliveryPlan(view.cluster, waits=why)
    memory = memory or DeliveryMemory()
    fresh = _fresh(wanted, view, memory)
    surplus = {} if fresh is not None else _surplus(wanted, view, policy.membership)
    case = Case(covering(wanted, surplus, policy.membership), view, policy, memory, now)
    work = _Work()
    work.compare(case, fresh)
    pruned = prune(case, surplus) if surplus else Pruned(())
    items = in_sequence([*work.items, *pruned.items], wanted, approved=pruned.approved)
    return DeliveryPlan(
        cluster=view.cluster,
        items=items,
        batches=_batches(items, view.objects),
        held=pruned.held,
        settled=work.settled,
        again_at=min(work.again_at, pruned.again_at),
        compared=Compared(wanted.digest, view.objects, frozenset(work.open))
        if not surplus
        else None,
    )


def _fresh(
    wanted: Wanted, view: ClusterView, memory: DeliveryMemory
) -> Collection[ObjectKey] | None:
    """The keys of what may be other than at the last plan; None where that may be all. A change
    of one object must not cost looking at a thousand."""
    last, altered = memory.compared, wanted.altered
    if last is None or last.objects is not view.objects:
        return None
    if last.digest == wanted.digest:
        return last.open
    if altered is None or altered.digest != last.digest:
        return None
    return last.open | altered.keys


def _surplus(wanted: Wanted, view: ClusterView, membership: str) -> dict[ObjectKey, Object]:
    """What is in the set and not wanted."""
    return {
        key: item
        for key, item in view.objects.items()
        if key not in wanted.objects and labels_of(item).get(MEMBERSHIP_LABEL) == membership
    }


@dataclass(slots=True)
class _Work:
    """What was found so far."""

    items: list[Item] = field(default_factory=list)
    settled: dict[ObjectKey, tuple[str, str]] = field(default_factory=dict)
    open: list[ObjectKey] = field(default_factory=list)
    again_at: float = inf

    def compare(self, case: Case, fresh: Collection[ObjectKey] | None) -> None:
        """Every wanted object with the live one; or those of the ``fresh`` keys."""
        known, live_objects = case.memory.settled, case.view.objects
        for key in case.wanted.digests if fresh is None else self._only(case, fresh):
            content = case.wanted.digests[key]
            live = live_objects.get(key)
            at = (revision_of(live) if live is not None else "", content)
            if at[0] and known.get(key) == at:
                self.settled[key] = at
                continue
            verdict = judge(case, key, live)
            self.again_at = min(self.again_at, verdict.again_at)
            if verdict.item is not None:
                self.items.append(verdict.item)
            else:  # what time alone will change is looked at again
                self.settled[key] = at if verdict.again_at == inf else ("", content)
            if verdict.item is not None or verdict.again_at != inf:
                self.open.append(key)

    def _only(self, case: Case, fresh: Collection[ObjectKey]) -> Sequence[ObjectKey]:
        """These keys in the order of contents; all others are as they were."""
        self.settled = dict(case.memory.settled)
        for key in fresh:
            self.settled.pop(key, None)
        return sorted(fresh, key=lambda key: (rank(case.wanted.objects[key]), key))


def _batches(
    items: tuple[Item, ...], live: Mapping[ObjectKey, Object]
) -> tuple[tuple[Change, ...], ...]:
    """Writes in the order of kinds, then deletions in the reverse order."""
    writes: dict[int, list[Change]] = {}
    deletes: dict[int, list[Change]] = {}
    for item in sorted(items, key=attrgetter("key")):
        change = item.change
        if change is None:
            continue
        if change.desired is not None:
            writes.setdefault(rank(change.desired), []).append(change)
        else:
            deletes.setdefault(rank(live[item.key]), []).append(change)
    forward = (tuple(writes[at]) for at in sorted(writes))
    backward = (tuple(deletes[at]) for at in sorted(deletes, reverse=True))
    return (*forward, *backward)


def mark(item: Item, wanted: Wanted) -> str:
    """The name of what would be done about one object: from what, to what. It is the same
    for as long as neither the content nor what it would change in the cluster moves."""
    uid = item.change.uid if item.change else ""
    found = [(diff.path, diff.found) for diff in item.diffs]
    return digest([item.action, uid, wanted.digests.get(item.key, ""), found])

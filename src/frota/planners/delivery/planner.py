"""From what a cluster should have and what it shows, to what is to be done there.

The plan is total: every object that is not as it should be has one item with its reason,
whether something is done about it or not. It is safe to plan from any view: what is not
seen is never deleted, and what is not Frota's is never written over without a person's word.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from operator import attrgetter

from frota.compile.kubernetes.order import rank
from frota.model.delivery import Change, ClusterView
from frota.model.deliveryplan import (
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
    surplus = {
        key: item
        for key, item in view.objects.items()
        if key not in wanted.objects and labels_of(item).get(MEMBERSHIP_LABEL) == policy.membership
    }
    case = Case(
        covering(wanted, surplus, policy.membership), view, policy, memory or DeliveryMemory(), now
    )
    work = _Work()
    work.compare(case)
    pruned = prune(case, surplus) if surplus else Pruned(())
    items = in_sequence([*work.items, *pruned.items], wanted, approved=pruned.approved)
    return DeliveryPlan(
        cluster=view.cluster,
        items=items,
        batches=_batches(items, view.objects),
        held=pruned.held,
        settled=work.settled,
        again_at=min(work.again_at, pruned.again_at),
    )


@dataclass(slots=True)
class _Work:
    """What was found so far."""

    items: list[Item] = field(default_factory=list)
    settled: dict[ObjectKey, tuple[str, str]] = field(default_factory=dict)
    again_at: float = inf

    def compare(self, case: Case) -> None:
        """Every wanted object with the live one."""
        known, live_objects = case.memory.settled, case.view.objects
        for key, content in case.wanted.digests.items():
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

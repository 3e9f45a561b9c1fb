"""What is deleted: only objects of this set, and many of them only with a person's word."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf

from frota.model.deliveryplan import Action, Held, Item
from frota.model.objects import MEMBERSHIP_LABEL, Object, ObjectKey
from frota.planners.delivery.fields import entries, is_ours, shares_with_frota
from frota.planners.delivery.judging import Case, Pair
from frota.planners.delivery.wanted import digest, labels_of, uid_of

_NAMED_MOST = 3
_RUN_BY_CONTROLLERS = frozenset(
    {"Deployment", "StatefulSet", "DaemonSet", "Job", "JobSet", "LeaderWorkerSet", "Service"}
    | {"ServiceAccount", "HorizontalPodAutoscaler", "PodDisruptionBudget", "ResourceQuota"}
    | {"ClusterQueue", "LocalQueue", "ResourceFlavor"}
)


@dataclass(frozen=True, slots=True)
class Pruned:
    """Deletions, those that are left, and what waits for an approval. ``approved``: a person
    let them go."""

    items: tuple[Item, ...]
    held: Held | None = None
    again_at: float = inf
    approved: bool = False


def prune(case: Case, surplus: Mapping[ObjectKey, Object]) -> Pruned:
    """Delete ``surplus``: objects of the set that are not wanted any more. All of them wait
    when there are too many, or when one would take with it what cannot be made again."""
    going = {key: item for key, item in surplus.items() if not _leaves(item)}
    ending = tuple(
        Item(key, Action.LEAVE, "Ending", "is being deleted")
        for key, item in surplus.items()
        if _leaves(item)
    )
    reasons = tuple(_reasons(case, going))
    uids = frozenset(uid_of(item) for item in going.values())
    if reasons and not any(uids <= approval.uids for approval in case.policy.approved):
        held = Held(_name(case, going), tuple(sorted(going)), uids, reasons)
        why = "; ".join(reasons)
        kept = tuple(Item(key, Action.LEAVE, "PruneHeld", why) for key in going)
        return Pruned((*ending, *kept), held)
    said = [
        Pair(case, key, item).delete(item, "NotWanted", "is not declared any more")
        for key, item in going.items()
    ]
    again_at = min((one.again_at for one in said), default=inf)
    items = (*ending, *(one.item for one in said if one.item))
    return Pruned(items, None, again_at, approved=bool(reasons))


def _leaves(item: Object) -> bool:
    return bool(item["metadata"].get("deletionTimestamp"))


def _reasons(case: Case, going: Mapping[ObjectKey, Object]) -> list[str]:
    """Why these deletions must be approved; empty when they need not be."""
    policy = case.policy
    total = sum(
        labels_of(item).get(MEMBERSHIP_LABEL) == policy.membership
        for item in case.view.objects.values()
    )
    most = max(policy.brake_least, int(policy.brake_share * total))
    reasons = []
    if len(going) > most:
        reasons.append(f"{len(going)} of {total} objects would be deleted, more than {most}")
    reasons += _precious(case, going)
    for key in sorted(going):
        other = _also_written_by(key, going[key])
        if other:
            reasons.append(f"{key} is also written by {other}")
    more = len(reasons) - _NAMED_MOST
    return reasons[:_NAMED_MOST] + ([f"and {more} more like these"] if more > 0 else [])


def _also_written_by(key: ObjectKey, live: Object) -> str:
    """Another manager that the object seems to belong to as well: it was there before Frota
    applied it, or somebody else applies it too. Deleting it would take their part with it.

    Controllers write to the workloads they run, so of those only the fields that both wrote
    with one value tell; the control plane's own writes (``kube-…``) tell nothing.
    """
    for entry in entries(live):
        manager = str(entry.get("manager", ""))
        if is_ours(entry) or entry.get("subresource") or manager.startswith("kube-"):
            continue
        if key.kind not in _RUN_BY_CONTROLLERS or shares_with_frota(live, entry):
            return manager
    return ""


def _precious(case: Case, going: Mapping[ObjectKey, Object]) -> list[str]:
    """Deletions that take other things with them. What is in a namespace is seen only as far
    as it is Frota's, so where claims are not known every namespace is precious."""
    claimed = case.view.claimed
    data = {key.namespace for key in case.view.objects if key.kind == "PersistentVolumeClaim"}
    strange = {
        key.namespace
        for key, item in case.view.objects.items()
        if labels_of(item).get(MEMBERSHIP_LABEL) != case.policy.membership
    }
    reasons = []
    for key in sorted(going):
        if key.kind == "PersistentVolumeClaim":
            reasons.append(f"{key} holds data")
        elif key.kind == "CustomResourceDefinition":
            reasons.append(f"{key} takes every object of its kind with it")
        elif key.kind == "Namespace" and not key.group:
            if key.name in data or key.name in (claimed or ()):
                reasons.append(f"{key} holds PersistentVolumeClaims")
            elif key.name in strange:
                reasons.append(f"{key} holds objects of other sets")
            elif claimed is None:
                reasons.append(f"{key} may hold PersistentVolumeClaims; they are not seen")
    return reasons


def _name(case: Case, going: Mapping[ObjectKey, Object]) -> str:
    names, uids = map(str, going), map(uid_of, going.values())
    return held_name(case.view.cluster, case.policy.membership, names, uids)


def held_name(cluster: str, membership: str, names: Iterable[str], uids: Iterable[str]) -> str:
    """The hash that an approval names: these objects, by name and uid, in this cluster."""
    return digest([cluster, membership, sorted(names), sorted(uids)])

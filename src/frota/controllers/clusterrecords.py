"""One member cluster's part of the store."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass

from frota.compile.kubernetes import membership
from frota.model.clusterstatus import ClusterCondition
from frota.model.deliveryplan import DeliveryPolicy, DriftPolicy, PruneApproval
from frota.model.objects import MEMBERSHIP_LABEL, Object, ObjectKey
from frota.model.release import ClusterStatus, Release
from frota.ports.clusters import ClusterAddress
from frota.ports.store import Store
from frota.resources.quantity import parse_duration, parse_share

CLUSTER = "Cluster"
FLEET = "Fleet"
RELEASE = "Release"
STATUS = "ClusterStatus"
ROLLOUT = "Rollout"
PRUNE_APPROVAL = "PruneApproval"
TAKE_OVER = "TakeOver"
PUBLISHED = "Published"  # of a cluster that pulls: the last number, and what it was of


def approval_name(cluster: str, plan: str) -> str:
    """Where the approval of the held deletions with a hash is stored."""
    return f"{cluster}/{plan}"


@dataclass(frozen=True, slots=True)
class Wish:
    """What is declared of one cluster, and what it was told to have."""

    address: ClusterAddress
    provider: str
    fleet: str
    policy: DeliveryPolicy
    compare: float  # seconds between two full comparisons
    release: Release | None
    status: ClusterStatus | None
    status_revision: int
    declared: int  # the newest generation of the fleet


def read_wish(store: Store, cluster: str) -> Wish | None:
    """What the store says of a cluster; None when it is no member of a fleet that is there."""
    entry = store.get(CLUSTER, cluster)
    fleet: str = (entry.value["spec"].get("fleet") if entry is not None else None) or ""
    declared = store.get(FLEET, fleet) if fleet else None
    if entry is None or declared is None:
        return None
    spec, known = entry.value["spec"], store.get(STATUS, cluster)
    status: ClusterStatus | None = known.value if known is not None else None
    release = store.get(RELEASE, cluster)
    access = spec.get("kubeconfig") or {}
    options = declared.value["spec"]["delivery"]
    return Wish(
        address=ClusterAddress(cluster, access.get("path", ""), access.get("context", "")),
        provider=spec["provider"],
        fleet=fleet,
        policy=DeliveryPolicy(
            membership=membership(fleet),
            drift=DriftPolicy(options["drift"]),
            brake_share=parse_share(options["brake"]["share"]),
            brake_least=options["brake"]["least"],
            take_over=_taken_over(store, cluster),
            approved=_approved(store, cluster),
            unreachable_after=parse_duration(options["unreachableAfter"]),
            ran=dict(status.ran) if status is not None else {},
        ),
        compare=parse_duration(options["compare"]),
        release=release.value if release is not None else None,
        status=status,
        status_revision=known.revision if known is not None else 0,
        declared=_declared(store, fleet),
    )


def _declared(store: Store, fleet: str) -> int:
    entry = store.get(ROLLOUT, fleet)
    return entry.value.generation if entry is not None else 0


def _approved(store: Store, cluster: str) -> tuple[PruneApproval, ...]:
    prefix = f"{cluster}/"
    entries = store.list(PRUNE_APPROVAL)
    return tuple(entry.value for entry in entries if entry.name.startswith(prefix))


def surplus_uids(
    wanted: Container[ObjectKey], live: Mapping[ObjectKey, Object], membership: str
) -> frozenset[str]:
    """The uids of what is in a set and not wanted any more, whether it is being deleted or
    not."""
    return frozenset(
        str(item["metadata"].get("uid", ""))
        for key, item in live.items()
        if key not in wanted
        and (item["metadata"].get("labels") or {}).get(MEMBERSHIP_LABEL) == membership
    )


def _taken_over(store: Store, cluster: str) -> frozenset[ObjectKey]:
    entry = store.get(TAKE_OVER, cluster)
    if entry is None:
        return frozenset()
    return frozenset(ObjectKey(*words) for words in entry.value["objects"])


def condition_of(status: ClusterStatus | None, kind: str) -> ClusterCondition | None:
    """One condition of a status, by type."""
    conditions = status.conditions if status is not None else ()
    return next((item for item in conditions if item.type == kind), None)

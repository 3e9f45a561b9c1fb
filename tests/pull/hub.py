"""A control plane that publishes for one cluster, whose passes are taken by the test."""

from __future__ import annotations

from typing import Any

from frota.compile.kubernetes import membership
from frota.controllers.clusterrecords import (
    CLUSTER,
    FLEET,
    PRUNE_APPROVAL,
    PUBLISHED,
    RELEASE,
    STATUS,
    TAKE_OVER,
    approval_name,
    condition_of,
)
from frota.controllers.contents import BUNDLE, content_writes
from frota.controllers.pulledcluster import Containers, PulledClusterController
from frota.model.clusterstatus import ConditionType
from frota.model.deliveryplan import PruneApproval
from frota.model.objects import MEMBERSHIP_LABEL
from frota.model.release import ClusterStatus, HeldPrune, Release
from frota.planners.bundles import Signer
from frota.planners.delivery import prepare
from frota.ports.store import Write
from frota.runtime.clock import SystemClock
from frota.store.memory import MemoryStore

SET = membership("acme")
_DELIVERY = {
    "drift": "correct",
    "brake": {"share": "1%", "least": 1},
    "compare": "5m",
    "unreachableAfter": "10s",
}


def made(kind: str, name: str, space: str = "team-a", **body: Any) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "labels": {MEMBERSHIP_LABEL: SET}}
    if space:
        metadata["namespace"] = space
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **body}


def contents(*names: str) -> list[dict[str, Any]]:
    maps = [made("ConfigMap", name, data={"of": name}) for name in names]
    return [made("Namespace", "team-a", ""), *maps]


class Hub:
    """Cluster east of fleet acme."""

    def __init__(self, containers: Containers, signer: Signer) -> None:
        self.store = MemoryStore()
        self._controller = PulledClusterController(
            "east", store=self.store, containers=containers, signer=signer, clock=SystemClock()
        )

    def step(self) -> None:
        self._controller.reconcile()

    def release(self, items: list[dict[str, Any]]) -> None:
        """What the fleet's controller writes."""
        wanted = prepare(items, SET)
        digest = wanted.digest
        spec = {"fleet": "acme", "provider": "kubeconfig", "delivery": "pull"}
        generation = len(self.store.list(BUNDLE)) + 1
        self.store.commit(
            [
                Write(CLUSTER, "east", {"spec": spec}, None),
                Write(FLEET, "acme", {"spec": {"delivery": _DELIVERY}}, None),
                *content_writes("east", wanted, ()),
                Write(RELEASE, "east", Release("east", "acme", generation, digest, 0.0), None),
            ]
        )

    def approve(self, approval: PruneApproval) -> None:
        """What `frota approve` writes."""
        name = approval_name("east", approval.plan)
        self.store.commit([Write(PRUNE_APPROVAL, name, approval, 0)])

    def take_over(self, *names: tuple[str, str, str, str]) -> None:
        """What `frota take-over` writes."""
        value = {"objects": [list(name) for name in names]}
        self.store.commit([Write(TAKE_OVER, "east", value, 0)])

    @property
    def approvals(self) -> int:
        return len(self.store.list(PRUNE_APPROVAL))

    def status(self) -> ClusterStatus | None:
        entry = self.store.get(STATUS, "east")
        return entry.value if entry is not None else None

    @property
    def held(self) -> HeldPrune | None:
        status = self.status()
        return status.held if status is not None else None

    def condition(self, kind: ConditionType = ConditionType.SYNCED) -> str:
        found = condition_of(self.status(), kind)
        return f"{found.status} {found.reason}" if found is not None else ""

    @property
    def well(self) -> bool:
        return self.condition() == "True AsDeclared"

    @property
    def number(self) -> int:
        """The last sequence that was published."""
        entry = self.store.get(PUBLISHED, "east")
        return int(entry.value["sequence"]) if entry is not None else 0

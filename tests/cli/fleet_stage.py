"""A store in which a fleet was rolled out in part, written as the controllers write it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from frota.controllers.clusterrecords import RELEASE, ROLLOUT, STATUS
from frota.controllers.fleet import FleetController
from frota.model.clusterstatus import ClusterCondition, ConditionType, Truth
from frota.model.deliveryplan import PruneApproval
from frota.model.release import ClusterStatus, Drift, HeldPrune, Release
from frota.ports.store import Write
from frota.runtime.clock import SystemClock
from frota.store.sqlite import SqliteStore
from tests.cli.conftest import ROOT, Frota

FLEET = "acme"
_WELL = (
    (ConditionType.REACHABLE, Truth.TRUE, "Answers"),
    (ConditionType.SYNCED, Truth.TRUE, "AsDeclared"),
    (ConditionType.DRIFTED, Truth.FALSE, "AsDelivered"),
    (ConditionType.DEGRADED, Truth.FALSE, "AllHealthy"),
    (ConditionType.STALE, Truth.FALSE, "UpToDate"),
)
HELD = HeldPrune(
    PruneApproval("6f0e0b1c9f5d4a7e8d2c3b4a59687f10", frozenset({"u1", "u2"})),
    ("ConfigMap team/a", "ConfigMap team/b"),
    2,
    ("2 of 4 objects would be deleted, more than 1",),
)
DRIFT = Drift(
    "Deployment.apps team/chat",
    "Drifted",
    ".spec.replicas by kubectl",
    (".spec.replicas (by kubectl at 2026-11-22T05:00:00Z)",),
    corrected=False,
)


def declared(frota: Frota) -> None:
    """dev -> staging -> prod; the first step of the rollout was taken."""
    assert frota("apply", str(ROOT / "examples" / "by-environment")).code == 0
    step(frota)


def step(frota: Frota) -> None:
    """One step of the fleet's controller."""
    store = SqliteStore(frota.store)
    try:
        FleetController(FLEET, store=store, clock=SystemClock(store.latest())).reconcile()
    finally:
        store.close()


def seen(frota: Frota, cluster: str, **changes: Any) -> None:
    """The cluster was seen, and is well unless ``changes`` say otherwise."""
    store = SqliteStore(frota.store)
    try:
        release = store.get(RELEASE, cluster)
        told = release.value if release is not None else Release(cluster, FLEET, 0, "", 0.0)
        now = SystemClock(store.latest()).now()
        status = ClusterStatus(
            cluster, FLEET, told.generation, told.digest, conditions(now), 41, 41, "v1.36.3"
        )
        store.commit([Write(STATUS, cluster, replace(status, **changes), None)])
    finally:
        store.close()


def conditions(
    now: float = 1.0, *others: tuple[ConditionType, Truth, str, str]
) -> tuple[ClusterCondition, ...]:
    """All well, but for ``others``."""
    said = {kind: (kind, truth, reason, "") for kind, truth, reason in _WELL}
    said |= {item[0]: item for item in others}
    return tuple(
        ClusterCondition(kind, truth, reason, message, now, 1)
        for kind, truth, reason, message in said.values()
    )


def long_ago(frota: Frota, clusters: Sequence[str]) -> None:
    """These clusters have been done for a day: no soak holds the rollout up."""

    def change(rollout: Any) -> Any:
        parts = tuple(
            replace(part, since=part.since - 86_400.0) if part.cluster in clusters else part
            for part in rollout.clusters
        )
        return replace(rollout, clusters=parts)

    frota.change(ROLLOUT, FLEET, change)


def waits_for_approval(frota: Frota) -> None:
    """dev and staging have it; prod waits for a person."""
    declared(frota)
    for cluster in ("dev", "staging"):
        seen(frota, cluster)
        step(frota)
        seen(frota, cluster)
        step(frota)
        long_ago(frota, [cluster])
        step(frota)

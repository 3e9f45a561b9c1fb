"""Health of objects by kind, and the conditions of a cluster."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from frota.model.clusterstatus import ConditionType, Health, Truth
from frota.model.delivery import ClusterView
from frota.planners.delivery import (
    Standing,
    cluster_conditions,
    cluster_health,
    health,
    plan_delivery,
)
from tests.planners.delivery.builders import (
    POLICY,
    Cluster,
    made,
    settings,
    space,
    view_of,
    wanted_of,
    workload,
)

WELL = {
    "observedGeneration": 2,
    "replicas": 2,
    "updatedReplicas": 2,
    "readyReplicas": 2,
    "availableReplicas": 2,
}


def condition(kind: str, status: str, **more: str) -> dict[str, Any]:
    return {"conditions": [{"type": kind, "status": status, **more}]}


@pytest.mark.parametrize(
    ("kind", "version", "spec", "status", "expected"),
    [
        ("Deployment", "apps/v1", {"replicas": 2}, WELL, Health.CURRENT),
        ("Deployment", "apps/v1", {"replicas": 2}, {}, Health.PROGRESSING),
        (
            "Deployment",
            "apps/v1",
            {"replicas": 2},
            {**WELL, "observedGeneration": 1},
            Health.PROGRESSING,
        ),
        ("Deployment", "apps/v1", {"replicas": 3}, WELL, Health.PROGRESSING),
        ("Deployment", "apps/v1", {"replicas": 2}, {**WELL, "replicas": 3}, Health.PROGRESSING),
        (
            "Deployment",
            "apps/v1",
            {"replicas": 2},
            {**WELL, **condition("Progressing", "False", reason="ProgressDeadlineExceeded")},
            Health.FAILED,
        ),
        (
            "Deployment",
            "apps/v1",
            {"replicas": 2},
            {**WELL, **condition("ReplicaFailure", "True", message="exceeded quota")},
            Health.FAILED,
        ),
        ("Deployment", "apps/v1", {"replicas": 2}, "nonsense", Health.PROGRESSING),
        (
            "Deployment",
            "apps/v1",
            {"replicas": 2},
            {**WELL, "readyReplicas": "2", "conditions": "x"},
            Health.PROGRESSING,
        ),
        ("Job", "batch/v1", {}, {"active": 1}, Health.CURRENT),
        ("Job", "batch/v1", {"suspend": True}, {}, Health.CURRENT),
        ("Job", "batch/v1", {}, condition("Failed", "True", message="x"), Health.FAILED),
        ("JobSet", "jobset.x-k8s.io/v1", {}, condition("Failed", "True"), Health.FAILED),
        (
            "LeaderWorkerSet",
            "leaderworkerset.x-k8s.io/v1",
            {"replicas": 2},
            {"readyReplicas": 1, "updatedReplicas": 2},
            Health.PROGRESSING,
        ),
        (
            "LeaderWorkerSet",
            "leaderworkerset.x-k8s.io/v1",
            {"replicas": 2},
            {"readyReplicas": 2, "updatedReplicas": 2},
            Health.CURRENT,
        ),
        ("PersistentVolumeClaim", "v1", {}, {"phase": "Bound"}, Health.CURRENT),
        ("PersistentVolumeClaim", "v1", {}, {"phase": "Pending"}, Health.PROGRESSING),
        ("PersistentVolumeClaim", "v1", {}, {"phase": "Lost"}, Health.FAILED),
        ("Namespace", "v1", {}, {"phase": "Active"}, Health.CURRENT),
        ("Namespace", "v1", {}, {"phase": "Terminating"}, Health.ENDING),
        ("ConfigMap", "v1", {}, {}, Health.CURRENT),
        ("Widget", "example.org/v1", {}, condition("Ready", "False"), Health.PROGRESSING),
        ("Widget", "example.org/v1", {}, condition("Stalled", "True"), Health.FAILED),
        ("Service", "v1", {"type": "LoadBalancer"}, {}, Health.PROGRESSING),
        ("Service", "v1", {"type": "ClusterIP"}, {}, Health.CURRENT),
        (
            "DaemonSet",
            "apps/v1",
            {},
            {
                "observedGeneration": 2,
                "desiredNumberScheduled": 3,
                "updatedNumberScheduled": 3,
                "numberAvailable": 2,
            },
            Health.PROGRESSING,
        ),
        (
            "CustomResourceDefinition",
            "apiextensions.k8s.io/v1",
            {},
            condition("Established", "True"),
            Health.CURRENT,
        ),
    ],
)
def test_health(kind: str, version: str, spec: Any, status: Any, expected: Health) -> None:
    item = made(kind, "x", version=version, spec=spec, status=status)
    item["metadata"]["generation"] = 2
    found = health(item)
    assert found.health is expected
    assert bool(found.message) is (expected is not Health.CURRENT)


def test_an_object_that_ends_is_not_current() -> None:
    item = settings("c")
    item["metadata"]["deletionTimestamp"] = "2027-01-01T00:00:00Z"
    assert health(item).health is Health.ENDING


def test_what_is_missing_is_not_healthy() -> None:
    found = cluster_health(wanted_of([space(), settings("c")]), view_of([space()]))
    assert not found.healthy
    assert [key.name for key in found.missing] == ["c"]


class TestConditions:
    def standing(
        self, view: ClusterView, objects: list[Any], generation: int = 3, declared: int = 3
    ) -> Standing:
        wanted = wanted_of(objects)
        plan = plan_delivery(wanted, view, POLICY)
        return Standing(view, wanted, plan, POLICY, generation, declared)

    def said(self, standing: Standing, before: Any = (), now: float = 100.0) -> dict[str, Any]:
        found = cluster_conditions(standing, before, now)
        assert [c.type for c in found] == list(ConditionType)
        return {c.type: (c.status, c.reason) for c in found}

    def test_a_cluster_as_declared(self) -> None:
        cluster = Cluster()
        objects = [space(), workload("w")]
        cluster.bring(*objects)
        cluster.run(10)
        assert self.said(self.standing(cluster.view, objects)) == {
            "Reachable": (Truth.TRUE, "Answers"),
            "Synced": (Truth.TRUE, "AsDeclared"),
            "Drifted": (Truth.FALSE, "AsDelivered"),
            "Degraded": (Truth.FALSE, "AllHealthy"),
            "Stale": (Truth.FALSE, "UpToDate"),
        }

    def test_a_workload_that_fails_degrades(self) -> None:
        cluster = Cluster()
        objects = [space(), workload("w")]
        cluster.member.sick.add(next(iter(wanted_of([workload("w")]).objects)))
        cluster.bring(*objects)
        cluster.run(10)
        said = self.said(self.standing(cluster.view, objects))
        assert said["Degraded"] == (Truth.TRUE, "ObjectsFailed")
        assert said["Synced"] == (Truth.TRUE, "AsDeclared")

    def test_drift_is_said_while_it_is_put_right(self) -> None:
        cluster = Cluster()
        objects = [space(), settings("c", x="1")]
        cluster.bring(*objects)
        key = next(k for k in cluster.view.objects if k.name == "c")
        cluster.server.update(key, "kubectl", lambda item: item.update(data={"x": "2"}))
        cluster.run(1)
        said = self.said(self.standing(cluster.view, objects))
        assert said["Drifted"] == (Truth.TRUE, "Corrected")
        assert said["Synced"] == (Truth.FALSE, "Progressing")

    def test_a_held_prune_is_not_synced(self) -> None:
        view = view_of([space()])
        said = self.said(self.standing(view, []))
        assert said["Synced"] == (Truth.FALSE, "PruneHeld")

    @pytest.mark.parametrize(
        ("silent", "reachable"),
        [
            (3.0, (Truth.UNKNOWN, "Suspect")),
            (9.9, (Truth.UNKNOWN, "Suspect")),
            (10.0, (Truth.FALSE, "Unreachable")),
        ],
    )
    def test_silence_is_unknown_and_never_well(self, silent: float, reachable: Any) -> None:
        view = replace(view_of([]), answers=False, complete=False, last_seen=100 - silent)
        said = self.said(self.standing(view, []))
        assert said["Reachable"] == reachable
        assert said["Stale"] == (Truth.TRUE, "NotSeen")
        for kind in ("Synced", "Drifted", "Degraded"):
            assert said[kind] == (Truth.UNKNOWN, "NotSeen")

    def test_since_and_generation_tell_what_was_last_known(self) -> None:
        well = cluster_conditions(self.standing(view_of([]), []), (), 50.0)
        view = replace(view_of([]), answers=False, last_seen=60.0)
        gone = cluster_conditions(self.standing(view, [], 4, 4), well, 100.0)
        synced = next(c for c in gone if c.type is ConditionType.SYNCED)
        assert synced.status is Truth.UNKNOWN
        assert synced.since == 100.0
        assert synced.observed_generation == 3
        assert "was True (AsDeclared)" in synced.message
        later = cluster_conditions(self.standing(view, [], 4, 4), gone, 200.0)
        assert [c.since for c in later] == [c.since for c in gone]
        assert "was True" in next(c for c in later if c.type is ConditionType.SYNCED).message

    def test_an_older_generation_is_stale(self) -> None:
        said = self.said(self.standing(view_of([]), [], generation=3, declared=4))
        assert said["Stale"] == (Truth.TRUE, "HeldBack")

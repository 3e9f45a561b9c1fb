"""Fleets and their clusters under their controllers, on simulated API servers."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest
import yaml

from frota.controllers.cluster import ClusterController
from frota.controllers.clusterrecords import (
    CLUSTER,
    FLEET,
    PRUNE_APPROVAL,
    RELEASE,
    ROLLOUT,
    STATUS,
    condition_of,
)
from frota.controllers.contents import BUNDLE, PART
from frota.controllers.fleet import FleetController
from frota.model.clusterstatus import ConditionType
from frota.model.decision import Stage as DecisionStage
from frota.model.delivery import ClusterView, Delivery
from frota.model.objects import Object, ObjectKey
from frota.model.release import ClusterStatus, HeldPrune
from frota.model.rollout import Intent, Phase, Progress, Rollout
from frota.ports.store import Write
from frota.resources.documents import load
from frota.store.memory import MemoryStore
from frota.twin import TwinClock, World
from frota.twin.clusters import ClusterFleet, TwinClusters
from frota.twin.objectives import TwinObjectives

EXAMPLE = Path(__file__).parents[2] / "examples" / "by-environment"
MEMBERS = ("dev", "staging", "prod")
CHAT = ObjectKey("apps", "Deployment", "language-inference", "chat")
SPACE = ObjectKey("", "Namespace", "", "language-inference")
_STEP_S = 1.0


def documents() -> list[dict[str, Any]]:
    """The example fleet; no approval is asked for, and soak is short."""
    found = []
    for file in sorted(EXAMPLE.glob("*.yaml")):
        found += list(yaml.safe_load_all(file.read_text(encoding="utf-8")))
    fleet = next(item for item in found if item["kind"] == "Fleet")
    for environment in fleet["spec"]["environments"]:
        environment["gates"] = {"soak": "60s", "approval": False}
    return found


class Stage:
    """Three simulated clusters and the controllers of a fleet; one step is a second."""

    def __init__(self) -> None:
        self.world = World(7)
        self.members = ClusterFleet(self.world)
        for name in MEMBERS:
            self.members.add(name)
        self.store = MemoryStore()
        self.clock = TwinClock(self.world)
        self.rng = random.Random(3)
        self.meters = TwinObjectives(self.clock)
        self.clusters: TwinClusters | None = None
        self.restart()
        self.apply(documents())

    def restart(self, clusters: TwinClusters | None = None) -> None:
        """The process dies; another starts on the same store."""
        if self.clusters is not None:
            self.clusters.close()
        self.clusters = clusters or TwinClusters(self.members, self.clock)
        self.fleet = FleetController("acme", store=self.store, clock=self.clock, meters=self.meters)
        self.controllers = [
            ClusterController(
                name,
                store=self.store,
                clusters=self.clusters,
                clock=self.clock,
                rng=self.rng,
            )
            for name in MEMBERS
        ]

    def apply(self, items: list[dict[str, Any]]) -> None:
        loaded = load([("test.yaml", yaml.safe_dump_all(items))])
        assert not loaded.problems, loaded.problems
        self.store.commit([Write(r.kind, r.name, r.document, None) for r in loaded.resources])

    def step(self, times: int = 1) -> None:
        for _ in range(times):
            self.world.run_until(self.world.now + _STEP_S)
            self.fleet.reconcile()
            for controller in self.controllers:
                controller.reconcile()

    def until(self, phase: Phase, steps: int = 600) -> None:
        for _ in range(steps):
            if self.rollout.phase is phase and self.rollout.generation:
                return
            self.step()
        raise AssertionError(self.rollout)

    @property
    def rollout(self) -> Rollout:
        entry = self.store.get(ROLLOUT, "acme")
        return entry.value if entry is not None else Rollout("", "acme", "", 0, 0.0)

    def progress(self) -> Mapping[str, Progress]:
        return {part.cluster: part.state for part in self.rollout.clusters}

    def status(self, cluster: str) -> ClusterStatus:
        entry = self.store.get(STATUS, cluster)
        assert entry is not None
        status: ClusterStatus = entry.value
        return status

    def condition(self, cluster: str, kind: ConditionType) -> str:
        found = condition_of(self.status(cluster), kind)
        assert found is not None
        return f"{found.status} {found.reason}"

    def has(self, cluster: str, key: ObjectKey) -> bool:
        return key in self.members.members[cluster].server.objects

    def said(self, subject: str) -> str:
        lines = [e.message for e in self.store.journal(last=10_000) if e.subject == subject]
        return lines[-1] if lines else ""

    def reasons(self) -> list[str]:
        return [line.reason for line in self.store.journal(last=10_000)]

    def intend(self, intent: Intent) -> None:
        entry = self.store.get(ROLLOUT, "acme")
        assert entry is not None
        fresh = replace(entry.value, intent=intent)
        self.store.commit([Write(ROLLOUT, "acme", fresh, entry.revision)])


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_a_change_goes_from_stage_to_stage(stage: Stage) -> None:
    stage.step(30)
    assert stage.has("dev", CHAT)
    assert not stage.has("staging", CHAT)
    assert stage.condition("staging", ConditionType.SYNCED) == "Unknown NothingReleased"
    stage.until(Phase.COMPLETED)
    for cluster in MEMBERS:
        assert stage.has(cluster, CHAT)
        assert stage.condition(cluster, ConditionType.SYNCED) == "True AsDeclared"
        assert stage.condition(cluster, ConditionType.DEGRADED) == "False AllHealthy"
        assert stage.status(cluster).settled == stage.status(cluster).wanted > 40


def test_a_wave_waits_until_its_services_keep_their_objectives(stage: Stage) -> None:
    items = documents()
    for item in items:
        if item["kind"] == "Cluster":
            item["spec"]["telemetry"] = {"prometheus": {"url": "https://metrics.example"}}
    stage.apply(items)
    chat = ("language-inference", "chat")
    stage.step(120)
    assert "nothing is recorded of language-inference/chat" in stage.said("Wave/dev/1")
    stage.meters.rates["dev"] = {chat: 1.5}
    stage.step(20)
    assert stage.status("dev").settled == stage.status("dev").wanted
    assert not stage.has("staging", CHAT)
    stage.meters.rates["dev"] = {chat: 0.5}
    stage.meters.rates["staging"] = stage.meters.rates["prod"] = {chat: nan}  # nobody asks
    stage.until(Phase.COMPLETED)
    stage.step()
    assert stage.meters.measured("dev").at == -inf, "a rollout that is over asks nobody"


def test_at_rest_nothing_is_written_and_nobody_looks_at_once(stage: Stage) -> None:
    stage.until(Phase.COMPLETED)
    stage.step(30)
    before = stage.store.commit(())
    now = stage.clock.now()
    every: list[FleetController | ClusterController] = [stage.fleet, *stage.controllers]
    for controller in every:
        again_at = controller.reconcile().again_at
        assert again_at is not None
        assert again_at > now + 1
    stage.step(900)  # full comparisons among them
    assert stage.store.commit(()) == before


class Counting(TwinClusters):
    """Clusters whose views count how often somebody goes through their objects."""

    looks = 0

    def view(self, cluster: str) -> ClusterView:
        view = super().view(cluster)
        return replace(view, objects=Looked(self, view.objects))


class Looked(dict[ObjectKey, Object]):
    def __init__(self, clusters: Counting, objects: Mapping[ObjectKey, Object]) -> None:
        super().__init__(objects)
        self.clusters = clusters

    def items(self) -> Any:
        self.clusters.looks += 1
        return super().items()


def test_at_rest_the_objects_are_gone_through_at_full_comparisons_only(stage: Stage) -> None:
    clusters = Counting(stage.members, stage.clock)
    stage.restart(clusters)
    stage.until(Phase.COMPLETED)
    stage.step(30)
    clusters.looks = 0
    stage.step(600)
    assert 0 < clusters.looks < 60, "some of 1,800 passes"
    stage.members.members["prod"].server.remove(CHAT)
    stage.step(10)
    assert stage.has("prod", CHAT)


def test_clusters_to_which_nothing_is_released_are_not_looked_at_all_the_time(
    stage: Stage,
) -> None:
    stage.step(10)
    prod = stage.controllers[2]
    again_at = prod.reconcile().again_at
    assert again_at is not None
    assert again_at > stage.clock.now() + 1


@pytest.mark.parametrize("every", [1, 3, 7])
def test_a_process_killed_again_and_again_gets_there_all_the_same(stage: Stage, every: int) -> None:
    for turn in range(1200):
        if turn % every == 0 and turn < 60:
            stage.restart()
        stage.step()
        if stage.rollout.phase is Phase.COMPLETED:
            break
    assert stage.rollout.phase is Phase.COMPLETED
    assert stage.rollout.generation == 1
    assert stage.reasons().count("RolloutBegins") == 1


class Behind(TwinClusters):
    """Clusters whose views may be those of a while ago; it counts what is ordered."""

    orders = 0
    held: ClusterView | None = None

    def view(self, cluster: str) -> ClusterView:
        view = super().view(cluster)
        held = self.held if self.held is not None and self.held.cluster == cluster else view
        return replace(held, last_seen=view.last_seen)

    def order(self, delivery: Delivery) -> None:
        self.orders += 1
        super().order(delivery)


def test_what_was_made_a_moment_ago_and_is_not_seen_yet_is_not_made_again(stage: Stage) -> None:
    stage.until(Phase.COMPLETED)
    clusters = Behind(stage.members, stage.clock)
    stage.restart(clusters)
    stage.step(5)
    server, before = stage.members.members["prod"].server, clusters.orders
    server.update(SPACE, "mallory", lambda item: item["metadata"]["labels"].clear())

    def run(times: int) -> None:
        for _ in range(times):
            stage.world.run_until(stage.world.now + 0.1)
            stage.controllers[-1].reconcile()

    while clusters.orders == before:
        run(1)
    clusters.held = clusters.view("prod")
    run(9)
    assert clusters.orders == before + 1
    assert server.objects[SPACE].item["metadata"]["labels"]
    run(20)  # what is never seen is made again, and not forgotten
    assert clusters.orders > before + 1


def test_drift_is_put_right_and_told_or_only_told(stage: Stage) -> None:
    stage.until(Phase.COMPLETED)
    server = stage.members.members["prod"].server

    def loosen(item: dict[str, Any]) -> None:
        item["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] = "privileged"

    def label() -> str:
        labels = server.objects[SPACE].item["metadata"]["labels"]
        return str(labels["pod-security.kubernetes.io/enforce"])

    server.update(SPACE, "mallory", loosen)
    stage.step(5)
    assert label() == "restricted"
    told = [line.message for line in stage.store.journal() if line.reason == "DriftCorrected"]
    assert "mallory" in told[-1]
    fleet = next(item for item in documents() if item["kind"] == "Fleet")
    fleet["spec"]["delivery"]["drift"] = "observe"
    stage.apply([*(d for d in documents() if d["kind"] != "Fleet"), fleet])
    stage.step(5)
    server.update(SPACE, "mallory", loosen)
    stage.step(5)
    assert label() == "privileged"
    assert stage.condition("prod", ConditionType.DRIFTED).startswith("True")
    (drift,) = stage.status("prod").drifts
    assert not drift.corrected
    assert any("mallory" in field for field in drift.fields)


def test_a_silent_cluster_is_unknown_then_unreachable_and_the_rollout_waits(stage: Stage) -> None:
    stage.step(30)
    stage.members.members["prod"].hang()
    silent_since = stage.world.now
    seen = []
    while stage.world.now < silent_since + 60:
        stage.step()
        seen.append(stage.condition("prod", ConditionType.REACHABLE))
    assert "Unknown Suspect" in seen
    assert seen[-1] == "False Unreachable"
    stage.step(300)
    assert stage.progress()["prod"] is Progress.UNREACHABLE
    assert stage.rollout.phase is Phase.RUNNING
    stage.members.members["prod"].start()
    stage.until(Phase.COMPLETED)
    lines = stage.store.journal(last=10_000)
    causes = [
        x.reason for x in lines if (x.subject, x.stage) == ("Cluster/prod", DecisionStage.CAUSE)
    ]
    assert causes == ["Unreachable", "Answers"]


def test_a_cluster_that_lost_its_storage_is_told_and_gets_everything_again(stage: Stage) -> None:
    stage.until(Phase.COMPLETED)
    stage.members.members["dev"].wipe()
    stage.step(100)
    assert stage.reasons().count("AnotherCluster") == 1
    assert stage.has("dev", CHAT)
    assert stage.condition("dev", ConditionType.SYNCED) == "True AsDeclared"


def test_a_job_that_ended_is_kept_for_its_time_and_never_runs_again(stage: Stage) -> None:
    spec: dict[str, Any] = {
        "team": "language",
        "image": "registry.example/tune@sha256:" + "ab" * 32,
        "resources": {"cpus": 1, "memory": "1Gi"},
        "placement": {"function": "inference", "environments": ["dev"]},
        "ttlAfterFinished": "2m",
    }
    meta = {"apiVersion": "frota.dev/v1alpha1", "kind": "TrainingJob", "metadata": {"name": "tune"}}
    stage.apply([*documents(), {**meta, "spec": spec}])
    stage.until(Phase.COMPLETED)
    job = ObjectKey("batch", "Job", "language-inference", "tune")
    server = stage.members.members["dev"].server
    end = stage.clock.now()
    stamp = datetime.fromtimestamp(int(end), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    done = {"conditions": [{"type": "Complete", "status": "True", "lastTransitionTime": stamp}]}
    server.update(job, "kube-controller-manager", lambda item: item.update(status=done), "status")
    while stage.clock.now() < end + 115:
        stage.step()
    assert stage.has("dev", job)
    stage.step(15)
    assert not stage.has("dev", job)
    assert [name for name, _ in stage.status("dev").ran] == [job]
    made = server.revision
    stage.restart()
    stage.step(30)
    assert server.revision == made
    assert stage.condition("dev", ConditionType.SYNCED) == "True AsDeclared"
    assert stage.condition("dev", ConditionType.DEGRADED) == "False AllHealthy"
    stage.store.commit([Write("TrainingJob", "tune", None, None)])
    stage.step(120)
    assert stage.status("dev").ran == ()


def test_a_rollback_gives_back_what_was_there(stage: Stage) -> None:
    stage.until(Phase.COMPLETED)
    before = stage.status("dev").digest
    changed = documents()
    service = next(item for item in changed if item["kind"] == "InferenceService")
    service["spec"]["runtime"]["image"] = "registry.example/other@sha256:" + "ab" * 32
    stage.apply(changed)
    for _ in range(100):
        stage.step()
        if stage.progress().get("dev") is Progress.DONE and stage.rollout.generation == 2:
            break
    assert stage.status("dev").digest != before
    stage.intend(Intent.ROLLBACK)
    stage.until(Phase.ROLLED_BACK)
    stage.step(5)
    assert stage.status("dev").digest == before
    image = stage.members.members["dev"].server.objects[CHAT].item["spec"]["template"]["spec"]
    assert "other@" not in str(image)


def test_an_abort_writes_nothing_more_and_says_what_was_left_part_way(stage: Stage) -> None:
    stage.members.members["dev"].slow = 300.0
    stage.step(10)
    assert stage.progress()["dev"] is Progress.DELIVERING
    stage.intend(Intent.ABORT)
    stage.step(2)
    assert stage.rollout.phase is Phase.ABORTED
    assert stage.store.get(RELEASE, "dev") is None
    stage.members.members["dev"].slow = 1.0
    stage.step(300)
    assert not stage.has("dev", CHAT)
    assert "LeftPartWay" in stage.reasons()


def held_back(stage: Stage) -> HeldPrune:
    """A service is not declared any more; its objects in dev are held."""
    stage.until(Phase.COMPLETED)
    entry = stage.store.get("InferenceService", "chat")
    assert entry is not None
    stage.store.commit([Write("InferenceService", "chat", None, entry.revision)])
    stage.step(30)
    held = stage.status("dev").held
    assert held is not None
    return held


def test_many_deletions_wait_and_go_on_with_an_approval(stage: Stage) -> None:
    held = held_back(stage)
    assert stage.has("dev", CHAT)
    assert "PruneHeld" in stage.reasons()
    stage.store.commit([Write(PRUNE_APPROVAL, f"dev/{held.approval.plan}", held.approval, None)])
    stage.step(10)
    assert not stage.has("dev", CHAT)
    assert stage.has("staging", CHAT)
    assert not stage.store.list(PRUNE_APPROVAL), "an approval that was used up was kept"


def test_kinds_are_watched_until_nothing_is_left_of_them(stage: Stage) -> None:
    stage.until(Phase.COMPLETED)
    assert "Deployment" in {kind.kind for kind in stage.status("dev").kinds}
    entry = stage.store.get("InferenceService", "chat")
    assert entry is not None
    held = held_back(stage)
    assert "Deployment" in {kind.kind for kind in stage.status("dev").kinds}
    stage.store.commit([Write(PRUNE_APPROVAL, f"dev/{held.approval.plan}", held.approval, None)])
    stage.step(30)
    left = {kind.kind for kind in stage.status("dev").kinds}
    assert "Namespace" in left
    assert "Deployment" not in left
    before = stage.store.get(STATUS, "dev")
    stage.step(100)
    assert stage.store.get(STATUS, "dev") == before
    stage.store.commit([Write("InferenceService", "chat", entry.value, 0)])
    stage.until(Phase.COMPLETED)
    stage.step(10)
    assert stage.has("dev", CHAT)


def test_what_nothing_refers_to_any_more_is_forgotten(stage: Stage) -> None:
    stage.until(Phase.COMPLETED)
    for turn in range(20):
        changed = documents()
        service = next(item for item in changed if item["kind"] == "InferenceService")
        service["spec"]["replicas"] = 5 + turn
        service["spec"]["scaling"] = {"min": 4, "max": 60, "metric": "queue"}
        stage.apply(changed)
        stage.step(2)
    stage.until(Phase.COMPLETED, 2000)
    assert len(stage.store.list("Revision")) <= 15
    bundles = stage.store.list(BUNDLE)
    assert len(bundles) <= 40
    needed = {name for entry in bundles for name in entry.value["parts"]}
    assert {entry.name for entry in stage.store.list(PART)} == needed


def test_a_cluster_that_leaves_its_fleet_is_left_alone(stage: Stage) -> None:
    stage.until(Phase.COMPLETED)
    entry = stage.store.get(CLUSTER, "prod")
    assert entry is not None
    stage.store.commit([Write(CLUSTER, "prod", None, entry.revision)])
    stage.step(10)
    assert stage.has("prod", CHAT)
    assert stage.store.get(RELEASE, "prod") is None
    assert stage.store.get(FLEET, "acme") is not None

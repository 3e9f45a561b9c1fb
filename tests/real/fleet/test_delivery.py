"""A fleet delivered to three real API servers by the controllers of ``frota up``."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from frota.app import Application
from frota.controllers.clusterrecords import (
    CLUSTER,
    PRUNE_APPROVAL,
    ROLLOUT,
    STATUS,
    TAKE_OVER,
    condition_of,
)
from frota.controllers.fleetrecords import shape_of
from frota.drivers.devfleet.api import Api
from frota.drivers.devfleet.cluster import Cluster
from frota.model.clusterstatus import ConditionType
from frota.model.release import ClusterStatus
from frota.model.rollout import Phase, Progress, Rollout
from frota.planners.rollout import approval_hash, waves_of
from frota.ports.store import Write
from frota.resources.documents import load
from tests.real.fleet import faults
from tests.real.fleet.stage import fleet_of_tests, require_fleet

pytestmark = [pytest.mark.real]

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "by-environment"
MEMBERS = ("dev", "staging", "prod")
CHAT = "/apis/apps/v1/namespaces/language-inference/deployments/chat"
_DEADLINE_S = 60.0


def eventually(what: Callable[[], Any], seconds: float = _DEADLINE_S) -> Any:
    """The first true answer within a time; its last one otherwise."""
    end = time.monotonic() + seconds
    while not (found := what()) and time.monotonic() < end:
        time.sleep(0.05)
    return found


class Stage:
    """An application at work on a fleet of three clusters."""

    def __init__(self, folder: Path, clusters: list[Cluster]) -> None:
        self.clusters = dict(zip(MEMBERS, clusters, strict=True))
        self.told: list[str] = []
        self.app = Application(folder / "frota.db", "test", self.told.append)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.ready = threading.Event()

    def _run(self) -> None:
        with self.app:
            self.ready.set()
            self.app.run()

    def start(self) -> None:
        self.thread.start()
        assert self.ready.wait(10)

    def stop(self) -> None:
        self.app.stop()
        self.thread.join(20)

    def documents(self) -> list[dict[str, Any]]:
        """The example, on these clusters, with gates that open in a test's time."""
        found = []
        for file in sorted(EXAMPLE.glob("*.yaml")):
            found += list(yaml.safe_load_all(file.read_text(encoding="utf-8")))
        for document in found:
            spec = document["spec"]
            if document["kind"] == "Cluster":
                path = self.clusters[document["metadata"]["name"]].kubeconfig
                spec |= {"provider": "kubeconfig", "kubeconfig": {"path": str(path)}}
            if document["kind"] == "Fleet":
                spec["delivery"]["brake"] = {"share": "10%", "least": 2}
                for environment in spec["environments"]:
                    environment["gates"] |= {"soak": "1s", "healthy": False}
        return found

    def apply(self, documents: list[dict[str, Any]]) -> None:
        loaded = load([("test.yaml", yaml.safe_dump_all(documents))])
        assert not loaded.problems, loaded.problems
        for item in loaded.resources:
            self.app.store.commit([Write(item.kind, item.name, item.document, None)])

    def rollout(self) -> Rollout | None:
        entry = self.app.store.get(ROLLOUT, "acme")
        return entry.value if entry is not None else None

    def progress(self) -> dict[str, Progress]:
        rollout = self.rollout()
        return {part.cluster: part.state for part in rollout.clusters} if rollout else {}

    def phase(self) -> Phase | None:
        rollout = self.rollout()
        return rollout.phase if rollout else None

    def generation(self) -> int:
        rollout = self.rollout()
        return rollout.generation if rollout else 0

    def approve(self) -> None:
        """As ``frota rollout approve`` does."""
        entry = self.app.store.get(ROLLOUT, "acme")
        fleet = self.app.store.get("Fleet", "acme")
        assert entry is not None
        assert fleet is not None
        clusters = [item.value for item in self.app.store.list(CLUSTER)]
        prod = waves_of(shape_of(fleet.value, clusters))[-1]
        approvals = (*entry.value.approvals, approval_hash(entry.value, prod))
        fresh = replace(entry.value, approvals=approvals)
        self.app.store.commit([Write(ROLLOUT, "acme", fresh, entry.revision)])

    def status(self, cluster: str) -> ClusterStatus | None:
        entry = self.app.store.get(STATUS, cluster)
        return entry.value if entry is not None else None

    def condition(self, cluster: str, kind: ConditionType) -> str:
        found = condition_of(self.status(cluster), kind)
        return f"{found.status} {found.reason}" if found is not None else ""

    def api(self, cluster: str) -> Api:
        return self.clusters[cluster].api()

    def journal(self, reason: str) -> list[str]:
        return [line.message for line in self.app.store.journal() if line.reason == reason]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Clusters of its own: what is delivered to them is no other test's business."""
    require_fleet()
    with fleet_of_tests(len(MEMBERS)) as clusters:
        made = Stage(tmp_path_factory.mktemp("delivery"), clusters)
        made.start()
        yield made
        made.stop()


def test_1_a_change_goes_from_dev_to_staging_and_waits_for_a_person_before_prod(
    stage: Stage,
) -> None:
    stage.apply(stage.documents())
    assert eventually(lambda: stage.progress().get("staging") is Progress.DONE), stage.rollout()
    assert eventually(lambda: stage.journal("WaitsForApproval"))
    assert stage.api("dev").get(CHAT)["spec"]["replicas"] == 1
    assert stage.api("prod").call("GET", CHAT).status == 404
    assert stage.phase() is Phase.RUNNING
    stage.approve()
    assert eventually(lambda: stage.phase() is Phase.COMPLETED), stage.rollout()
    for cluster in MEMBERS:
        assert stage.condition(cluster, ConditionType.SYNCED) == "True AsDeclared"


def test_2_what_somebody_changes_is_put_right_and_told(stage: Stage) -> None:
    path = "/api/v1/namespaces/language-inference"
    api = stage.api("prod")
    meta = api.get(path)["metadata"]
    assert meta["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    patch = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}}
    merge = "application/merge-patch+json"
    api.call("PATCH", f"{path}?fieldManager=mallory", patch, form=merge).demand()
    assert eventually(
        lambda: (
            api.get(path)["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
            == "restricted"
        ),
        5,
    )
    assert eventually(lambda: any("mallory" in line for line in stage.journal("DriftCorrected")))


def test_3_an_api_server_that_dies_is_named_and_the_others_go_on(stage: Stage) -> None:
    faults.kill(stage.clusters["prod"])
    try:
        assert eventually(
            lambda: stage.condition("prod", ConditionType.REACHABLE) == "False Unreachable", 20
        )
        documents = stage.documents()
        service = next(item for item in documents if item["kind"] == "InferenceService")
        service["spec"]["runtime"]["args"] = ["--max-model-len=4096"]
        before = stage.generation()
        stage.apply(documents)
        assert eventually(lambda: stage.generation() > before)
        assert eventually(lambda: stage.progress().get("staging") is Progress.DONE)
        stage.approve()
        assert eventually(lambda: stage.progress().get("prod") is Progress.UNREACHABLE)
        assert stage.phase() is Phase.RUNNING  # never completed without it
    finally:
        faults.revive(stage.clusters["prod"])
    assert eventually(lambda: stage.condition("prod", ConditionType.REACHABLE) == "True Answers")
    assert eventually(lambda: stage.phase() is Phase.COMPLETED), stage.rollout()
    found = stage.api("prod").get(CHAT)["spec"]["template"]["spec"]["containers"]
    assert any("--max-model-len=4096" in item.get("args", ()) for item in found)


def test_4_many_deletions_wait_for_an_approval_of_exactly_these(stage: Stage) -> None:
    documents = [item for item in stage.documents() if item["kind"] != "InferenceService"]
    entry = stage.app.store.get("InferenceService", "chat")
    assert entry is not None
    stage.app.store.commit([Write("InferenceService", "chat", None, entry.revision)])
    stage.apply(documents)
    held = eventually(lambda: (status := stage.status("dev")) and status.held)
    assert held, stage.status("dev")
    assert stage.api("dev").call("GET", CHAT).ok
    name = f"dev/{held.approval.plan}"
    stage.app.store.commit([Write(PRUNE_APPROVAL, name, held.approval, None)])
    assert eventually(lambda: stage.api("dev").call("GET", CHAT).status == 404)
    assert stage.api("staging").call("GET", CHAT).ok  # that is another cluster's decision


def test_5_an_object_of_another_is_not_taken_over_unasked(stage: Stage) -> None:
    space = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "vision-inference", "labels": {"frota.dev/team": "theirs"}},
    }
    path = "/api/v1/namespaces/vision-inference"
    api = stage.api("dev")
    api.apply(path, space, "them").demand()
    vision = next(item for item in stage.documents() if item["kind"] == "Team")
    vision["metadata"]["name"] = "vision"
    stage.apply([*stage.documents(), vision])
    found = eventually(
        lambda: [
            line
            for line in getattr(stage.status("dev"), "problems", ())
            if line.startswith("Namespace vision-inference: Conflict")
        ]
    )
    assert found, stage.status("dev")
    assert "them" in found[0]
    assert api.get(path)["metadata"]["labels"]["frota.dev/team"] == "theirs"
    value = {"objects": [["", "Namespace", "", "vision-inference"]]}
    stage.app.store.commit([Write(TAKE_OVER, "dev", value, None)])
    assert eventually(lambda: api.get(path)["metadata"]["labels"]["frota.dev/team"] == "vision")

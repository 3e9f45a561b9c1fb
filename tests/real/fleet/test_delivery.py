"""A fleet delivered to three real API servers by the controllers of ``frota up``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from frota.compile.kubernetes.applyset import GROUP_KINDS
from frota.controllers.clusterrecords import PRUNE_APPROVAL, TAKE_OVER
from frota.model.clusterstatus import ConditionType
from frota.model.rollout import Phase, Progress
from frota.ports.store import Write
from tests.real.fleet import faults
from tests.real.fleet.delivery_stage import CHAT, MEMBERS, Stage
from tests.real.fleet.stage import fleet_of_tests, require_fleet
from tests.waiting import eventually

pytestmark = [pytest.mark.fleet]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Clusters of its own: what is delivered to them is no other test's business."""
    require_fleet()
    with fleet_of_tests(len(MEMBERS)) as clusters:
        named = dict(zip(MEMBERS, clusters, strict=True))
        made = Stage(tmp_path_factory.mktemp("delivery"), named)
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
    assert "Deployment.apps" in kinds_of_parent(stage)  # it is there still
    name = f"dev/{held.approval.plan}"
    stage.app.store.commit([Write(PRUNE_APPROVAL, name, held.approval, None)])
    assert eventually(lambda: stage.api("dev").call("GET", CHAT).status == 404)
    assert stage.api("staging").call("GET", CHAT).ok  # that is another cluster's decision
    assert eventually(lambda: "Deployment.apps" not in kinds_of_parent(stage))


def kinds_of_parent(stage: Stage) -> str:
    """What the parent of the set in dev says that is there."""
    parent = stage.api("dev").get("/api/v1/namespaces/frota-system/configmaps/frota-acme")
    return str(parent["metadata"]["annotations"][GROUP_KINDS])


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


def test_6_a_job_that_ended_is_deleted_and_does_not_run_again(stage: Stage) -> None:
    image = "registry.example/tune@sha256:" + "ab" * 32
    spec = {
        "team": "language",
        "image": image,
        "resources": {"cpus": 1, "memory": "1Gi"},
        "placement": {"function": "inference", "environments": ["dev"]},
        "ttlAfterFinished": "1s",
    }
    job = {"apiVersion": "frota.dev/v1alpha1", "kind": "TrainingJob", "metadata": {"name": "tune"}}
    stage.apply([*stage.documents(), job | {"spec": spec}])
    assert eventually(lambda: getattr(stage.status("dev"), "ran", ())), stage.status("dev")
    path = "/apis/batch/v1/namespaces/language-inference/jobs/tune"
    assert eventually(lambda: stage.api("dev").call("GET", path).status == 404)
    assert stage.journal("Delivers")[-1].startswith("1 to prune: Job.batch language-inference/tune")
    assert eventually(lambda: stage.condition("dev", ConditionType.SYNCED) == "True AsDeclared")
    assert stage.api("dev").call("GET", path).status == 404

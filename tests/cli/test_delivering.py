"""rollout, drift, approve, take-over, delete: commands on a fleet that was rolled out in part."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml

from frota.controllers.clusterrecords import PRUNE_APPROVAL, RELEASE, STATUS, TAKE_OVER
from frota.controllers.contents import BUNDLE, PART
from frota.controllers.fleetrecords import REVISION
from frota.model.clusterstatus import ConditionType, Truth
from frota.model.rollout import Intent, Phase, Rollout, Skip
from frota.store.sqlite import SqliteStore
from tests.cli import fleet_stage as stage
from tests.cli.conftest import ROOT, Frota


@pytest.fixture
def fleet(empty: Frota) -> Frota:
    """A fleet whose prod waits for an approval."""
    stage.waits_for_approval(empty)
    return empty


def test_status_by_wave_and_cluster(fleet: Frota) -> None:
    found = fleet("rollout", "status", "--output", "json").data
    states = {c["cluster"]: (w["name"], c["state"]) for w in found["waves"] for c in w["clusters"]}
    assert states == {
        "dev": ("dev/1", "Done"),
        "staging": ("staging/1", "Done"),
        "prod": ("prod/1", "Waiting"),
    }
    waits = found["waitsForApproval"]
    assert waits["command"] == f"frota rollout approve acme {waits['hash']}"
    told = fleet("rollout", "status", "acme").out
    assert told.startswith(f"{found['id']}: Running (generation 1")
    assert "WaitsForWave: waits for staging/1" in told
    assert "staging/1: WaitsForApproval: prod/1 (prod) begins after an approval" in told
    assert f"to let it begin: {waits['command']}" in told


def test_a_silent_cluster_is_named(empty: Frota) -> None:
    stage.declared(empty)
    said = (ConditionType.REACHABLE, Truth.FALSE, "Unreachable", "no answer: refused")
    stage.seen(empty, "dev", conditions=stage.conditions(1.0, said))
    stage.step(empty)
    told = empty("rollout", "status").out
    assert "Unreachable: Unreachable: no answer: refused" in told
    assert "Completed" not in told
    assert "False Unreachable" in empty("get", "clusters").out
    assert "Reachable: no answer: refused" in empty("explain", "cluster/dev").out


def test_approval_is_bound_to_what_waits(fleet: Frota) -> None:
    wrong = fleet("rollout", "approve", "abc")
    assert wrong.code == 1
    right = fleet("rollout", "status", "--output", "json").data["waitsForApproval"]["hash"]
    assert f"frota rollout approve acme {right}" in wrong.err
    assert fleet("rollout", "approve", "acme", right).code == 0
    assert "was already approved" in fleet("rollout", "approve", right).out
    assert fleet.entry("Rollout", "acme").value.approvals == (right,)
    stage.step(fleet)
    states = fleet("rollout", "status", "--output", "json").data
    assert states["waitsForApproval"] is None
    assert states["waves"][2]["clusters"][0]["begun"]
    story = fleet("explain", "fleet/acme").out
    assert f"Asked  rollout approve {right}, by " in story


def test_pause_and_resume(fleet: Frota) -> None:
    assert "begins nothing new" in fleet("rollout", "pause").out
    assert "is so already: pause" in fleet("rollout", "pause", "acme").out
    assert fleet.entry("Rollout", "acme").value.intent is Intent.PAUSE
    stage.step(fleet)
    assert "Paused, Pause was asked for" in fleet("rollout", "status").out
    ended = fleet("rollout", "resume", "--output", "json")
    assert ended.data == {"subject": "Rollout/acme", "action": "resume", "changed": True}
    assert fleet.entry("Rollout", "acme").value.intent is Intent.RUN


def test_abort_says_what_it_means(fleet: Frota) -> None:
    foretold = fleet("rollout", "abort", "--dry-run", "--output", "json").data
    assert foretold["effects"] == [
        "dev keeps what it was given",
        "staging keeps what it was given",
        "prod keeps what it had, and is not begun",
    ]
    assert fleet.entry("Rollout", "acme").value.intent is Intent.RUN
    assert fleet("rollout", "abort").code == 0
    stage.step(fleet)
    assert fleet.entry("Rollout", "acme").value.phase is Phase.ABORTED
    resumed = fleet("rollout", "resume")
    assert resumed.code == 1
    assert "was aborted and does not go on" in resumed.err
    assert fleet("rollout", "rollback").code == 0
    refused = fleet("rollout", "pause")
    assert refused.code == 1
    assert "goes back" in refused.err


def test_rollback_says_what_it_means(fleet: Frota) -> None:
    told = fleet("rollout", "rollback", "--dry-run").out
    assert "dev had nothing before, and keeps what it has" in told
    assert "prod was not begun, and stays as it is" in told

    def before(rollout: Rollout) -> Rollout:
        parts = tuple(replace(part, before="f00dfeed11") for part in rollout.clusters)
        return replace(rollout, clusters=parts)

    fleet.change("Rollout", "acme", before)
    assert "dev goes back to revision f00dfeed" in fleet("rollout", "rollback", "--dry-run").out


def test_skip(fleet: Frota) -> None:
    near = fleet("rollout", "skip", "prdo")
    assert near.code == 4
    assert "did you mean prod?" in near.err
    assert fleet("rollout", "skip", "acme", "prod", "--reason", "no power").code == 0
    assert fleet.entry("Rollout", "acme").value.skips == (Skip("prod", "no power"),)
    assert "is so already" in fleet("rollout", "skip", "prod").out
    assert "reason: Skipped" in fleet("rollout", "status", "--output", "yaml").out
    assert fleet("rollout", "status", "--output", "json").data["waitsForApproval"] is None
    stage.step(fleet)
    assert fleet("get", "rollouts", "--output", "json").data[0]["status"]["phase"] == "Partial"
    assert "is over: Partial" in fleet("rollout", "abort").err
    assert fleet("rollout", "skip", "prod", "--undo").code == 0
    assert fleet.entry("Rollout", "acme").value.skips == ()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("rollout", "status", "acmee"), 4, "did you mean acme?"),
        (("rollout", "approve"), 2, "required: HASH"),
        (("approve", "dev"), 4, "nothing is held in cluster dev"),
        (("approve", "nothing"), 4, "neither a member cluster nor the hash"),
        (("drift", "dve"), 4, "did you mean dev?"),
        (("take-over", "dev", "chat"), 2, "expected KIND/NAMESPACE/NAME or KIND/NAME; found chat"),
        (("take-over", "dev", "Deployment/x/chat"), 4, "near it: "),
    ],
)
def test_what_cannot_be_is_refused(
    words: tuple[str, ...], code: int, said: str, fleet: Frota
) -> None:
    ended = fleet(*words)
    assert ended.code == code
    assert said in ended.err


def test_without_a_rollout(empty: Frota) -> None:
    assert empty("apply", str(ROOT / "examples" / "by-environment")).code == 0
    assert "has no rollout yet" in empty("rollout", "status").err
    assert empty("get", "rollouts").err == "no Rollout is stored\n"
    assert "nothing was rolled out yet" in empty("explain", "fleet/acme").out
    assert "nobody has looked at it yet" in empty("explain", "cluster/dev").out
    assert empty("drift").code == 5


def test_clusters_with_their_conditions(fleet: Frota) -> None:
    stage.seen(fleet, "prod", held=stage.HELD, drifts=(stage.DRIFT,), settled=38)
    head, *rows = fleet("get", "clusters").out.splitlines()
    assert "REACHABLE" in head
    prod = next(row for row in rows if row.startswith("prod"))
    assert "38/41" in prod
    assert "v1.36.3" in prod
    assert f"to let the deletions go: frota approve prod {stage.HELD.approval.plan}" in prod
    status = fleet("get", "cluster", "prod", "--output", "json").data["status"]
    assert [c["type"] for c in status["conditions"]] == [*ConditionType]
    assert status["heldPrune"]["approve"] == f"frota approve prod {stage.HELD.approval.plan}"
    described = fleet("describe", "cluster", "prod", "--output", "yaml").out
    assert "heldPrune:" in described
    told = fleet("explain", "cluster/prod").out
    assert "drift, which is only observed: Deployment.apps team/chat" in told
    assert "Wave/staging/1  WaitsForApproval" in told


def test_drift(fleet: Frota) -> None:
    assert fleet("drift").code == 5  # prod was never seen
    stage.seen(fleet, "prod")
    ended = fleet("drift")
    assert (ended.code, ended.out) == (0, "nothing drifts\n")
    drifted = (ConditionType.DRIFTED, Truth.TRUE, "Drifted", stage.DRIFT.message)
    stage.seen(fleet, "prod", drifts=(stage.DRIFT,), conditions=stage.conditions(1.0, drifted))
    ended = fleet("drift", "prod")
    assert ended.code == 1
    assert "observed  .spec.replicas (by kubectl at 2026-11-22T05:00:00Z)" in ended.out
    data = fleet("drift", "--output", "json").data
    assert [item["status"] for item in data] == ["False", "True", "False"]
    assert data[1]["drifts"][0]["corrected"] is False


@pytest.mark.parametrize("words", [("prod", "HASH"), ("HASH",), ("prod", "--yes")])
def test_held_deletions_are_approved(words: tuple[str, ...], fleet: Frota) -> None:
    stage.seen(fleet, "prod", held=stage.HELD)
    plan = stage.HELD.approval.plan
    ended = fleet("approve", *(plan if word == "HASH" else word for word in words))
    assert (ended.code, ended.out) == (0, "2 deletions in prod are approved\n")
    assert fleet.entry(PRUNE_APPROVAL, f"prod/{plan}").value == stage.HELD.approval
    assert "(was already)" in fleet("approve", "prod", plan).out
    assert f"Asked  approve deletions {plan}" in fleet("explain", "cluster/prod").out


def test_held_deletions_are_shown_before_they_are_approved(fleet: Frota) -> None:
    stage.seen(fleet, "prod", held=stage.HELD)
    asked = fleet("approve", "prod")
    assert asked.code == 1
    assert "2 objects would be deleted: ConfigMap team/a, ConfigMap team/b; 2 of 4" in asked.err
    other = fleet("approve", "prod", "abc")
    assert other.code == 4
    assert f"held: {stage.HELD.approval.plan}" in other.err


def test_take_over(fleet: Frota) -> None:
    words = ("take-over", "dev", "Deployment/language-inference/chat")
    assert fleet(*words).code == 0
    key = ["apps", "Deployment", "language-inference", "chat"]
    assert fleet.entry(TAKE_OVER, "dev").value == {"objects": [key]}
    assert "is so already" in fleet(*words).out
    assert fleet("take-over", "dev", "PriorityClass/frota-inference").code == 0
    assert len(fleet.entry(TAKE_OVER, "dev").value["objects"]) == 2
    assert fleet(*words, "PriorityClass/frota-inference", "--undo").code == 0
    store = SqliteStore(fleet.store, create=False)
    assert store.get(TAKE_OVER, "dev") is None
    store.close()


def test_deleting_a_fleet_leaves_nothing(fleet: Frota) -> None:
    stage.seen(fleet, "prod", held=stage.HELD)
    assert fleet("approve", stage.HELD.approval.plan).code == 0
    assert "Cluster/dev: spec.fleet" in fleet("delete", "fleet", "acme", "--yes").err
    told = fleet("delete", "service", "chat", "--dry-run").out
    assert "its objects are deleted from clusters by the next rollout" in told
    for kind, name in (("service", "chat"), ("team", "language")):
        assert fleet("delete", kind, name, "--yes").code == 0
    told = fleet("delete", "cluster", "prod", "--dry-run").out
    assert "what was delivered there stays as it is" in told
    for name in ("dev", "staging", "prod"):
        assert fleet("delete", "cluster", name, "--yes").code == 0
        stage.step(fleet)
    assert fleet("delete", "fleet", "acme", "--yes").code == 0
    store = SqliteStore(fleet.store, create=False)
    for kind in (BUNDLE, PART, PRUNE_APPROVAL, RELEASE, REVISION, STATUS, TAKE_OVER, "Rollout"):
        assert list(store.list(kind)) == [], kind
    store.close()


@pytest.mark.parametrize("form", ["json", "yaml"])
@pytest.mark.parametrize(
    "words",
    [
        "rollout status", "rollout pause", "rollout rollback --dry-run", "rollout skip prod",
        "get clusters", "get rollouts", "get rollout acme", "describe fleet acme",
        "describe cluster dev", "describe rollout acme", "explain fleet/acme",
        "explain cluster/prod", "drift", "approve prod --yes",
        "take-over dev PriorityClass/frota-inference", "plan --now-what",
    ],
)  # fmt: skip
def test_every_command_has_a_form_for_programs(words: str, form: str, fleet: Frota) -> None:
    fleet("rollout", "skip", "dev")
    stage.seen(fleet, "prod", held=stage.HELD, drifts=(stage.DRIFT,))
    ended = fleet(*words.split(), "--output", form)
    assert ended.code in (0, 1)
    found = yaml.safe_load(ended.out)
    assert isinstance(found, dict | list)
    assert found

"""Plan, apply, up, approve, drift, delete: a fleet on real API servers, by commands alone."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from frota.drivers.devfleet.cluster import Cluster
from frota.drivers.devfleet.shape import CONTROLLERS, Shape
from frota.store.sqlite import SqliteStore
from tests.real.fleet.stage import fleet_of_tests, require_fleet
from tests.waiting import eventually

pytestmark = [pytest.mark.fleet]

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "by-environment"
CHAT = "/apis/apps/v1/namespaces/language-inference/deployments/chat"
CLASSES = "/apis/scheduling.k8s.io/v1/priorityclasses"
_COMMAND_S = 90.0


@dataclass(frozen=True, slots=True)
class Desk:
    """Somebody at a terminal: a folder with files and a store, and two clusters."""

    folder: Path
    clusters: dict[str, Cluster]

    def frota(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "frota", "--store", str(self.folder / "frota.db"), *words],
            capture_output=True, text=True, check=False, timeout=_COMMAND_S,
        )  # fmt: skip

    def data(self, *words: str) -> Any:
        return json.loads(self.frota(*words, "--output", "json").stdout or "{}")

    def write(self, *, drift: str = "observe") -> str:
        """The example with two clusters, and gates that open in a test's time."""
        found = []
        for file in sorted(EXAMPLE.glob("*.yaml")):
            found += list(yaml.safe_load_all(file.read_text(encoding="utf-8")))
        kept = []
        for document in found:
            spec, name = document["spec"], document["metadata"]["name"]
            if document["kind"] == "Cluster":
                if name not in self.clusters:
                    continue
                path = self.clusters[name].kubeconfig
                spec |= {"provider": "kubeconfig", "kubeconfig": {"path": str(path)}}
            if document["kind"] == "Fleet":
                spec["delivery"] = {"drift": drift, "brake": {"share": "1%", "least": 2}}
                for stage in spec["environments"]:
                    stage["gates"] = {
                        "soak": "1s", "healthy": False, "approval": stage["name"] == "dev",
                    }  # fmt: skip
            kept.append(document)
        target = self.folder / "fleet.yaml"
        target.write_text(yaml.safe_dump_all(kept), encoding="utf-8")
        return str(target)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Clusters of its own: other tests of a run deliver a fleet of this name to theirs."""
    require_fleet()
    folder = tmp_path_factory.mktemp("commands")
    with fleet_of_tests(2, Shape(optional=(CONTROLLERS,), nodes=0)) as clusters:
        yield Desk(folder, dict(zip(("dev", "prod"), clusters, strict=True)))


def test_a_fleet_by_commands_alone(desk: Desk) -> None:
    files = desk.write()
    first = desk.frota("plan", files)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "rollout acme-1-" in first.stdout
    assert "+ 1 Deployment.apps: language-inference/chat" in first.stdout
    assert desk.clusters["dev"].api().call("GET", CHAT).status == 404
    saved = str(desk.folder / "plan.json")
    assert desk.frota("plan", files, "-o", saved).returncode == 0
    _refuses_what_moved(desk, saved)
    assert desk.frota("apply", "--plan", saved).returncode == 0
    command = [sys.executable, "-m", "frota", "--store", str(desk.folder / "frota.db")]
    with subprocess.Popen(
        [*command, "up", "--plain"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as up:
        try:
            _rolls_out(desk)
            _plans_again(desk, files)
            _drifts(desk)
            _deletes(desk)
        finally:
            up.send_signal(signal.SIGTERM)
            told, _ = up.communicate(timeout=_COMMAND_S)
    assert up.returncode == 0, told


def _rolls_out(desk: Desk) -> None:
    waits = eventually(lambda: desk.data("rollout", "status").get("waitsForApproval"))
    assert waits, desk.frota("rollout", "status").stdout
    assert desk.clusters["dev"].api().call("GET", CHAT).status == 200
    assert desk.clusters["prod"].api().call("GET", CHAT).status == 404
    assert desk.frota("rollout", "approve", "0" * 32).returncode == 1
    assert desk.frota(*waits["command"].split()[1:]).returncode == 0
    assert eventually(lambda: desk.data("rollout", "status")["phase"] == "Completed")
    assert desk.clusters["prod"].api().call("GET", CHAT).status == 200
    rows = desk.data("get", "clusters")
    assert [row["status"]["conditions"][1]["status"] for row in rows] == ["True", "True"]


def _plans_again(desk: Desk, files: str) -> None:
    """What is as declared is not asked about; a change of one field is that field."""
    again = desk.frota("plan", files, "--output", "json")
    assert again.returncode == 0, again.stdout + again.stderr
    (fleet,) = json.loads(again.stdout)["fleets"]
    assert not fleet["rollout"]["begins"]
    assert [cluster["counts"] for cluster in fleet["clusters"]] == [{}, {}]
    assert not any(item["asked"] for c in fleet["clusters"] for item in c["objects"])
    other = Path(files).with_name("other.yaml")
    text = Path(files).read_text(encoding="utf-8")
    other.write_text(text.replace("max-model-len=2048", "max-model-len=1024"), encoding="utf-8")
    changed = desk.frota("plan", str(other))
    assert '["--max-model-len=2048"] -> ["--max-model-len=1024"]' in changed.stdout
    assert "dev: 1 to change; " in changed.stdout
    assert "prod: nothing to do; " in changed.stdout


def _refuses_what_moved(desk: Desk, saved: str) -> None:
    """Somebody makes one of the objects between the plan and its application."""
    api = desk.clusters["dev"].api()
    kind = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "value": 5}
    made = {**kind, "metadata": {"name": "frota-inference"}}
    api.call("POST", f"{CLASSES}?fieldManager=mallory", made).demand()
    refused = desk.frota("apply", "--plan", saved)
    assert refused.returncode == 1, refused.stdout + refused.stderr
    assert "PriorityClass.scheduling.k8s.io frota-inference: when planned" in refused.stderr
    assert "Cluster/prod" not in refused.stderr
    assert not desk.data("get", "clusters")
    api.call("DELETE", f"{CLASSES}/frota-inference").demand()


def _drifts(desk: Desk) -> None:
    assert desk.frota("drift").returncode == 0
    path = "/api/v1/namespaces/language-inference"
    patch = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}}
    api = desk.clusters["prod"].api()
    form = "application/merge-patch+json"
    api.call("PATCH", f"{path}?fieldManager=mallory", patch, form=form).demand()
    assert eventually(lambda: desk.frota("drift", "prod").returncode == 1)
    told = desk.frota("drift").stdout
    assert "Namespace language-inference" in told
    assert "by mallory at " in told
    assert "observed" in told
    assert desk.frota("apply", desk.write(drift="correct")).returncode == 0
    assert eventually(lambda: desk.frota("drift").returncode == 0)
    assert "mallory" in desk.frota("drift", "prod").stdout.partition("put right lately:")[2]
    labels = api.get(path)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] != "privileged"


def _deletes(desk: Desk) -> None:
    """The brake holds what the deleted service had; an approval lets it go, once."""
    assert desk.frota("delete", "service", "chat", "--yes").returncode == 0
    held = eventually(lambda: _status(desk, "dev").get("heldPrune"))
    assert held, desk.frota("get", "clusters").stdout
    assert desk.clusters["dev"].api().call("GET", CHAT).status == 200
    assert desk.frota(*held["approve"].split()[1:]).returncode == 0
    assert eventually(lambda: desk.clusters["dev"].api().call("GET", CHAT).status == 404)
    assert eventually(lambda: not _approvals(desk))


def _status(desk: Desk, cluster: str) -> Any:
    return desk.data("get", "cluster", cluster)["status"]


def _approvals(desk: Desk) -> list[str]:
    store = SqliteStore(desk.folder / "frota.db", create=False)
    try:
        return [entry.name for entry in store.raw("PruneApproval")]
    finally:
        store.close()

"""``frota agent run`` as a process, with its own rights, on a real API server: what is
published arrives, drift is put right, what is withdrawn goes, and all of it also when the
agent was killed in between."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from frota.compile.agent.deployment import AgentPod, agent_manifests
from frota.compile.kubernetes.applyset import membership
from frota.controllers.publishing import agent_status, publish
from frota.controllers.pulledcluster import Containers
from frota.drivers.devfleet.api import Api
from frota.drivers.devfleet.cluster import Cluster
from frota.drivers.objects.directory import DirectoryBlobs
from frota.drivers.objects.keys import new_signer, public_text
from frota.model.bundle import AgentStatus, Bundle
from frota.model.clusterstatus import ConditionType, Truth
from frota.model.objects import MEMBERSHIP_LABEL, Object
from frota.planners.bundles import Signer
from frota.planners.bundlestore import Places, places
from frota.planners.delivery import prepare, stamped
from frota.planners.publication import Stamp
from tests.pull.hub import Hub, contents, made
from tests.real.fleet.stage import fleet_of_tests, require_fleet

pytestmark = pytest.mark.fleet

_APPLY = "application/apply-patch+yaml"
_SPACE = "team-a"


def _labelled(kind: str, name: str, **body: Any) -> Object:
    metadata: dict[str, Any] = {"name": name, "labels": {MEMBERSHIP_LABEL: membership("acme")}}
    if kind != "Namespace":
        metadata["namespace"] = _SPACE
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **body}


def _objects(*names: str) -> tuple[Object, ...]:
    maps = (_labelled("ConfigMap", name, data={"of": name}) for name in names)
    return (_labelled("Namespace", _SPACE), *maps)


_FIRST = _objects("a")


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    require_fleet()
    with fleet_of_tests(1) as clusters:
        yield clusters[0]


def agent_kubeconfig(cluster: Cluster, file: Path, objects: tuple[Object, ...] = _FIRST) -> None:
    """The manifests applied, and the way in that the agent has by them."""
    admin = cluster.api()
    pod = AgentPod("acme", "east", "az://acme/frota", f"i@sha256:{'0' * 64}", "KEYS\n")
    wanted = prepare(objects, membership("acme"))
    sent = [stamped(item, wanted.digests[key]) for key, item in wanted.objects.items()]
    for item in agent_manifests(pod, sent):
        version, kind = item["apiVersion"], item["kind"].lower()
        plural = f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"
        space = item["metadata"].get("namespace", "")
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        within = f"/namespaces/{space}" if space else ""
        place = f"{root}{within}/{plural}/{item['metadata']['name']}?fieldManager=frota"
        admin.call("PATCH", place, item, form=_APPLY).demand()
    issued = admin.call(
        "POST",
        "/api/v1/namespaces/frota-agent/serviceaccounts/frota-agent/token",
        {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}},
    ).demand()
    document = yaml.safe_load(cluster.kubeconfig.read_text())
    document["users"][0]["user"] = {"token": issued["status"]["token"]}
    file.write_text(json.dumps(document))


@contextmanager
def _running(words: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "frota", "agent", "run", *words], stdout=out, stderr=out
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


def _words(folder: Path, store: str, signer: Signer) -> list[str]:
    (folder / "keys.pem").write_text(public_text(signer.public))
    words = ["--fleet", "acme", "--cluster", "east", "--bundles", store]
    words += ["--trust", str(folder / "keys.pem"), "--state", str(folder / "state")]
    return [*words, "--kubeconfig", str(folder / "kubeconfig")]


def published(found: Places, signer: Signer, *names: str) -> None:
    blobs = DirectoryBlobs(Path(found.bundles.name))
    publish(blobs, Bundle("acme", "east", _objects(*names)), Stamp(signer, 1))


def data_of(api: Api, name: str) -> Any:
    answer = api.call("GET", f"/api/v1/namespaces/{_SPACE}/configmaps/{name}")
    return answer.body["data"] if answer.ok else None


def _until(holds: Callable[[], bool], log: Path, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, log.read_text()[-3000:]
        time.sleep(0.1)


def test_bundles_arrive_stay_true_and_go(cluster: Cluster, tmp_path: Path) -> None:
    api, log, store = cluster.api(), tmp_path / "log", f"file://{tmp_path}/store"
    agent_kubeconfig(cluster, tmp_path / "kubeconfig")
    signer, found = new_signer(tmp_path / "key"), places(store, "east")
    words = _words(tmp_path, store, signer)

    def synced(sequence: int) -> bool:
        said = agent_status(DirectoryBlobs(Path(found.status.name)), "acme", "east")
        progress = said.progress if said else None
        now = progress.condition(ConditionType.SYNCED) if progress else None
        fits = said is not None and said.sequence == sequence
        return bool(fits and now and now.status is Truth.TRUE)

    published(found, signer, "a", "b")
    with _running(words, log):
        _until(lambda: data_of(api, "a") == {"of": "a"} and data_of(api, "b") == {"of": "b"}, log)
        _until(lambda: synced(1), log)
        changed = {"data": {"of": "somebody"}}
        place = f"/api/v1/namespaces/{_SPACE}/configmaps/a"
        api.call("PATCH", place, changed, form="application/merge-patch+json").demand()
        _until(lambda: data_of(api, "a") == {"of": "a"}, log)
    published(found, signer, "a")  # while it is dead
    with _running(words, log) as process:
        _until(lambda: data_of(api, "b") is None, log)
        _until(lambda: synced(2), log)
        assert data_of(api, "a") == {"of": "a"}
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0, log.read_text()[-3000:]


def test_an_agent_whose_disk_is_lost(cluster: Cluster, tmp_path: Path) -> None:
    """As with an emptyDir: no old bundle is followed, and what goes is found. The rights are
    those before the kind went."""
    api, log, store = cluster.api(), tmp_path / "log", f"file://{tmp_path}/store"
    service = made("Service", "s", spec={"ports": [{"port": 80}]})
    agent_kubeconfig(cluster, tmp_path / "kubeconfig", (*_objects("a"), service))
    signer, found = new_signer(tmp_path / "key"), places(store, "east")
    words = _words(tmp_path, store, signer)
    blobs, head = DirectoryBlobs(Path(found.bundles.name)), Path(found.bundles.name) / "head"
    place = f"/api/v1/namespaces/{_SPACE}/services/s"

    def publishes(*objects: Object) -> None:
        publish(blobs, Bundle("acme", "east", objects), Stamp(signer, 1))

    def said() -> AgentStatus | None:
        return agent_status(DirectoryBlobs(Path(found.status.name)), "acme", "east")

    publishes(*_objects("a"))
    old = head.read_bytes()
    publishes(*_objects("a", "b"), service)
    with _running(words, log):
        _until(lambda: api.call("GET", place).ok and data_of(api, "b") is not None, log)
    shutil.rmtree(tmp_path / "state")
    newest = head.read_bytes()
    head.write_bytes(old)  # somebody puts it back
    with _running(words, log):
        _until(lambda: (now := said()) is not None and now.refusal == "Old", log)
        assert data_of(api, "b") is not None
    shutil.rmtree(tmp_path / "state")
    head.write_bytes(newest)
    publishes(*_objects("a", "b"))  # the kind goes
    with _running(words, log):
        _until(lambda: api.call("GET", place).status == 404, log)
        assert data_of(api, "b") is not None


def test_what_is_held_and_met_is_decided_by_a_person(cluster: Cluster, tmp_path: Path) -> None:
    """With the agent's own rights: another manager's field is named and taken over, deletions
    are held, approved and carried out."""
    api, log, store = cluster.api(), tmp_path / "log", f"file://{tmp_path}/store"
    agent_kubeconfig(cluster, tmp_path / "kubeconfig")
    signer, found = new_signer(tmp_path / "key"), places(store, "east")
    folders = Path(found.bundles.name), Path(found.status.name)
    for folder in folders:
        folder.mkdir(parents=True)
    hub = Hub(Containers(*map(DirectoryBlobs, folders)), signer)
    words = _words(tmp_path, store, signer)
    maps = f"/api/v1/namespaces/{_SPACE}/configmaps"
    foreign: dict[str, Any] = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"of": "helm"}}
    foreign["metadata"] = {"name": "a", "namespace": _SPACE}
    api.call("PATCH", f"{maps}/a?fieldManager=helm", foreign, form=_APPLY).demand()
    hub.release(contents("a", "b", "c", "d"))

    def until(holds: Callable[[], bool]) -> None:
        def look() -> bool:
            hub.step()
            return holds()

        _until(look, log)

    with _running(words, log):
        until(lambda: hub.condition() == "False Conflict")
        status = hub.status()
        assert status is not None
        assert any("held by helm" in problem for problem in status.problems), status.problems
        hub.take_over(("", "ConfigMap", _SPACE, "a"))
        until(lambda: hub.well)
        assert data_of(api, "a") == {"of": "a"}
        hub.release(contents("a"))
        until(lambda: hub.held is not None)
        assert hub.held is not None
        assert data_of(api, "b") == {"of": "b"}
        hub.approve(hub.held.approval)
        until(lambda: hub.well and not hub.approvals)
        assert data_of(api, "b") is None

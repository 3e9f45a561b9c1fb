"""The image of the agent without a builder of images: the commands of the Containerfile are run
in a directory, and the agent of it as in its pod: not root, without capabilities, on a root
that cannot be written, with no shell and no variable. And a real API server holds its pod to
the Pod Security level `restricted`."""

from __future__ import annotations

import copy
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from frota.compile.agent.deployment import AgentPod, agent_manifests
from frota.controllers.publishing import agent_status
from frota.drivers.devfleet.cluster import Cluster
from frota.drivers.objects.directory import DirectoryBlobs
from frota.drivers.objects.keys import new_signer, public_text
from frota.planners.bundlestore import places
from tests.compile.fleets import of_kind
from tests.real.containerfile import Built
from tests.real.fleet.stage import fleet_of_tests, require_fleet
from tests.real.test_agent_delivers import agent_kubeconfig, data_of, published

pytestmark = pytest.mark.fleet

_DEADLINE_S = 60.0
_USER = 65532
_PODS = "/api/v1/namespaces/frota-agent/pods?dryRun=All"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    require_fleet()
    with fleet_of_tests(1) as clusters:
        yield clusters[0]


def _pod() -> dict[str, Any]:
    pod = AgentPod("acme", "east", "az://acme/frota", f"i@sha256:{'0' * 64}", "KEYS\n")
    template = of_kind(agent_manifests(pod, ()), "Deployment")["frota-agent/frota-agent"]["spec"][
        "template"
    ]
    made = copy.deepcopy(template)
    return {"apiVersion": "v1", "kind": "Pod", **made, "metadata": {"name": "agent"}}


def test_the_pod_is_restricted(cluster: Cluster, tmp_path: Path) -> None:
    agent_kubeconfig(cluster, tmp_path / "kubeconfig")
    api = cluster.api()
    api.call("POST", _PODS, _pod()).demand()
    looser: list[dict[str, Any]] = [_pod() for _ in range(3)]
    looser[0]["spec"]["securityContext"].pop("seccompProfile")
    looser[1]["spec"]["containers"][0]["securityContext"].pop("capabilities")
    looser[2]["spec"]["securityContext"].pop("runAsNonRoot")
    for pod in looser:
        answer = api.call("POST", _PODS, pod)
        assert answer.status == 403
        assert "restricted" in str(answer.body)


@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("setpriv") or not shutil.which("unshare"),
    reason="another user and a root that cannot be written need root",
)
def test_what_is_built_runs_as_in_its_pod(cluster: Cluster) -> None:
    """Everything is below one directory that every user may pass."""
    folder = Path(tempfile.mkdtemp(prefix="frota-image-"))
    try:
        _builds_and_runs(cluster, folder)
    finally:
        shutil.rmtree(folder)


def _builds_and_runs(cluster: Cluster, folder: Path) -> None:
    built = Built(folder)
    shutil.rmtree(folder / "src")  # nothing of the build is needed, but for what is copied
    state, store = folder / "state", f"file://{folder}/store"
    agent_kubeconfig(cluster, folder / "kubeconfig")
    (folder / "kubeconfig").chmod(0o644)
    signer, found = new_signer(folder / "key"), places(store, "east")
    (folder / "keys.pem").write_text(public_text(signer.public))
    bundles, status = Path(found.bundles.name), Path(found.status.name)
    for place in (state, bundles, status):
        place.mkdir(parents=True)
        os.chown(place, 0 if place is bundles else _USER, _USER)
        place.chmod(0o2750)
    published(found, signer, "image")
    args = ["agent", "run", "--fleet", "acme", "--cluster", "east", "--bundles", store]
    args += ["--trust", str(folder / "keys.pem"), "--state", str(state)]
    args += ["--kubeconfig", str(folder / "kubeconfig")]
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(built.command(args, (state, status)), stdout=out, stderr=out)
    try:
        deadline = time.monotonic() + _DEADLINE_S
        while data_of(cluster.api(), "image") != {"of": "image"}:
            assert process.poll() is None, log.read_text()[-3000:]
            assert time.monotonic() < deadline, log.read_text()[-3000:]
            time.sleep(0.1)
        owner = Path(f"/proc/{process.pid}").stat()
        assert (owner.st_uid, owner.st_gid) == (_USER, _USER)
        said = agent_status(DirectoryBlobs(status), "acme", "east")
        assert said is not None
        assert not said.trouble
        process.terminate()
        assert process.wait(30) == 0, log.read_text()[-3000:]
    finally:
        process.kill()
        process.wait(10)

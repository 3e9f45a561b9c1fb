"""A cluster that pulls, by commands alone: `frota up` publishes and an agent with its own rights
applies, on a real API server. What it meets and holds back is shown, and decided by commands."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from frota.app.agent import AgentSetup, build, member_anchor, member_delivery, serve
from frota.compile.kubernetes import compile_fleet
from frota.controllers.pull import Pace
from frota.drivers.devfleet.cluster import Cluster
from frota.drivers.objects.keys import new_signer, public_text
from frota.ports.clusters import ClusterAddress
from frota.resources.documents import load
from tests.app.test_pulled import documents
from tests.real.fleet.stage import fleet_of_tests, require_fleet
from tests.real.test_agent_delivers import agent_kubeconfig
from tests.waiting import until

pytestmark = pytest.mark.fleet

BUDGETS = "/apis/policy/v1/namespaces/language-inference/poddisruptionbudgets"
CHAT = "/apis/apps/v1/namespaces/language-inference/deployments/chat"
_COMMAND_S = 60.0


@dataclass(frozen=True, slots=True)
class Desk:
    """Somebody at a terminal: a folder with files, keys and a store."""

    folder: Path

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-m", "frota", "--store", str(self.folder / "frota.db")]

    def frota(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.command, *words], capture_output=True, text=True, check=False,
            timeout=_COMMAND_S,
        )  # fmt: skip

    def done(self, *words: str) -> None:
        ended = self.frota(*words)
        assert ended.returncode == 0, ended.stdout + ended.stderr

    def data(self, *words: str) -> Any:
        return json.loads(self.frota(*words, "--output", "json").stdout or "{}")

    def status(self) -> Any:
        return self.data("get", "cluster", "dev").get("status") or {}

    def synced(self) -> str:
        found = [c for c in self.status().get("conditions", ()) if c["type"] == "Synced"]
        return f"{found[0]['status']} {found[0]['reason']}" if found else ""

    def story(self) -> str:
        return self.frota("explain", "cluster/dev").stdout

    def basis(self) -> str:
        (fleet,) = self.data("plan", "--now-what")["fleets"]
        return str(fleet["clusters"][0]["basis"])


@contextmanager
def agent(desk: Desk, log: list[str]) -> Iterator[None]:
    """The agent of `frota agent run`, that looks more often."""
    folder = desk.folder
    setup = AgentSetup(
        fleet="acme",
        cluster="dev",
        store=f"file://{folder}/bundles",
        state=folder / "state",
        trust=(folder / "keys.pem",),
        address=ClusterAddress("dev", str(folder / "agent.kubeconfig")),
    )
    delivery, stop = member_delivery(setup, log.append), threading.Event()
    made = build(setup, member_anchor(setup), delivery, Pace(poll=0.3, watch=0.2))
    thread = threading.Thread(target=serve, args=(made, stop, log.append), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(20)
        delivery.close()


@contextmanager
def up(desk: Desk) -> Iterator[None]:
    words = ["up", "--plain", "--bundle-key", str(desk.folder / "key")]
    with subprocess.Popen([*desk.command, *words], stdout=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(_COMMAND_S) == 0


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    require_fleet()
    with fleet_of_tests(1) as clusters:
        yield clusters[0]


def test_a_cluster_that_pulls_by_commands_alone(cluster: Cluster, tmp_path: Path) -> None:
    desk, api, log = Desk(tmp_path), cluster.api(), list[str]()
    items = documents(tmp_path / "bundles")
    fleet = next(item for item in items if item["kind"] == "Fleet")
    fleet["spec"]["delivery"] = {"brake": {"share": "1%", "least": 2}}
    text = yaml.safe_dump_all(items)
    (tmp_path / "fleet.yaml").write_text(text)
    (tmp_path / "keys.pem").write_text(public_text(new_signer(tmp_path / "key").public))
    compiled = compile_fleet(found.document for found in load([("fleet", text)]).resources)
    agent_kubeconfig(cluster, tmp_path / "agent.kubeconfig", tuple(compiled["dev"]))
    theirs = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget"}
    body = {**theirs, "metadata": {"name": "serve-chat"}, "spec": {"maxUnavailable": 7}}
    form = "application/apply-patch+yaml"
    api.call("PATCH", f"{BUDGETS}/serve-chat?fieldManager=helm", body, form=form).demand()

    desk.done("apply", str(tmp_path / "fleet.yaml"))
    assert desk.basis() == "nothing was published for it yet"
    with up(desk), agent(desk, log):
        until(lambda: desk.synced() == "False Conflict", lambda: (desk.story(), log))
        assert "held by helm" in desk.story()
        assert "its agent has not all of it (Conflict: " in desk.basis()
        budget = "PodDisruptionBudget/language-inference/serve-chat"
        desk.done("take-over", "dev", budget)
        until(lambda: desk.synced() == "True AsDeclared", lambda: (desk.story(), log))
        assert api.get(f"{BUDGETS}/serve-chat")["spec"]["maxUnavailable"] == 1
        until(lambda: desk.data("rollout", "status")["phase"] == "Completed", desk.story)

        desk.done("delete", "service", "chat", "--yes")
        until(lambda: "heldPrune" in desk.status(), lambda: (desk.story(), log))
        held = desk.status()["heldPrune"]
        assert "Deployment.apps language-inference/chat" in held["objects"]
        assert held["approve"] in desk.story()
        assert api.call("GET", CHAT).ok
        assert desk.frota("approve", "dev", "0" * 32).returncode == 4
        desk.done(*held["approve"].split()[1:])
        until(lambda: api.call("GET", CHAT).status == 404, lambda: (desk.story(), log))
        # What fences the agent in, it cannot delete either: the administrator is told to.
        until(lambda: desk.synced() == "False Failed", lambda: (desk.story(), log))
        assert 'cannot delete resource "namespaces"' in desk.story()
        assert "heldPrune" not in desk.status()

"""Frota as ``frota up`` runs it, on a fleet of real API servers."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from frota.app.application import Application
from frota.controllers.clusterrecords import CLUSTER, ROLLOUT, STATUS, condition_of
from frota.controllers.fleetrecords import shape_of
from frota.drivers.devfleet.api import Api
from frota.drivers.devfleet.cluster import Cluster
from frota.model.clusterstatus import ConditionType
from frota.model.release import ClusterStatus
from frota.model.rollout import Phase, Progress, Rollout
from frota.planners.rollout import approval_hash, waves_of
from frota.ports.store import Write
from frota.resources.documents import load

ROOT = Path(__file__).parents[3]
MEMBERS = ("dev", "staging", "prod")
CHAT = "/apis/apps/v1/namespaces/language-inference/deployments/chat"


def example() -> list[dict[str, Any]]:
    """The documents of the fleet by environment, fresh."""
    files = sorted((ROOT / "examples" / "by-environment").glob("*.yaml"))
    return [item for file in files for item in yaml.safe_load_all(file.read_text("utf-8"))]


class Stage:
    """An application at work on a fleet of clusters."""

    def __init__(self, folder: Path, clusters: Mapping[str, Cluster]) -> None:
        self.clusters = clusters
        self.told: list[str] = []
        self.store = folder / "frota.db"
        self.app = Application(self.store, "test", self.told.append)
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
        found = example()
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
        writes = [Write(item.kind, item.name, item.document, None) for item in loaded.resources]
        self.app.store.commit(writes)

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

"""A cluster that pulls: the application publishes for it, and records what its agent says."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from frota.app.application import Application
from frota.app.signing import Signing
from frota.controllers.clusterrecords import ROLLOUT, STATUS, condition_of
from frota.drivers.objects.directory import DirectoryBlobs
from frota.drivers.objects.keys import new_signer
from frota.model.bundle import ENVELOPE_MOST, AgentStatus
from frota.model.clusterstatus import ConditionType
from frota.model.rollout import Phase
from frota.planners.agentstatus import write_status
from frota.planners.bundles import opened
from frota.planners.bundlestore import HEAD
from frota.planners.bundlestore import STATUS as STATUS_KEY
from frota.ports.blobs import BlobMissing
from frota.ports.store import Write
from frota.resources.documents import load
from frota.runtime.clock import SystemClock
from frota.runtime.lease import KIND as LEASE
from frota.store.sqlite import SqliteStore
from tests.pull.doubles import well
from tests.waiting import eventually

EXAMPLE = Path(__file__).parents[2] / "examples" / "by-environment"


def documents(bundles: Path) -> list[dict[str, Any]]:
    """One cluster of the example, which pulls."""
    found = []
    for file in sorted(EXAMPLE.glob("*.yaml")):
        found += list(yaml.safe_load_all(file.read_text(encoding="utf-8")))
    kept = []
    for item in found:
        if item["kind"] == "Cluster":
            if item["metadata"]["name"] != "dev":
                continue
            item["spec"] |= {"provider": "kubeconfig", "delivery": "pull"}
        if item["kind"] == "Fleet":
            gates = {"soak": "0s", "healthy": False}
            item["spec"]["environments"] = [{"name": "dev", "gates": gates}]
            item["spec"]["bundles"] = {"store": f"file://{bundles}"}
        if item["kind"] == "Team":
            item["spec"]["quotas"] = []
        if item["kind"] == "InferenceService":
            item["spec"]["byEnvironment"] = {"dev": item["spec"]["byEnvironment"]["dev"]}
        kept.append(item)
    return kept


class Stage:
    def __init__(self, folder: Path) -> None:
        self.bundles = folder / "bundles"
        for end in ("bundles", "status"):
            (self.bundles / f"dev-{end}").mkdir(parents=True)
        self.signer = new_signer(folder / "signing.key")
        signing = Signing(key=folder / "signing.key")
        self.told: list[str] = []
        self.store = folder / "frota.db"
        self.app = Application(self.store, "test", self.told.append, signing=signing)
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        assert self.ready.wait(10)

    def _run(self) -> None:
        with self.app:
            self.ready.set()
            self.app.run()

    def stop(self) -> None:
        self.app.stop()
        self.thread.join(20)

    def head(self) -> Any:
        try:
            found = DirectoryBlobs(self.bundles / "dev-bundles").get(HEAD, ENVELOPE_MOST)
        except BlobMissing:
            return None
        assert found is not None
        return opened(found.data, [self.signer.public])[0]

    def say(self, **words: Any) -> None:
        """As the agent of the cluster does."""
        status = AgentStatus("acme", "dev", int(SystemClock().now()), "v1", **words)
        DirectoryBlobs(self.bundles / "dev-status").put(STATUS_KEY, write_status(status))

    def condition(self, kind: ConditionType) -> str:
        entry = self.app.store.get(STATUS, "dev")
        found = condition_of(entry.value if entry else None, kind)
        return f"{found.status} {found.reason}" if found else ""

    def phase(self) -> Phase | None:
        entry = self.app.store.get(ROLLOUT, "acme")
        return entry.value.phase if entry else None


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path)
    yield made
    made.stop()


def test_it_is_published_and_done_when_its_agent_says_so(stage: Stage) -> None:
    loaded = load([("fleet.yaml", yaml.safe_dump_all(documents(stage.bundles)))])
    assert not loaded.problems, loaded.problems
    stage.app.store.commit([Write(r.kind, r.name, r.document, None) for r in loaded.resources])
    head = eventually(stage.head)
    assert head, stage.told
    assert (head.fleet, head.cluster, head.sequence) == ("acme", "dev", 1)
    assert eventually(lambda: stage.condition(ConditionType.REACHABLE) == "Unknown NeverHeard")
    assert stage.phase() is Phase.RUNNING
    progress = well(f"1 {head.digest}")
    stage.say(order=head.order, sequence=head.sequence, digest=head.digest, progress=progress)
    assert eventually(lambda: stage.phase() is Phase.COMPLETED), stage.told
    assert stage.condition(ConditionType.SYNCED) == "True AsDeclared"
    stage.say(digest="0" * 64, refusal="WrongSignature", refused="not ours")
    assert eventually(lambda: stage.condition(ConditionType.SYNCED) == "False BundleRefused")
    stage.stop()
    store = SqliteStore(stage.store, create=False)
    leases = {entry.name: entry.value.holder for entry in store.list(LEASE)}
    store.close()
    assert leases == {"cluster/dev": "", "fleet/acme": ""}  # let go of


def test_without_a_key_it_says_how_to_get_one(tmp_path: Path) -> None:
    told: list[str] = []
    app = Application(tmp_path / "frota.db", "test", told.append)
    ready = threading.Event()

    def run() -> None:
        with app:
            ready.set()
            app.run()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(10)
    loaded = load([("fleet.yaml", yaml.safe_dump_all(documents(tmp_path)))])
    app.store.commit([Write(r.kind, r.name, r.document, None) for r in loaded.resources])
    assert eventually(lambda: any("--bundle-key" in line for line in told))
    app.stop()
    thread.join(20)

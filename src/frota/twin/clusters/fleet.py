"""The simulated member clusters: their API servers, what runs in them, and what befalls them."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any

from frota.model.objects import ObjectKey
from frota.twin.chance import ClusterPace
from frota.twin.clusters.apiserver import ApiServer, Event
from frota.twin.clusters.schema import Node
from frota.twin.world import World

KWOK = "kwok"  # who writes status in the simulated clusters


class ServerState(StrEnum):
    """Whether a server answers."""

    UP = "up"
    HUNG = "hung"  # takes connections and answers nothing; goes on where it was
    DOWN = "down"


class TwinMember:
    """One cluster: its API server, its controllers, and whether it answers."""

    def __init__(self, server: ApiServer, pace: ClusterPace) -> None:
        self.server = server
        self.pace = pace
        self.state = ServerState.UP
        self.slow = 1.0  # so many times slower than its pace
        self.sick: set[ObjectKey] = set()  # never become well
        self.on_state: list[Callable[[], None]] = []
        server.controllers.append(self._control)

    def hang(self) -> None:
        """It stops answering."""
        self._become(ServerState.HUNG)

    def kill(self) -> None:
        """It is gone; its storage stays."""
        self._become(ServerState.DOWN)

    def start(self) -> None:
        """It answers again, with what is in its storage."""
        self._become(ServerState.UP)

    def wipe(self) -> None:
        """Its storage is lost, and it starts empty: every watch must list anew."""
        self._become(ServerState.DOWN)
        self.server.wipe()
        self._become(ServerState.UP)

    def fight(
        self, key: ObjectKey, manager: str, mutate: Callable[[Node], None], delay: float
    ) -> None:
        """Another controller writes an object its own way, each time it is not so."""

        def told(event: Event) -> None:
            if event.key == key and event.item is not None:
                self._later(delay, again)

        def again() -> None:
            if key in self.server.objects:
                self.server.update(key, manager, mutate)

        self.server.controllers.append(told)

    def _become(self, state: ServerState) -> None:
        if self.state is not state:
            self.state = state
            for told in list(self.on_state):
                told()

    def _later(self, delay: float, act: Callable[[], None]) -> None:
        self.server.world.after(delay * self.slow, act)

    def _control(self, event: Event) -> None:
        """The controllers of the cluster itself: statuses follow specs, and namespaces that
        end take with them what is in them."""
        item, key, rng = event.item, event.key, self.server.world.rng
        if item is None:
            return
        if key.kind == "Namespace" and "deletionTimestamp" in item["metadata"]:
            if self.server.rules.finalizes:
                self._later(self.pace.finalize.draw(rng), lambda: self.server.finish(key.name))
        elif (
            key.kind in _STATUS
            and _status(item, well=key not in self.sick) != item.get("status")
            and "deletionTimestamp" not in item["metadata"]
        ):
            self._later(self.pace.settle.draw(rng), lambda: self._report(key))

    def _report(self, key: ObjectKey) -> None:
        stored = self.server.objects.get(key)
        if stored is None:
            return
        status = _status(stored.item, well=key not in self.sick)
        self.server.update(key, KWOK, lambda item: item.update(status=status), "status")
        names = stored.item.get("spec", {}).get("names")
        if key.kind == "CustomResourceDefinition" and names:
            group = stored.item["spec"]["group"]
            self.server.rules.unserved.discard((group, names["kind"]))


class ClusterFleet:
    """All simulated clusters by name."""

    def __init__(self, world: World, pace: ClusterPace | None = None) -> None:
        self.world = world
        self.pace = pace or ClusterPace()
        self.members: dict[str, TwinMember] = {}

    def add(self, name: str) -> TwinMember:
        """A new cluster, empty but for the namespaces that every cluster has."""
        server = ApiServer(name, self.world)
        member = self.members[name] = TwinMember(server, self.pace)
        for space in ("default", "kube-system"):
            item = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}}
            server.create(item, "kube-apiserver")
        return member


_STATUS = frozenset(
    {"Deployment", "LeaderWorkerSet", "Job", "PersistentVolumeClaim", "CustomResourceDefinition"}
)


def _status(item: Any, *, well: bool) -> Node:
    """The status that an object comes to, when it does well and when it does not."""
    kind, spec = item["kind"], item.get("spec") or {}
    generation = item["metadata"].get("generation", 1)
    if kind == "PersistentVolumeClaim":
        return {"phase": "Bound" if well else "Pending"}
    if kind == "CustomResourceDefinition":
        return {"conditions": [{"type": "Established", "status": "True" if well else "False"}]}
    if kind == "Job":
        told: Node = item.get("status") or {}
        if any(condition["type"] == "Complete" for condition in told.get("conditions", ())):
            return told  # it ended, and stays so
        failed = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}
        return {"active": 1} if well else {"conditions": [failed]}
    wanted = spec.get("replicas", 1)
    ready = wanted if well else 0
    stuck = {
        "type": "Progressing",
        "status": "False",
        "reason": "ProgressDeadlineExceeded",
        "message": "did not become ready in time",
    }
    return {
        "observedGeneration": generation,
        "replicas": wanted,
        "updatedReplicas": wanted,
        "readyReplicas": ready,
        "availableReplicas": ready,
        "conditions": [] if well else [stuck],
    }

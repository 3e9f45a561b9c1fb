"""The ground on which the fleet act of ``frota demo`` is played."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Protocol

import yaml

from frota.cli.init import example
from frota.controllers.cluster import ClusterController
from frota.controllers.fleet import FleetController
from frota.model.objects import ObjectKey
from frota.ports.store import Store
from frota.store.memory import MemoryStore
from frota.twin import TwinClock, World
from frota.twin.clusters import ClusterFleet, TwinClusters

FLEET = "acme"
CLUSTERS = ("dev", "staging", "prod")
STRANGER = "mallory"  # who writes what is not theirs
ENFORCED = "pod-security.kubernetes.io/enforce"
_CHAT = ObjectKey("apps", "Deployment", "language-inference", "chat")
_SPACE = ObjectKey("", "Namespace", "", "language-inference")
_STEP_S = 1.0
_LEAP_S = 60.0  # while nothing happens


class Ground(Protocol):
    """A fleet of three clusters with Frota at work on it, and what may befall them."""

    store: Store
    words: str  # what a reader is told of it

    def documents(self) -> list[dict[str, Any]]:
        """What is declared of the fleet: the packaged example, fit for this ground."""
        ...

    def now(self) -> float:
        """The present time of its journal, in s."""
        ...

    def until(self, reached: Callable[[], bool], most: float) -> bool:
        """Let time pass until something is so, for at most so many of its seconds; whether
        it is."""
        ...

    def serves(self, cluster: str) -> bool:
        """Whether the API server itself has the service's Deployment."""
        ...

    def enforced(self, cluster: str) -> str:
        """The Pod Security label of the team's namespace, as the API server has it."""
        ...

    def loosen(self, cluster: str) -> None:
        """Somebody else makes that label ``privileged``."""
        ...

    def kill(self, cluster: str) -> None:
        """The API server is gone."""
        ...

    def revive(self, cluster: str) -> None:
        """The API server is back, with all it stored."""
        ...


def packaged() -> list[dict[str, Any]]:
    """The documents of the example fleet."""
    texts = example("by-environment").values()
    return [document for text in texts for document in yaml.safe_load_all(text)]


class SimulatedGround:
    """Simulated clusters in virtual time, under the controllers of production."""

    words = (
        "Their API servers are simulated, time is virtual; the controllers are those of production"
    )

    def __init__(self, seed: int) -> None:
        self.store: Store = MemoryStore()
        self.world = World(seed)
        self._clock = TwinClock(self.world)
        self._members = ClusterFleet(self.world)
        for name in CLUSTERS:
            self._members.add(name)
        clusters = TwinClusters(self._members, self._clock)
        rng = random.Random(seed)  # noqa: S311 - simulation, not secrets
        self._controllers: list[FleetController | ClusterController] = [
            FleetController(FLEET, store=self.store, clock=self._clock),
            *(
                ClusterController(
                    name, store=self.store, clusters=clusters, clock=self._clock, rng=rng
                )
                for name in CLUSTERS
            ),
        ]

    def documents(self) -> list[dict[str, Any]]:
        """The example as it is: its soak takes an hour, of virtual time."""
        return packaged()

    def now(self) -> float:
        """Virtual seconds since the beginning."""
        return self._clock.now()

    def until(self, reached: Callable[[], bool], most: float) -> bool:
        """Go on second by second, or by leaps while nothing is to happen."""
        end = self.world.now + most
        while self.world.now < end:
            before = self.store.commit(())
            results = [controller.reconcile() for controller in self._controllers]
            if reached():
                break
            quiet = self.store.commit(()) == before
            wakes = [result.again_at for result in results if result.again_at is not None]
            due = min(*wakes, self.world.next_at, self.world.now + _LEAP_S)
            step = max(_STEP_S, due - self.world.now) if quiet else _STEP_S
            self.world.run_until(min(self.world.now + step, end))
        return reached()

    def serves(self, cluster: str) -> bool:
        """Whether the Deployment is there."""
        return _CHAT in self._members.members[cluster].server.objects

    def enforced(self, cluster: str) -> str:
        """The label of the namespace."""
        space = self._members.members[cluster].server.objects[_SPACE]
        return str(space.item["metadata"]["labels"][ENFORCED])

    def loosen(self, cluster: str) -> None:
        """As ``kubectl label`` would."""

        def privileged(item: dict[str, Any]) -> None:
            item["metadata"]["labels"][ENFORCED] = "privileged"

        self._members.members[cluster].server.update(_SPACE, STRANGER, privileged)

    def kill(self, cluster: str) -> None:
        """Connections are refused from now on."""
        self._members.members[cluster].kill()

    def revive(self, cluster: str) -> None:
        """It answers again."""
        self._members.members[cluster].start()

"""The contract of member clusters on the simulated world."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from frota.model.delivery import Verdict
from frota.model.objects import Object, ObjectKey
from frota.ports.clusters import ClusterAddress, Clusters
from frota.twin import TwinClock, World
from frota.twin.clusters import ClusterFleet, TwinClusters
from tests.contract.clusters import KINDS, MISSING, ClustersContract


class TwinStage:
    def __init__(self, seed: int) -> None:
        self.cluster = "east"
        self.address = ClusterAddress("east")
        self.world = World(seed)
        self.fleet = ClusterFleet(self.world)
        self.member = self.fleet.add("east")
        self.member.server.rules.unserved.add((MISSING.group, MISSING.kind))
        self._port = self._open()

    def _open(self) -> TwinClusters:
        self.clock = TwinClock(self.world, 1000.0)
        port = TwinClusters(self.fleet, self.clock)
        port.attach(self.address, KINDS)
        return port

    @property
    def port(self) -> Clusters:
        return self._port

    def now(self) -> float:
        return self.clock.now()

    def wait_until(self, condition: Callable[[], bool], within: float) -> None:
        end = self.world.now + within
        while not condition():
            assert self.world.now < end, "it did not happen in time"
            self.world.run_until(min(end, self.world.now + 0.05))

    def settle(self, seconds: float) -> None:
        self.world.run_until(self.world.now + seconds)

    def reopen(self) -> None:
        self._port.close()
        self._port = self._open()

    def get(self, key: ObjectKey) -> Object | None:
        return self.member.server.shown(key)

    def apply_as(self, manager: str, item: Object, *, force: bool = False) -> None:
        result = self.member.server.apply(item, manager, force=force)
        assert result.verdict in (Verdict.APPLIED, Verdict.UNCHANGED), result

    def remove(self, key: ObjectKey) -> None:
        self.member.server.remove(key)

    def kill(self) -> None:
        self.member.kill()

    def hang(self) -> None:
        self.member.hang()

    def revive(self) -> None:
        self.member.start()

    def wipe(self) -> None:
        self.member.wipe()

    def expire_watches(self) -> None:
        self.member.server.compact()

    def revoke(self) -> None:
        self.member.server.rules.forbidden |= {"patch", "delete"}


@pytest.mark.parametrize("seed", [1, 2, 3])
class TestTwinClusters(ClustersContract):
    @pytest.fixture
    def stage(self, seed: int) -> TwinStage:
        return TwinStage(seed)

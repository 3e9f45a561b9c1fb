"""The contract of meters on the simulated world."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from frota.model.objectives import ServiceKey
from frota.ports.objectives import MeterAddress
from frota.twin import TwinClock, World
from frota.twin.objectives import TwinObjectives
from tests.contract.objectives import ObjectivesContract


class TwinStage:
    def __init__(self) -> None:
        self.clock = TwinClock(World(1), 1000.0)
        self.port = TwinObjectives(self.clock)

    def address(self, cluster: str) -> MeterAddress:
        return MeterAddress(cluster, f"https://metrics.{cluster}")

    def record(self, cluster: str, rates: Mapping[ServiceKey, float]) -> None:
        self.port.rates[cluster] = rates

    def stop(self) -> None:
        self.port.away.update(self.port.rates)

    def now(self) -> float:
        return self.clock.now()

    def until(self, true: Callable[[], bool]) -> None:
        assert true()


class TestTwinObjectives(ObjectivesContract):
    @pytest.fixture
    def stage(self) -> TwinStage:
        return TwinStage()

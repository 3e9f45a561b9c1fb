"""What every implementation of ``frota.ports.objectives.Objectives`` must do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf, isnan, nan
from typing import Protocol

from frota.model.objectives import ServiceKey
from frota.ports.objectives import MeterAddress, Objectives

CHAT, CODE = ("language", "chat"), ("language", "code")


class ObjectivesStage(Protocol):
    """One meter in which the clusters east and west are recorded."""

    @property
    def port(self) -> Objectives:
        """The port under test; nothing is attached."""
        ...

    def address(self, cluster: str) -> MeterAddress:
        """Where a cluster is asked for."""
        ...

    def record(self, cluster: str, rates: Mapping[ServiceKey, float]) -> None:
        """From now on these rates and no others are recorded of a cluster."""
        ...

    def stop(self) -> None:
        """The meter is gone."""
        ...

    def now(self) -> float:
        """The clock that measurements are of."""
        ...

    def until(self, true: Callable[[], bool]) -> None:
        """Let time pass until it is true."""
        ...


class ObjectivesContract:
    """The contract."""

    def test_who_was_never_asked_has_measured_nothing(self, stage: ObjectivesStage) -> None:
        measured = stage.port.measured("east")
        assert (measured.rates, measured.at, measured.error) == ({}, -inf, "")

    def test_each_service_of_each_cluster_has_its_own_rate(self, stage: ObjectivesStage) -> None:
        stage.record("east", {CHAT: 0.25, CODE: nan})
        stage.record("west", {CHAT: 3.0})
        begun = stage.now()
        for cluster in ("east", "west"):
            stage.port.attach(stage.address(cluster))
        stage.until(lambda: stage.port.measured("west").at >= begun)
        stage.until(lambda: stage.port.measured("east").at >= begun)
        east = stage.port.measured("east")
        assert set(east.rates) == {CHAT, CODE}
        assert east.rates[CHAT] == 0.25
        assert isnan(east.rates[CODE])
        assert stage.port.measured("west").rates == {CHAT: 3.0}
        stage.port.detach("east")
        assert stage.port.measured("east").at == -inf

    def test_a_meter_that_is_away_says_so_and_keeps_what_was_measured(
        self, stage: ObjectivesStage
    ) -> None:
        stage.record("east", {CHAT: 0.5})
        address = stage.address("east")
        stage.port.attach(address)
        stage.until(lambda: stage.port.measured("east").at > -inf)
        before = stage.port.measured("east")
        stage.stop()
        stage.until(lambda: bool(stage.port.measured("east").error))
        after = stage.port.measured("east")
        assert (after.rates, after.at) == (before.rates, before.at)
        assert address.url in after.error

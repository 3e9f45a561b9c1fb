"""What clusters measure, asked by a driver that is loaded when the first one is to be asked."""

from __future__ import annotations

from frota.model.objectives import Measured
from frota.ports.clock import Clock
from frota.ports.objectives import MeterAddress, Objectives


class Meters:
    """The Objectives port of a process that may never need it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._driver: Objectives | None = None

    def attach(self, address: MeterAddress) -> None:
        """See ``ports.objectives.Objectives``."""
        if self._driver is None:
            from frota.drivers.prometheus.objectives import PrometheusObjectives

            self._driver = PrometheusObjectives(self._clock)
        self._driver.attach(address)

    def detach(self, cluster: str) -> None:
        """See ``ports.objectives.Objectives``."""
        if self._driver is not None:
            self._driver.detach(cluster)

    def measured(self, cluster: str) -> Measured:
        """See ``ports.objectives.Objectives``."""
        return self._driver.measured(cluster) if self._driver is not None else Measured()

    def close(self) -> None:
        """See ``ports.objectives.Objectives``."""
        if self._driver is not None:
            self._driver.close()

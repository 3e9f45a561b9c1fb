"""The Objectives port of the simulated world: what a test or a story says is measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from frota.model.objectives import Measured, ServiceKey
from frota.ports.clock import Clock
from frota.ports.objectives import MeterAddress


class TwinObjectives:
    """Meters that always know the present; ``away`` are those that do not answer."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._attached: dict[str, tuple[MeterAddress, Measured]] = {}
        self.rates: dict[str, Mapping[ServiceKey, float]] = {}
        self.away: set[str] = set()

    def attach(self, address: MeterAddress) -> None:
        """See ``ports.objectives.Objectives``."""
        known = self._attached.get(address.cluster)
        if known is None or known[0] != address:
            self._attached[address.cluster] = (address, Measured())

    def detach(self, cluster: str) -> None:
        """See ``ports.objectives.Objectives``."""
        self._attached.pop(cluster, None)

    def measured(self, cluster: str) -> Measured:
        """See ``ports.objectives.Objectives``."""
        if cluster not in self._attached:
            return Measured()
        address, known = self._attached[cluster]
        if cluster in self.away:
            known = replace(known, error=f"{address.url}: cannot connect")
        else:
            known = Measured(self.rates.get(cluster, {}), self._clock.now())
        self._attached[cluster] = (address, known)
        return known

    def close(self) -> None:
        """See ``ports.objectives.Objectives``."""
        self._attached.clear()

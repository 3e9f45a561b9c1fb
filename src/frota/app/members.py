"""The driver of member clusters, by how they are reached."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from frota.app.outfit import MissingDriver
from frota.app.twin import WorldAlarm
from frota.model.delivery import WatchedKind
from frota.ports.clock import Clock
from frota.ports.clusters import ClusterAddress, Clusters
from frota.runtime.alarm import Alarm, PipeAlarm
from frota.runtime.backoff import Backoff
from frota.twin import TwinClock, World
from frota.twin.clusters import ClusterFleet, TwinClusters

KUBERNETES = "kubernetes"
TWIN = "twin"
_SEED = 1


@dataclass(frozen=True, slots=True)
class Members:
    """A port to member clusters, and how their time passes."""

    clusters: Clusters
    clock: Clock
    alarm: Alarm
    close: Callable[[], None]


def members_of(driver: str, clock: Clock, *, speed: float, follows: bool = True) -> Members | None:
    """The port of a driver; None when there is none of that name. Without ``follows`` real
    clusters are looked at once. Raises MissingDriver when its library is not installed."""
    if driver == KUBERNETES:
        return _kubernetes(clock, follows=follows)
    if driver == TWIN:
        return _twin(clock, speed)
    return None


def _kubernetes(clock: Clock, *, follows: bool) -> Members:
    try:
        from frota.drivers.kubernetes.clusters import KubernetesClusters
    except ImportError as error:
        raise MissingDriver(
            f"a cluster is reached by a kubeconfig, but the driver cannot be loaded ({error}): "
            "pip install 'frota[kubernetes]'"
        ) from None
    alarm = PipeAlarm()
    delay = Backoff(0.25, 8.0).delay
    clusters = KubernetesClusters(clock, random.SystemRandom(), delay, follows=follows)

    def close() -> None:
        clusters.close()
        alarm.close()

    return Members(clusters, clock, alarm, close)


class _Simulated(TwinClusters):
    """Simulated clusters that are there, empty, as soon as they are declared. They live in
    this process alone: after a restart they are empty again, and are delivered to anew."""

    def __init__(self, fleet: ClusterFleet, clock: TwinClock) -> None:
        super().__init__(fleet, clock)
        self._all = fleet

    def attach(self, address: ClusterAddress, kinds: frozenset[WatchedKind]) -> None:
        """See ``ports.clusters.Clusters``."""
        if address.name not in self._all.members:
            self._all.add(address.name)
        super().attach(address, kinds)


def _twin(clock: Clock, speed: float) -> Members:
    world = World(_SEED)
    theirs = TwinClock(world, clock.now())
    clusters = _Simulated(ClusterFleet(world), theirs)
    alarm = WorldAlarm(world, clock, speed)

    def close() -> None:
        clusters.close()
        alarm.close()

    return Members(clusters, theirs, alarm, close)

"""The driver of member clusters, by how they are reached."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from frota.app.outfit import MissingDriver
from frota.ports.clock import Clock
from frota.ports.clusters import Clusters
from frota.runtime.alarm import Alarm, PipeAlarm
from frota.runtime.backoff import Backoff

KUBERNETES = "kubernetes"
TWIN = "twin"


@dataclass(frozen=True, slots=True)
class Members:
    """A port to member clusters, and how their time passes."""

    clusters: Clusters
    clock: Clock
    alarm: Alarm
    close: Callable[[], None]


def members_of(driver: str, clock: Clock, *, speed: float) -> Members | None:
    """The port of a driver; None when there is none of that name. Raises MissingDriver when
    its library is not installed."""
    if driver == KUBERNETES:
        return _kubernetes(clock)
    if driver == TWIN:
        return _twin(clock, speed)
    return None


def _kubernetes(clock: Clock) -> Members:
    try:
        from frota.drivers.kubernetes.clusters import KubernetesClusters
    except ImportError as error:
        raise MissingDriver(
            f"a cluster is reached by a kubeconfig, but the driver cannot be loaded ({error}): "
            "pip install 'frota[kubernetes]'"
        ) from None
    alarm = PipeAlarm()
    clusters = KubernetesClusters(clock, random.SystemRandom(), Backoff(0.25, 8.0).delay)

    def close() -> None:
        clusters.close()
        alarm.close()

    return Members(clusters, clock, alarm, close)


def _twin(clock: Clock, speed: float) -> Members | None:
    del clock, speed
    return None

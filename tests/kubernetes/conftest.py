"""A small API server and the driver, for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest
import trustme

from frota.drivers.kubernetes.clusters import KubernetesClusters
from frota.model.delivery import ClusterView, WatchedKind
from frota.ports.clusters import ClusterAddress
from frota.runtime.backoff import Backoff
from frota.runtime.clock import SystemClock
from tests.kubernetes.apiserver import ApiServer
from tests.waiting import until

CONFIG_MAPS = WatchedKind("", "v1", "ConfigMap")


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def server(tmp_path: Path, authority: trustme.CA) -> Iterator[ApiServer]:
    server = ApiServer(tmp_path, authority)
    server.start()
    yield server
    server.close()


class Fleet:
    """The driver with one cluster, c."""

    def __init__(self, *, follows: bool = True) -> None:
        self.port = KubernetesClusters(
            SystemClock(), Random(1), Backoff(first=0.02, most=0.5).delay, follows=follows
        )
        self.wakes: list[str] = []
        self.port.on_change(self.wakes.append)

    def attach(self, server: ApiServer, *kinds: WatchedKind, kubeconfig: str = "") -> None:
        address = ClusterAddress("c", kubeconfig or server.kubeconfig())
        self.port.attach(address, frozenset(kinds or (CONFIG_MAPS,)))

    @property
    def view(self) -> ClusterView:
        return self.port.view("c")

    @property
    def names(self) -> set[str]:
        return {key.name for key in self.view.objects}

    def until(self, true: Callable[[], bool], within: float = 10.0) -> None:
        until(true, lambda: self.view, within)


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    fleet = Fleet()
    yield fleet
    fleet.port.close()

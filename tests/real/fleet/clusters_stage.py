"""Stages the contract of member clusters on a real API server of the test fleet."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from pathlib import Path
from random import Random
from urllib.parse import quote

from frota.drivers.devfleet.cluster import Cluster
from frota.drivers.devfleet.shape import API_SERVER
from frota.drivers.kubernetes.clusters import KubernetesClusters
from frota.model.objects import Object, ObjectKey, key_of
from frota.ports.clusters import ClusterAddress, Clusters
from frota.runtime.backoff import Backoff
from frota.runtime.clock import SystemClock
from tests.contract.clusters import KINDS, SPACE
from tests.real.fleet import faults
from tests.waiting import until

_ROOTS = {
    ("", "Namespace"): "/api/v1/namespaces/{name}",
    ("", "ConfigMap"): "/api/v1/namespaces/{namespace}/configmaps/{name}",
    ("apps", "Deployment"): "/apis/apps/v1/namespaces/{namespace}/deployments/{name}",
}


def path_of(key: ObjectKey) -> str:
    """Where an object is."""
    root = _ROOTS[key.group, key.kind]
    return root.format(namespace=quote(key.namespace), name=quote(key.name))


class RealStage:
    """One API server, and Frota's identity on it as a ServiceAccount with a token."""

    def __init__(self, cluster: Cluster, directory: Path) -> None:
        self._server = cluster
        self._directory = directory
        self.cluster = cluster.name
        self._frozen = False
        self._sweep()
        self._account = faults.Account(cluster, "frota")
        self.address = ClusterAddress(self.cluster, str(self._account.kubeconfig(directory)))
        self._port = self._open()

    def _open(self) -> KubernetesClusters:
        self.clock = SystemClock()
        port = KubernetesClusters(self.clock, Random(7), Backoff().delay)
        port.attach(self.address, KINDS)
        return port

    def close(self) -> None:
        """As it was before, but for an empty namespace."""
        self._port.close()
        self.revive()
        self._account.remove()
        self._sweep()

    def _sweep(self) -> None:
        api = self._server.api()
        for root in ("/api/v1", "/apis/apps/v1"):
            plural = "configmaps" if root == "/api/v1" else "deployments"
            api.call("DELETE", f"{root}/namespaces/{SPACE}/{plural}")

    @property
    def port(self) -> Clusters:
        return self._port

    def now(self) -> float:
        return self.clock.now()

    def wait_until(self, condition: Callable[[], bool], within: float) -> None:
        until(condition, lambda: self._port.view(self.cluster), within)

    def settle(self, seconds: float) -> None:
        threading.Event().wait(seconds)

    def reopen(self) -> None:
        self._port.close()
        self._port = self._open()

    def get(self, key: ObjectKey) -> Object | None:
        found = self._server.api().call("GET", path_of(key))
        return found.body if found.ok else None

    def apply_as(self, manager: str, item: Object, *, force: bool = False) -> None:
        path = path_of(key_of(item))
        self._server.api().apply(path, dict(item), manager, force=force).demand()

    def remove(self, key: ObjectKey) -> None:
        self._server.api().call("DELETE", path_of(key)).demand()
        until(lambda: self.get(key) is None, f"{key} to be gone")

    def kill(self) -> None:
        faults.kill(self._server)

    def hang(self) -> None:
        self._server.processes[API_SERVER].send(signal.SIGSTOP)
        self._frozen = True

    def revive(self) -> None:
        if self._frozen:
            self._server.processes[API_SERVER].send(signal.SIGCONT)
            self._frozen = False
        faults.revive(self._server)

    def wipe(self) -> None:
        faults.wipe(self._server)
        self._account = faults.Account(self._server, "frota")
        self._account.kubeconfig(self._directory)

    def expire_watches(self) -> None:
        faults.forget_history(self._server)

    def revoke(self) -> None:
        self._account.revoke()

"""What can befall a cluster of the test fleet. The kubelets and containers are feigned;
API servers, etcd and what is done to them are real."""

from __future__ import annotations

import base64
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from frota.drivers.devfleet.authority import write_private
from frota.drivers.devfleet.cluster import Cluster
from frota.drivers.devfleet.credentials import kubeconfig, service_account_token
from frota.drivers.devfleet.shape import API_SERVER
from tests.real.fleet.proxy import Proxy

_ACCOUNTS = "/api/v1/namespaces/{space}/serviceaccounts"
_BINDINGS = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
_FIGHT_S = 0.02


def kill(cluster: Cluster) -> None:
    """The API server is gone, as after a power cut; etcd keeps what it has."""
    cluster.stop(API_SERVER)


def revive(cluster: Cluster) -> None:
    """Everything runs again, and the cluster is ready."""
    cluster.start()
    cluster.complete()


@contextmanager
def frozen(cluster: Cluster) -> Iterator[None]:
    """The API server hangs: it takes connections, and answers nothing."""
    process = cluster.processes[API_SERVER]
    process.send(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send(signal.SIGCONT)


def wipe(cluster: Cluster) -> None:
    """All objects are lost; the cluster starts anew, at its old address and with its old
    certificates. Resource versions begin again from the start."""
    cluster.stop()
    shutil.rmtree(cluster.layout.data)
    cluster.layout.make()
    revive(cluster)


def forget_history(cluster: Cluster) -> None:
    """Every watch and every list begun before ends in 410 when it is taken up again: etcd
    is compacted to a revision nobody has seen, and the API server remembers nothing older."""
    cluster.stop(API_SERVER)
    compact(cluster)
    revive(cluster)


def compact(cluster: Cluster) -> None:
    """etcd drops all history. Lists that go on from before end in 410; watches may still be
    served from the API server's memory (see ``forget_history``)."""
    etcd = cluster.etcd()
    key = base64.b64encode(b"/frota/compacted").decode("ascii")
    put = etcd.call("POST", "/v3/kv/put", {"key": key, "value": key}).demand()
    revision = put["header"]["revision"]
    etcd.call("POST", "/v3/kv/compaction", {"revision": revision, "physical": True}).demand()


@contextmanager
def proxied(cluster: Cluster, directory: Path) -> Iterator[tuple[Proxy, Path]]:
    """A proxy before the API server, and the administrator's kubeconfig for going through it."""
    with Proxy(cluster.ports.api) as proxy:
        text = cluster.kubeconfig.read_text("utf-8")
        path = directory / f"{cluster.name}-proxied.kubeconfig"
        write_private(path, text.replace(f":{cluster.ports.api}", f":{proxy.port}").encode())
        yield proxy, path


class Account:
    """A ServiceAccount that may do everything until it is revoked."""

    def __init__(self, cluster: Cluster, name: str, namespace: str = "default") -> None:
        self._cluster = cluster
        self._binding = f"frota-test-{namespace}-{name}"
        self._path = f"{_ACCOUNTS.format(space=namespace)}/{name}"
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}
        self._account = cluster.api().apply(self._path, account, "tests").demand()
        self._subject = {"kind": "ServiceAccount", "name": name, "namespace": namespace}
        self.allow()

    def allow(self) -> None:
        """Let it do everything (again)."""
        rbac = "rbac.authorization.k8s.io"
        binding = {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": self._binding},
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [self._subject],
        }
        path = f"{_BINDINGS}/{self._binding}"
        self._cluster.api().apply(path, binding, "tests", force=True).demand()

    def revoke(self) -> None:
        """From now on it may do nothing; API servers learn of it within milliseconds."""
        self._cluster.api().call("DELETE", f"{_BINDINGS}/{self._binding}").demand()

    def token(self, lifetime_s: float = 3600.0) -> str:
        """A token that expires; below zero, one that has."""
        key = self._cluster.layout.pki("accounts.key").read_bytes()
        return service_account_token(key, self._account, lifetime_s)

    def kubeconfig(self, directory: Path, lifetime_s: float = 3600.0) -> Path:
        """A kubeconfig with such a token."""
        cluster = self._cluster
        authority = cluster.authority().certificate
        token = self.token(lifetime_s)
        path = directory / f"{cluster.name}-{self._subject['name']}.kubeconfig"
        write_private(path, kubeconfig(cluster.name, cluster.ports.api, authority, token))
        return path

    def remove(self) -> None:
        """Take it away, and what it may do."""
        api = self._cluster.api()
        api.call("DELETE", f"{_BINDINGS}/{self._binding}")
        api.call("DELETE", self._path)


class Rival:
    """Another controller that wants other values: it puts its own back, by force, whenever
    the object differs, until the block is left. ``wins`` counts how often it did."""

    def __init__(self, cluster: Cluster, path: str, wanted: dict[str, Any], name: str) -> None:
        self._api = cluster.api()
        self._path = path
        self._wanted = wanted
        self._name = name
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._fight, name=name, daemon=True)
        self.wins = 0

    def has_won(self, times: int) -> bool:
        """Whether it has put its values back at least so many times."""
        return self.wins >= times

    def __enter__(self) -> Rival:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join(10.0)

    def _fight(self) -> None:
        while not self._ending.is_set():
            try:
                found = self._api.call("GET", self._path)
                if found.ok and not _holds(found.body, self._wanted):
                    taken = self._api.apply(self._path, self._wanted, self._name, force=True)
                    self.wins += taken.ok
            except OSError:
                self._ending.wait(_FIGHT_S)
            self._ending.wait(_FIGHT_S)


def _holds(found: Any, wanted: Any) -> bool:
    """Whether an object has every value that is wanted of it."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(
            name in found and _holds(found[name], value) for name, value in wanted.items()
        )
    return bool(found == wanted)

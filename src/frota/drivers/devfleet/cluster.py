"""One cluster of a test fleet: prepared once, then started, stopped and broken at will."""

from __future__ import annotations

import contextlib
import shutil
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from frota.drivers.devfleet import shape as part
from frota.drivers.devfleet.addresses import LOOPBACK, free_ports
from frota.drivers.devfleet.api import Api, CallRefused
from frota.drivers.devfleet.authority import (
    KeyPair,
    issue,
    new_authority,
    new_key,
    public_key,
    write_private,
)
from frota.drivers.devfleet.commands import command
from frota.drivers.devfleet.credentials import kubeconfig
from frota.drivers.devfleet.processes import Process, kill_all
from frota.drivers.devfleet.shape import Layout, Ports, Shape, read_record, write_record

_READY_S = 120.0  # a machine may be at work with other things
_STEP_S = 0.05
_SAID_LAST = 2000
# Whom each program is to Kubernetes: user and groups.
_USERS = {
    part.CONTROLLERS: ("system:kube-controller-manager", ()),
    part.SCHEDULER: ("system:kube-scheduler", ()),
    part.KWOK: ("kwok", ("system:masters",)),
}


class ClusterFailed(Exception):
    """A cluster does not come up; the message has the last words of the program at fault."""


class Cluster:
    """A cluster in its directory, running or not."""

    def __init__(self, home: Path, ports: Ports, shape: Shape) -> None:
        self.name = home.name
        self.layout = Layout(home)
        self.ports = ports
        self.shape = shape
        self.processes = {
            program: Process(f"{program} of {self.name}", self.layout.pid(program), home)
            for program in shape.parts
        }

    @property
    def kubeconfig(self) -> Path:
        """How people reach it, as its administrator."""
        return self.layout.admin

    def api(self) -> Api:
        """Calls as its administrator."""
        pki = self.layout.pki
        return Api(self.ports.api, pki("ca.crt"), pki("admin.crt"), pki("admin.key"))

    def anonymous(self) -> Api:
        """Calls with no certificate: each brings a token."""
        pki = self.layout.pki
        return Api(self.ports.api, pki("ca.crt"), None, pki("admin.key"))

    def etcd(self) -> Api:
        """Calls to etcd, in its JSON form (paths below /v3)."""
        pki = self.layout.pki
        return Api(self.ports.etcd, pki("etcd-ca.crt"), pki("etcd.crt"), pki("etcd.key"))

    def authority(self) -> KeyPair:
        """What signs this cluster's certificates."""
        pki = self.layout.pki
        return KeyPair(pki("ca.crt").read_bytes(), pki("ca.key").read_bytes())

    def start(self) -> None:
        """Start etcd and the API server if they do not run, without waiting for the latter.
        Raises ClusterFailed, ProgramMissing, TimeoutError."""
        self._start(part.ETCD)
        # An API server that finds no etcd asks again only after a second.
        self._wait(self._listens, "etcd to listen", (part.ETCD,))
        self._start(part.API_SERVER)

    def complete(self) -> None:
        """Wait until the started API server is ready, start what else belongs to the cluster
        and wait until that has done its first work. Raises like ``start``."""
        core = (part.ETCD, part.API_SERVER)
        self._wait(self.ready, "the API server to be ready", core)
        # Earlier they would find no rights yet, and the controller manager gives up on that.
        for program in self.shape.parts[len(core) :]:
            self._start(program)
        if part.CONTROLLERS in self.shape.parts:
            self._wait(self._has_accounts, "service accounts", self.shape.parts)
        self._add_nodes()
        if part.KWOK in self.shape.parts:
            self._wait(self._has_nodes, "the nodes to be ready", self.shape.parts)

    def stop(self, *programs: str) -> None:
        """End programs (all, when none is named) as a power cut would."""
        kill_all(self.processes[name] for name in programs or self.shape.parts)

    def running(self) -> dict[str, bool]:
        """Which programs run."""
        return {name: process.pid() is not None for name, process in self.processes.items()}

    def ready(self) -> bool:
        """Whether the API server says that it serves."""
        with contextlib.suppress(OSError):
            return self.api().call("GET", "/readyz", timeout=2.0).ok
        return False

    def _start(self, program: str) -> None:
        process = self.processes[program]
        if process.pid() is None:
            line = command(program, self.layout, self.ports, self.shape)
            process.start(line, self.layout.log(program))

    def _listens(self) -> bool:
        with contextlib.suppress(OSError):
            socket.create_connection((LOOPBACK, self.ports.etcd), 1.0).close()
            return True
        return False

    def _has_accounts(self) -> bool:
        with contextlib.suppress(OSError):
            path = "/api/v1/namespaces/default/serviceaccounts/default"
            return self.api().call("GET", path).ok
        return False

    def _has_nodes(self) -> bool:
        with contextlib.suppress(OSError, CallRefused):
            nodes = self.api().get("/api/v1/nodes")["items"]
            return all(_is_usable(node) for node in nodes)
        return False

    def _add_nodes(self) -> None:
        count = self.shape.nodes if part.KWOK in self.shape.parts else 0
        api = self.api()
        for number in range(1, count + 1):
            name = f"{self.name}-node-{number}"
            found = api.call("POST", "/api/v1/nodes", node(name, number))
            if found.status != 409:  # it is there since an earlier start
                found.demand()

    def _wait(self, done: Callable[[], bool], what: str, programs: Sequence[str]) -> None:
        deadline = time.monotonic() + _READY_S
        while not done():
            for program in programs:
                if program in self.processes and self.processes[program].pid() is None:
                    raise ClusterFailed(self._last_words(program, "has ended"))
            if time.monotonic() > deadline:
                told = f"waited {_READY_S:.0f} s for {what}, in vain"
                raise ClusterFailed(self._last_words(programs[-1], told))
            time.sleep(_STEP_S)

    def _last_words(self, program: str, told: str) -> str:
        log = self.layout.log(program)
        try:
            said = log.read_bytes()[-_SAID_LAST:].decode("utf-8", "replace")
        except OSError:
            said = ""
        return f"{self.name}: {program}: {told}. Its log is {log}; the end of it:\n{said}"


def prepare(home: Path, shape: Shape) -> Cluster:
    """A cluster with certificates and ports of its own, or the one that is there already
    (then with the shape it has). Starts nothing. Raises OSError."""
    layout = Layout(home)
    known = read_record(layout)
    if known is not None:
        return Cluster(home, *known)
    shutil.rmtree(home, ignore_errors=True)  # one that was never finished
    layout.make()
    ports = Ports(*free_ports(3))
    authority, internal = new_authority(f"{home.name} authority"), new_authority("etcd authority")
    _keep(layout, "ca", authority)
    _keep(layout, "etcd-ca", internal)
    _keep(layout, "etcd", issue(internal, "etcd"))
    _keep(layout, "server", issue(authority, "kube-apiserver"))
    admin = issue(authority, "admin", ("system:masters",))
    _keep(layout, "admin", admin)
    accounts = new_key()
    write_private(layout.pki("accounts.key"), accounts)
    write_private(layout.pki("accounts.pub"), public_key(accounts))
    trusted = authority.certificate
    for program in shape.parts:
        if program in _USERS:
            user = issue(authority, *_USERS[program])
            document = kubeconfig(home.name, ports.api, trusted, user)
            write_private(layout.kubeconfig(program), document)
    write_private(layout.admin, kubeconfig(home.name, ports.api, trusted, admin))
    write_record(layout, ports, shape)
    return Cluster(home, ports, shape)


def node(name: str, number: int) -> dict[str, object]:
    """A node of eight GPUs, as a kubelet would register it; zones go round by threes."""
    room = {
        "cpu": "96",
        "memory": "768Gi",
        "pods": "110",
        "ephemeral-storage": "1Ti",
        "nvidia.com/gpu": "8",
    }
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "topology.kubernetes.io/zone": f"zone-{(number - 1) % 3 + 1}",
        "nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3",
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "status": {"capacity": room, "allocatable": room},
    }


def stored(home: Path) -> Cluster | None:
    """The cluster of a directory, when one was prepared there."""
    known = read_record(Layout(home))
    return None if known is None else Cluster(home, *known)


def processes_below(home: Path) -> list[Process]:
    """Whatever was started in a directory, known by the files of process ids alone: a
    cluster that was never finished has no other record."""
    return [Process(file.stem, file, home) for file in sorted((home / "run").glob("*.pid"))]


def _is_usable(found: Any) -> bool:
    """Ready, and the taint that it had before is gone."""
    conditions = found["status"].get("conditions", ())
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    taints = {taint["key"] for taint in found["spec"].get("taints", ())}
    return ready and "node.kubernetes.io/not-ready" not in taints


def _keep(layout: Layout, name: str, pair: KeyPair) -> None:
    write_private(layout.pki(f"{name}.crt"), pair.certificate)
    write_private(layout.pki(f"{name}.key"), pair.key)

"""What a test cluster consists of, and where its parts are."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from frota.drivers.devfleet.programs import STAGES

ETCD, API_SERVER = "etcd", "kube-apiserver"
CONTROLLERS, SCHEDULER, KWOK = "kube-controller-manager", "kube-scheduler", "kwok"
OPTIONAL = (CONTROLLERS, SCHEDULER, KWOK)


@dataclass(frozen=True, slots=True)
class Shape:
    """Which programs run besides etcd and the API server, and on how many nodes of eight
    GPUs pods can be placed (none without kwok).

    Without the controller manager a deleted namespace stays for ever, and nothing makes pods
    of a Deployment; without the scheduler pods stay Pending; without kwok nodes are not Ready.
    """

    optional: tuple[str, ...] = OPTIONAL
    nodes: int = 2

    @property
    def parts(self) -> tuple[str, ...]:
        """All programs, in the order in which they start."""
        return (ETCD, API_SERVER, *(name for name in OPTIONAL if name in self.optional))

    @property
    def needs(self) -> tuple[str, ...]:
        """What must be on this machine."""
        return (*self.parts, STAGES) if KWOK in self.optional else self.parts


@dataclass(frozen=True, slots=True)
class Ports:
    """Where a cluster listens, on the loopback address."""

    etcd: int
    peer: int
    api: int


@dataclass(frozen=True, slots=True)
class Layout:
    """The files of one cluster below its directory."""

    home: Path

    def pki(self, name: str) -> Path:
        """A certificate or key."""
        return self.home / "pki" / name

    def pid(self, program: str) -> Path:
        """Where a program's process id is."""
        return self.home / "run" / f"{program}.pid"

    def log(self, program: str) -> Path:
        """What a program says."""
        return self.home / "logs" / f"{program}.log"

    def kubeconfig(self, user: str) -> Path:
        """How one of the cluster's own programs reaches it."""
        return self.home / "users" / f"{user}.kubeconfig"

    @property
    def admin(self) -> Path:
        """The kubeconfig that people are given."""
        return self.home / "kubeconfig"

    @property
    def data(self) -> Path:
        """What etcd stores."""
        return self.home / "data"

    @property
    def record(self) -> Path:
        """Written last: a cluster without it was never finished."""
        return self.home / "cluster.json"

    def make(self) -> None:
        """Directories that only their owner may enter."""
        for place in ("", "pki", "run", "logs", "users", "data"):
            (self.home / place).mkdir(mode=0o700, parents=True, exist_ok=True)


def write_record(layout: Layout, ports: Ports, shape: Shape) -> None:
    """Say that a cluster is prepared, and how."""
    fresh = layout.record.with_suffix(".new")
    fresh.write_text(json.dumps({"ports": asdict(ports), "shape": asdict(shape)}), "utf-8")
    fresh.replace(layout.record)


def read_record(layout: Layout) -> tuple[Ports, Shape] | None:
    """What was prepared; None where nothing was, or not to the end."""
    try:
        found = json.loads(layout.record.read_text("utf-8"))
    except FileNotFoundError:
        return None
    shape = found["shape"]
    return Ports(**found["ports"]), Shape(tuple(shape["optional"]), shape["nodes"])

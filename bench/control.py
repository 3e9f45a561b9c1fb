"""``frota up`` as people run it: a process of its own on a store of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.declared import Document, written
from frota.controllers.clusterrecords import STATUS, condition_of
from frota.model.clusterstatus import ConditionType, Truth
from frota.model.release import ClusterStatus
from frota.ports.store import Write
from frota.store.sqlite import SqliteStore

_STEP_S = 0.01
_LOOK_S = 0.05  # reading the store takes CPU that what is measured needs
_END_S = 30.0
_TICKS = os.sysconf("SC_CLK_TCK")
_MIB = 1024


class TooLong(Exception):
    """What was waited for did not come; the message says what."""


@dataclass(slots=True)
class Control:
    """A store and the controllers on it. ``store`` is a connection of the bench's own."""

    folder: Path
    store: SqliteStore
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begin ``frota up``, and wait until it holds its store."""
        with (self.folder / "up.log").open("ab") as log:
            self.process = subprocess.Popen(
                self._words("up", "--plain"),
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=_environment(),
            )
        wait_for((self.folder / "frota.db.bell").exists, "frota up to start", 30.0)

    def stop(self) -> None:
        """End it as people do."""
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(_END_S)
            self.process = None

    def command(self, *words: str) -> str:
        """Another command on the same store; what it printed. Raises CalledProcessError."""
        done = subprocess.run(
            self._words(*words), capture_output=True, text=True, check=True, env=_environment()
        )
        return done.stdout

    def apply(self, documents: Sequence[Document]) -> None:
        """``frota apply`` of one file."""
        file = self.folder / "fleet.yaml"
        file.write_text(written(documents), encoding="utf-8")
        self.command("apply", str(file))

    def edit(self, kind: str, name: str, change: Callable[[Document], Any]) -> None:
        """What ``frota apply`` stores for a changed document, without its start."""
        entry = self.store.get(kind, name)
        assert entry is not None, f"{kind}/{name}"
        fresh = {**entry.value, "spec": dict(entry.value["spec"])}
        change(fresh)
        self.store.commit([Write(kind, name, fresh, entry.revision)])

    def statuses(self) -> list[ClusterStatus]:
        """What the controllers say of their clusters."""
        return [entry.value for entry in self.store.list(STATUS)]

    def synced(self, clusters: int, objects: int) -> bool:
        """Whether so many clusters are said to have all that is released, at least so much."""
        found = self.statuses()
        return len(found) == clusters and all(
            is_true(status, ConditionType.SYNCED) and status.settled >= objects for status in found
        )

    def wait_synced(self, clusters: int, objects: int, seconds: float = 120.0) -> None:
        """Wait for ``synced``."""
        what = "all clusters to be synced"
        wait_for(lambda: self.synced(clusters, objects), what, seconds, _LOOK_S)

    def cpu(self) -> float:
        """CPU seconds of the process so far."""
        assert self.process is not None
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def memory(self, what: str = "VmRSS") -> float:
        """MiB of the process that are resident; ``VmHWM``: at most so far."""
        assert self.process is not None
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(what):
                return int(line.split()[1]) / _MIB
        raise KeyError(what)

    def _words(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "frota", "--store", str(self.folder / "frota.db"), *words]


def _environment() -> dict[str, str]:
    """As installed programs run: what was compiled once is kept."""
    return {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


@contextmanager
def control() -> Iterator[Control]:
    """An empty store; whatever was started on it ends with the block."""
    with TemporaryDirectory(prefix="frota-bench-") as folder:
        store = SqliteStore(Path(folder) / "frota.db")
        made = Control(Path(folder), store)
        try:
            yield made
        finally:
            made.stop()
            store.close()


def is_true(status: ClusterStatus, kind: ConditionType) -> bool:
    """Whether a condition is there and true."""
    found = condition_of(status, kind)
    return found is not None and found.status is Truth.TRUE


def wait_for(what: Callable[[], bool], words: str, seconds: float, step: float = _STEP_S) -> None:
    """Look every ``step`` seconds. Raises TooLong."""
    end = time.perf_counter() + seconds
    while not what():
        if time.perf_counter() > end:
            raise TooLong(f"{words}: not within {seconds:g} s")
        time.sleep(step)

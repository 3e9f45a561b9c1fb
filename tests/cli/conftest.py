"""A small store, as a controller left it, and a way to run commands on it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from frota.cli.main import main
from frota.ports.store import Entry, Write
from frota.resources.documents import load
from frota.simulation.run import Run
from frota.store.sqlite import SqliteStore

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "three-hosts.yaml"
GROUP = "plant-east"
_KINDS = ("HostGroup", "Cluster", "Host", "AvailabilitySet", "VirtualMachine", "Verdict")
_LINES_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """The output, read as JSON."""
        return json.loads(self.out)


class Frota:
    """Runs commands in this process on one store."""

    def __init__(self, store: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.store = store
        self._capsys = capsys

    def __call__(self, *words: str) -> Ended:
        self._capsys.readouterr()
        code = main(["--store", str(self.store), *words])
        captured = self._capsys.readouterr()
        return Ended(code, captured.out, captured.err)

    def entry(self, kind: str, name: str) -> Entry:
        """One stored record."""
        store = SqliteStore(self.store, create=False)
        try:
            found = store.get(kind, name)
        finally:
            store.close()
        assert found is not None
        return found

    def change(self, kind: str, name: str, change: Callable[[Any], Any]) -> None:
        """Write past all commands."""
        old = self.entry(kind, name)
        store = SqliteStore(self.store)
        try:
            store.commit([Write(kind, name, change(old.value), old.revision)])
        finally:
            store.close()


@cache
def played() -> Run:
    """The example after two minutes: nine VMs run on three hosts."""
    loaded = load([("example", EXAMPLE.read_text(encoding="utf-8"))])
    run = Run(tuple(resource.document for resource in loaded.resources), seed=1)
    run.run_until(120.0)
    return run


@pytest.fixture
def empty(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Frota:
    """Commands with no store yet."""
    return Frota(tmp_path / "frota.db", capsys)


@pytest.fixture
def frota(empty: Frota) -> Frota:
    """Commands on a store in which the example runs; no controller is at work on it."""
    memory = played().store
    store = SqliteStore(empty.store)
    writes = [Write(e.kind, e.name, e.value, 0) for kind in _KINDS for e in memory.list(kind)]
    store.commit(writes, memory.journal(last=_LINES_MOST))
    store.close()
    return empty

"""Looking at a small store: the three hosts and nine VMs of the example."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench import startup
from bench.clock import Limits
from bench.examples import settled
from bench.figures import Figure
from frota.ports.store import Write
from frota.store.sqlite import SqliteStore

BAR = 12.0
KINDS = ("HostGroup", "Cluster", "Host", "AvailabilitySet", "VirtualMachine", "Verdict")


def figures(limits: Limits) -> Iterator[Figure]:
    """``frota get vms``."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "frota.db"
        store = SqliteStore(place)
        try:
            _fill(store)
        finally:
            store.close()
        words = ["--store", str(place), "get", "vms"]
        yield from startup.figures(words, BAR, limits)


def _fill(store: SqliteStore) -> None:
    run = settled()
    entries = [entry for kind in KINDS for entry in run.store.list(kind)]
    store.commit([Write(entry.kind, entry.name, entry.value, 0) for entry in entries])

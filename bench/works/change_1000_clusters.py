"""A change that concerns three clusters of a thousand: until it is ordered on all three."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.clock import Limits
from bench.figures import Figure, Must
from bench.fleets import NAME, Document, documents, named, views_of
from bench.sightings import percentile
from bench.views import Views
from frota.compile.kubernetes import compile_fleet
from frota.controllers.cluster import ClusterController
from frota.controllers.contents import Contents
from frota.controllers.fleet import FleetController
from frota.ports.store import Write
from frota.runtime.clock import SystemClock
from frota.runtime.interpreter import tune_interpreter
from frota.store.sqlite import SqliteStore

CLUSTERS = 1_000
BAR_S = 0.5
_SERVICE = "translate"
_HERE = 3  # clusters have it
_AT_ONCE = {"soak": "0s", "healthy": False, "approval": False}


def figures(limits: Limits) -> Iterator[Figure]:
    """The clusters are simulated and have all that is declared, the store is a file. An argument
    of a service is changed that three of them have; until the deliveries to these are ordered.
    The ways through threads and the network are left out (``delivery-change`` has them)."""
    tune_interpreter()  # as ``frota up`` does
    times = max(10, round(limits.seconds / 2))
    found = _documents()
    names = [d["metadata"]["name"] for d in found if d["kind"] == "Cluster"]
    views = Views(views_of(compile_fleet(found)))
    with TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder) / "frota.db")
        try:
            store.commit([Write(d["kind"], d["metadata"]["name"], d, 0) for d in found])
            took = _changes(store, views, names, times)
        finally:
            store.close()
    what = f"change to ordered on {_HERE} of {CLUSTERS:,}"
    yield Figure(f"{what}, P50 of {times}", percentile(took, 0.5), "s")
    yield Figure(f"{what}, P99 of {times}", percentile(took, 0.99), "s", BAR_S)
    yield Figure("deliveries ordered", len(views.ordered), "deliveries", times * _HERE,
                 Must.BE_AT_LEAST)  # fmt: skip


def _changes(store: SqliteStore, views: Views, names: Sequence[str], times: int) -> list[float]:
    clock, rng, contents = SystemClock(), random.Random(1), Contents(store)
    fleet = FleetController(NAME, store=store, clock=clock, contents=contents)
    clusters = [
        ClusterController(
            name, store=store, clusters=views, clock=clock, rng=rng, contents=contents
        )
        for name in names
    ]
    for _ in range(3):  # all is released, watched, and found as declared
        fleet.reconcile()
        for cluster in clusters:
            cluster.reconcile()
    fleet.reconcile()
    took = []
    for number in range(times):
        _change(store, f"--max-model-len={1_000 + number}")
        began = time.perf_counter()
        fleet.reconcile()
        for cluster in clusters[:_HERE]:
            cluster.reconcile()
        took.append(time.perf_counter() - began)
    return took


def _change(store: SqliteStore, word: str) -> None:
    entry = store.get("InferenceService", _SERVICE)
    assert entry is not None
    document: Mapping[str, Document] = entry.value
    runtime = {**document["spec"]["runtime"], "args": [word]}
    fresh = {**document, "spec": {**document["spec"], "runtime": runtime}}
    store.commit([Write("InferenceService", _SERVICE, fresh, entry.revision)])


def _documents() -> list[Document]:
    """Of one wave, with a service more in the first few."""
    found = list(documents(CLUSTERS))
    names = [d["metadata"]["name"] for d in found if d["kind"] == "Cluster"]
    place = next(n for n, d in enumerate(found) if d["kind"] == "Fleet")
    gates = [{"name": "prod", "gates": _AT_ONCE, "waves": [names]}]
    found[place] = {**found[place], "spec": {**found[place]["spec"], "environments": gates}}
    service = named(next(d for d in found if d["kind"] == "InferenceService"), _SERVICE)
    service["spec"]["placement"] = {**service["spec"]["placement"], "clusters": names[:_HERE]}
    return [*found, service]

"""A controller that starts on a store and clusters with 30,000 objects."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

from bench import declared
from bench.clock import Limits
from bench.figures import Figure
from bench.fleets import view_of
from bench.views import Views
from frota.compile.kubernetes import membership
from frota.controllers.cluster import ClusterController
from frota.controllers.clusterrecords import STATUS
from frota.controllers.contents import Contents
from frota.controllers.fleet import FleetController
from frota.ports.store import Write
from frota.resources.documents import load
from frota.runtime.clock import SystemClock
from frota.store.sqlite import SqliteStore

BAR_S = 10.0
KARMADA = "Karmada's own report: about 5 min"
KARMADA_S = 300.0
CLUSTERS = 30
NAMES = [f"member-{number:02}" for number in range(CLUSTERS)]


def figures(limits: Limits) -> Iterator[Figure]:
    """The clusters are simulated: their views are there, whole, as watches give them once all
    is listed, so reading the lists over the network is left out. The store is a real one: it is
    opened, its contents are read, and compiled anew in a second thread as ``frota up`` does,
    every object is compared. A decision is a status on record."""
    del limits
    with TemporaryDirectory() as folder:
        path = Path(folder) / "frota.db"
        views = _filled(path)
        began = time.perf_counter()
        ends = list(_decisions(path, views, began))
        store = SqliteStore(path)
        total = sum(entry.value.settled for entry in store.list(STATUS))
        store.close()
    whole = total >= CLUSTERS * declared.OBJECTS and not views.ordered
    yield Figure("first decision", ends[0], "s", BAR_S, peer=KARMADA, peer_value=KARMADA_S)
    yield Figure("all decided", ends[-1], "s", sound=whole, peer=KARMADA, peer_value=KARMADA_S)
    yield Figure("objects found as declared", total, "objects")


def _decisions(path: Path, views: Views, began: float) -> Iterator[float]:
    """When each cluster was decided on, by controllers that remember nothing."""
    store, clock, rng = SqliteStore(path), SystemClock(), random.Random(1)
    contents = Contents(store)
    try:
        fleet = FleetController(declared.FLEET, store=store, clock=clock, contents=contents)
        compiling = Thread(target=fleet.reconcile)
        compiling.start()
        for name in NAMES:
            made = ClusterController(
                name, store=store, clusters=views, clock=clock, rng=rng, contents=contents
            )
            for _ in range(2):  # what is to be watched, then what is seen
                made.reconcile()
            yield time.perf_counter() - began
        compiling.join()
        fleet.reconcile()
    finally:
        store.close()


def _filled(path: Path) -> Views:
    """A store on which all was delivered, and what the clusters show."""
    documents = declared.documents({name: Path("/srv", name) for name in NAMES})
    label = membership(declared.FLEET)
    compiled = declared.compiled(documents)
    views = Views({name: view_of(name, items, label) for name, items in compiled.items()})
    resources = load([("fleet.yaml", declared.written(documents))]).resources
    store = SqliteStore(path)
    store.commit([Write(item.kind, item.name, item.document, 0) for item in resources])
    store.close()
    for _ in range(2):  # the first time clusters are met, the second they are released
        deque(_decisions(path, views, 0.0), maxlen=0)
    return views

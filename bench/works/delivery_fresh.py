"""One object changed in the middle of a first sync: a backlog must not starve it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial

from bench import declared, members
from bench.clock import Limits
from bench.control import control, wait_for
from bench.declared import NAMESPACE, OBJECTS, Document
from bench.figures import Figure
from bench.sightings import Seen, watched

BAR_S = 1.0
KARMADA = "Karmada f8fdd02d: 438 s, when the backlog was done (measured 2026-11-21)"
KARMADA_S = 438.0
_SHARE = 0.3  # of the objects that are there when it is changed
_LATEST_S = 60.0
_QUOTA = f"/api/v1/namespaces/{NAMESPACE}/resourcequotas"


def figures(limits: Limits) -> Iterator[Figure]:
    """Three fresh clusters are filled with 1,000 objects each. When the first of them has a
    third, the quota of a team is changed in the store; until watches of the bench's own show it
    on all three. The object is there already: one that is not is made in its turn."""
    del limits
    if members.absent():
        yield Figure(members.absent(), None, "s")
        return
    with members.members() as clusters, control() as frota:
        found = declared.documents({cluster.name: cluster.kubeconfig for cluster in clusters})
        frota.start()
        with watched(clusters, _QUOTA) as sightings:
            frota.apply(found)
            names = [cluster.name for cluster in clusters]
            sightings.first(lambda _: True, names, 0, _LATEST_S)
            there = partial(members.count, clusters[0])
            wait_for(lambda: there() > _SHARE * OBJECTS, "a third of the objects", _LATEST_S)
            since, began = len(sightings), time.perf_counter()
            frota.edit("Team", "language", _fewer_pods)
            seen = sightings.first(_has_fewer, names, since, _LATEST_S)
            left = [OBJECTS - members.count(cluster) for cluster in clusters]
    took = max(seen.values()) - began
    yield Figure("change to last of 3, in a first sync", took, "s", BAR_S, sound=max(left) > 0,
                 peer=KARMADA, peer_value=KARMADA_S)  # fmt: skip
    yield Figure("objects still to be made then, on the slowest", max(left), "objects")


def _fewer_pods(document: Document) -> None:
    document["spec"]["quotas"] = [{**document["spec"]["quotas"][0], "pods": 5_000}]


def _has_fewer(item: Seen) -> bool:
    return "5k" in str(item["spec"]["hard"]) or "5000" in str(item["spec"]["hard"])

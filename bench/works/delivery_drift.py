"""From the event of a member's own to the object put right."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial

from bench import declared
from bench.clock import Limits
from bench.figures import Figure
from bench.sightings import Seen, watched
from bench.steady import Latency, Steady

BAR_S = 0.020
# The better and the worse end of several runs.
KARMADA = "Karmada f8fdd02d: median 7-18 ms, P99 20-112 ms (measured 2026-11-21)"
KARMADA_S = {0.5: 0.018, 0.99: 0.112}
_PATH = f"/api/v1/namespaces/{declared.NAMESPACE}/services"
_PAUSE_S = 0.25
_LATEST_S = 20.0
_MERGE = "application/merge-patch+json"


def figures(limits: Limits) -> Iterator[Figure]:
    """Somebody changes the selector of one Service after another, on one member after another,
    with 3,000 objects known. Both moments are those at which the same watch of the bench shows
    the object: as it was changed, and as it was put right."""
    yield from Latency("drift seen to put right", BAR_S, KARMADA, KARMADA_S).figures(
        limits, _drifts
    )


def _drifts(fleet: Steady, times: int) -> list[float]:
    found = []
    with watched(fleet.clusters, _PATH) as sightings:
        for number in range(times):
            cluster = fleet.clusters[number % len(fleet.clusters)]
            name, word = declared.service_name(number % 97), f"mallory-{number}"
            patch = {"spec": {"selector": {"frota.dev/service": word}}}
            since, here = len(sightings), [cluster.name]
            path = f"{_PATH}/{name}?fieldManager=mallory"
            cluster.api().call("PATCH", path, patch, form=_MERGE).demand()
            wrong = sightings.first(partial(_selects, name, word), here, since, _LATEST_S)
            right = sightings.first(partial(_selects, name, name), here, since, _LATEST_S)
            found.append(right[cluster.name] - wrong[cluster.name])
            time.sleep(_PAUSE_S)
    return found


def _selects(name: str, word: str, item: Seen) -> bool:
    found: str = item["spec"]["selector"].get("frota.dev/service", "")
    return bool(item["metadata"]["name"] == name) and found == word

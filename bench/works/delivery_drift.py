"""From the event of a member's own to the object put right."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial

from bench import declared, members
from bench.clock import Limits
from bench.figures import Figure
from bench.sightings import Seen, percentile, watched
from bench.steady import Steady, steady

BAR_S = 0.020
# The better and the worse end of several runs.
KARMADA = "Karmada f8fdd02d: median 7-18 ms, P99 20-112 ms (measured 2026-11-21)"
KARMADA_S = {0.5: 0.018, 0.99: 0.112}
_PATH = f"/api/v1/namespaces/{declared.NAMESPACE}/services"
_TIMES = 100
_PAUSE_S = 0.25
_LATEST_S = 20.0
_MERGE = "application/merge-patch+json"


def figures(limits: Limits) -> Iterator[Figure]:
    """Somebody changes the selector of one Service after another, on one member after another,
    with 3,000 objects known. Both moments are those at which the same watch of the bench shows
    the object: as it was changed, and as it was put right."""
    if members.absent():
        yield Figure(members.absent(), None, "s")
        return
    with steady() as fleet:
        times = max(5, round(_TIMES * min(1.0, limits.seconds / 60)))
        found = _drifts(fleet, times)
    for share, bar in ((0.5, None), (0.99, BAR_S)):
        yield Figure(f"drift seen to put right, P{share * 100:.0f} of {times}",
                     percentile(found, share), "s", bar, peer=KARMADA,
                     peer_value=KARMADA_S[share])  # fmt: skip


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

"""From a change of what is declared to the object on the last of three members."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from bench import declared
from bench.clock import Limits
from bench.declared import Document
from bench.figures import Figure
from bench.peers import bareloop
from bench.sightings import Seen, watched
from bench.steady import Latency, Steady
from frota.model.objects import Object

BAR_S = 0.050
# Karmada f8fdd02d, idle, limits raised, an update: median and P99, measured 2026-11-21 on a
# machine of this kind.
KARMADA = "Karmada f8fdd02d, update, limits raised (measured 2026-11-21)"
KARMADA_S = {0.5: 0.099, 0.99: 0.130}
_PATH = f"/apis/apps/v1/namespaces/{declared.NAMESPACE}/deployments"
_PAUSE_S = 0.3
_LATEST_S = 20.0


def figures(limits: Limits) -> Iterator[Figure]:
    """An argument of one InferenceService after another is changed in the store that a running
    ``frota up`` works on, by the commit that ``frota apply`` ends with (its own start and the
    check of the files, some 0.7 s, are left out). Until watches of the bench's own show the
    Deployment with it on all three. 3,000 objects, nothing else goes on. Then Frota ends, and
    the same Deployments are changed by bare PATCHes, sent to all three at once: no more than
    that is left when everything else takes no time."""
    latency = Latency("change to last of 3", BAR_S, KARMADA, KARMADA_S)
    yield from latency.figures(limits, _changes, _bare, bareloop.NAME)


def _changes(fleet: Steady, times: int) -> list[float]:
    def change(name: str, word: str) -> None:
        fleet.frota.edit("InferenceService", name, partial(_argument, word))

    return _timed(fleet, times, 1_000, change)


def _bare(fleet: Steady, times: int) -> list[float]:
    fleet.frota.stop()
    found = declared.delivered(declared.documents({c.name: c.kubeconfig for c in fleet.clusters}))
    with bareloop.held(fleet.clusters) as send:

        def change(name: str, word: str) -> None:
            send({member: _deployment(items, name, word) for member, items in found.items()})

        return _timed(fleet, times, 2_000, change)


def _timed(
    fleet: Steady, times: int, first: int, change: Callable[[str, str], None]
) -> list[float]:
    """From each change of a service, with a word of its own, to the last of the members."""
    found = []
    with watched(fleet.clusters, _PATH) as sightings:
        for number in range(times):
            name, word = declared.service_name(number % 97), f"--max-model-len={first + number}"
            since, began = len(sightings), time.perf_counter()
            change(name, word)
            seen = sightings.first(partial(_has, word), fleet.names, since, _LATEST_S)
            found.append(max(seen.values()) - began)
            time.sleep(_PAUSE_S)
    return found


def _deployment(items: Sequence[Object], name: str, word: str) -> Object:
    """The Deployment of a service, with another argument."""
    which = next(i for i in items if (i["kind"], i["metadata"]["name"]) == ("Deployment", name))
    found: Document = json.loads(json.dumps(which))
    found["spec"]["template"]["spec"]["containers"][0]["args"] = [word]
    return found


def _argument(word: str, document: Document) -> None:
    runtime = document["spec"]["runtime"]
    document["spec"]["runtime"] = {**runtime, "args": [word]}


def _has(word: str, item: Seen) -> bool:
    return word in json.dumps(item["spec"])

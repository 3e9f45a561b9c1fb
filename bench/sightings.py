"""When objects were seen to change, by watches of the bench's own: nothing of Frota is asked."""

from __future__ import annotations

import http.client
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from typing import Any

from bench.control import TooLong
from frota.drivers.devfleet.cluster import Cluster

_OPEN_S = 10.0
Seen = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sighting:
    """An object as a watch showed it, and when (``time.perf_counter``)."""

    cluster: str
    at: float
    object: Seen


class Sightings:
    """Everything that the watches showed so far."""

    def __init__(self) -> None:
        self._all: list[Sighting] = []
        self._news = threading.Condition()

    def add(self, sighting: Sighting) -> None:
        """Take in one more."""
        with self._news:
            self._all.append(sighting)
            self._news.notify_all()

    def __len__(self) -> int:
        return len(self._all)

    def first(
        self, what: Callable[[Seen], bool], clusters: Sequence[str], since: int, seconds: float
    ) -> dict[str, float]:
        """When each cluster first showed such an object, of what came after ``since`` of them.
        Raises TooLong."""
        found: dict[str, float] = {}
        end, place = time.perf_counter() + seconds, since
        with self._news:
            while True:
                for sighting in self._all[place:]:
                    if sighting.cluster in clusters and what(sighting.object):
                        found.setdefault(sighting.cluster, sighting.at)
                place = len(self._all)
                if len(found) == len(clusters):
                    return found
                if not self._news.wait(max(0.0, end - time.perf_counter())):
                    raise TooLong(f"seen on {sorted(found)} only within {seconds:g} s")


@contextmanager
def watched(clusters: Sequence[Cluster], path: str) -> Iterator[Sightings]:
    """Watch one kind on all clusters, from now on."""
    found = Sightings()
    lines = [_Line(cluster, path, found) for cluster in clusters]
    try:
        yield found
    finally:
        for line in lines:
            line.close()


class _Line:
    """One watch, read in a thread of its own."""

    def __init__(self, cluster: Cluster, path: str, found: Sightings) -> None:
        pki = cluster.layout.pki
        tls = ssl.create_default_context(cafile=str(pki("ca.crt")))
        tls.load_cert_chain(pki("admin.crt"), pki("admin.key"))
        self._name = cluster.name
        self._found = found
        self._line = http.client.HTTPSConnection("127.0.0.1", cluster.ports.api, context=tls)
        revision = cluster.api().get(f"{path}?limit=1")["metadata"]["resourceVersion"]
        self._line.request("GET", f"{path}?watch=1&resourceVersion={revision}")
        self._socket = self._line.sock
        self._answer = self._line.getresponse()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it."""
        self._socket.shutdown(2)
        self._thread.join(_OPEN_S)
        self._line.close()

    def _read(self) -> None:
        try:
            while line := self._answer.readline():
                at = time.perf_counter()
                self._found.add(Sighting(self._name, at, json.loads(line)["object"]))
        except (OSError, ValueError, http.client.HTTPException):
            return  # closed


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that so large a share of all does not exceed (nearest rank)."""
    return sorted(values)[max(0, ceil(share * len(values)) - 1)]

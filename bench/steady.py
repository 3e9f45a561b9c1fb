"""A fleet at rest: three members with 1,000 objects each, delivered by ``frota up``, which goes
on running."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from bench import declared, members
from bench.clock import Limits
from bench.control import Control, control
from bench.declared import OBJECTS
from bench.figures import Figure
from bench.sightings import percentile
from frota.drivers.devfleet.cluster import Cluster

_REST_S = 5.0
_TIMES = 100


@dataclass(frozen=True, slots=True)
class Steady:
    """The members, and the controllers."""

    clusters: list[Cluster]
    frota: Control

    @property
    def names(self) -> list[str]:
        """The names of all members."""
        return [cluster.name for cluster in self.clusters]


@contextmanager
def steady() -> Iterator[Steady]:
    """Begun, synced and left alone for a few seconds."""
    with members.members() as clusters, control() as frota:
        frota.apply(declared.documents({c.name: c.kubeconfig for c in clusters}))
        frota.start()
        frota.wait_synced(len(clusters), OBJECTS)
        time.sleep(_REST_S)
        yield Steady(clusters, frota)


@dataclass(frozen=True, slots=True)
class Latency:
    """What is timed again and again on a fleet at rest. ``bar`` is of P99 in seconds,
    ``peer_s`` what the peer took, by share."""

    what: str
    bar: float
    peer: str
    peer_s: Mapping[float, float]

    def figures(
        self,
        limits: Limits,
        measure: Callable[[Steady, int], list[float]],
        least: Callable[[Steady, int], list[float]] | None = None,
        name: str = "",
    ) -> Iterator[Figure]:
        """Median and P99 of what ``measure`` timed, asked for so many times. ``least``, called
        ``name``, times the least that anybody can do, on the same fleet afterwards."""
        if members.absent():
            yield Figure(members.absent(), None, "s")
            return
        with steady() as fleet:
            times = max(5, round(_TIMES * min(1.0, limits.seconds / 60)))
            found = measure(fleet, times)
            bare = least(fleet, times) if least is not None else []
        for share, bar in ((0.5, None), (0.99, self.bar)):
            what = f"{self.what}, P{share * 100:.0f} of {times}"
            value = percentile(found, share)
            yield Figure(what, value, "s", bar, peer=self.peer, peer_value=self.peer_s[share])
            if bare:
                yield Figure(what, value, "s", peer=name, peer_value=percentile(bare, share))

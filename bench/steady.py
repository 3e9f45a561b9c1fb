"""A fleet at rest: three members with 1,000 objects each, delivered by ``frota up``, which goes
on running."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bench import declared, members
from bench.control import Control, control
from bench.declared import OBJECTS
from frota.drivers.devfleet.cluster import Cluster

_REST_S = 5.0


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

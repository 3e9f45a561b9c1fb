"""The controllers of all member clusters that are reached by one driver."""

from __future__ import annotations

import random
from collections.abc import Callable

from frota.app.leased import LeasedClusters
from frota.app.tenure import Tenure
from frota.app.turning import Turning
from frota.controllers.cluster import ClusterController
from frota.controllers.contents import Contents
from frota.ports.clock import Clock
from frota.ports.clusters import Clusters
from frota.ports.store import Store
from frota.runtime.alarm import Alarm
from frota.runtime.lease import Leases
from frota.runtime.loop import Loop
from frota.runtime.queue import WorkQueue
from frota.runtime.worker import Observer, Worker

# A change of what is declared is on the way at once, and so is what puts one drift right. While
# many objects are written, each of them is news: a tenth of the time is enough for looking at it.
_PAUSE_S = 0.001
_LONE, _REST = 1.0, 9.0


class Deliverer:
    """Reconciles clusters until it is stopped, then closes what it was given."""

    def __init__(  # noqa: PLR0913 - all that its controllers need, by name
        self,
        store: Store,
        clusters: Clusters,
        *,
        clock: Clock,
        alarm: Alarm,
        leases: Leases,
        observer: Observer,
        close: Callable[[], None],
        contents: Contents | None = None,
    ) -> None:
        self._store = store
        self._clusters = clusters
        self._clock = clock
        self._close = close
        self._contents = contents or Contents(store)
        self._rng = random.SystemRandom()
        self._tenure = Tenure(
            leases, lease_of, self._make, lambda cluster, _: clusters.detach(cluster)
        )
        queue = WorkQueue(self._rng)
        worker = Worker(queue, self._tenure.reconcile, clock, observer, rest=_REST, lone=_LONE)
        loop = Loop(worker, alarm, pause_s=_PAUSE_S)
        self.turning = Turning(loop, "deliveries", self._finish)
        clusters.on_change(self.turning.wake)

    def _make(self, cluster: str, kept: ClusterController | None) -> ClusterController:
        return kept or ClusterController(
            cluster,
            store=self._store,
            clusters=LeasedClusters(self._clusters, self._tenure.holds(cluster)),
            clock=self._clock,
            rng=self._rng,
            contents=self._contents,
        )

    def _finish(self) -> None:
        self._tenure.close()
        self._close()


def lease_of(cluster: str) -> str:
    """The lease of whoever delivers to a cluster."""
    return f"cluster/{cluster}"

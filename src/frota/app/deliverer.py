"""The controllers of all member clusters that are reached by one driver."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress

from frota.app.leased import LeasedClusters
from frota.app.turning import Turning
from frota.controllers.cluster import ClusterController
from frota.ports.clock import Clock
from frota.ports.clusters import Clusters
from frota.ports.store import Store, StoreError
from frota.runtime.alarm import Alarm
from frota.runtime.lease import Leases
from frota.runtime.loop import Loop
from frota.runtime.queue import WorkQueue
from frota.runtime.result import Result
from frota.runtime.worker import Observer, Worker

# A change of what is declared is on the way at once; a burst of events is still one pass.
_PAUSE_S = 0.005


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
    ) -> None:
        self._store = store
        self._clusters = clusters
        self._clock = clock
        self._leases = leases
        self._close = close
        self._controllers: dict[str, tuple[int, ClusterController]] = {}  # with their terms
        self._rng = random.SystemRandom()
        worker = Worker(WorkQueue(self._rng), self._reconcile, clock, observer)
        loop = Loop(worker, alarm, pause_s=_PAUSE_S)
        self.turning = Turning(loop, "deliveries", self._finish)
        clusters.on_change(self.turning.wake)

    def _reconcile(self, cluster: str) -> Result:
        lease = _lease(cluster)
        standing = self._leases.ensure(lease)
        if not standing.held:
            if self._controllers.pop(cluster, None) is not None:
                self._clusters.detach(cluster)
            return Result(standing.again_at)
        term, controller = self._controllers.get(cluster, (0, None))
        if controller is None or term != standing.term:
            controller = ClusterController(
                cluster,
                store=self._store,
                clusters=LeasedClusters(self._clusters, lambda: self._leases.held(lease)),
                clock=self._clock,
                rng=self._rng,
            )
            self._controllers[cluster] = (standing.term, controller)
        again_at = controller.reconcile().again_at
        if again_at is None:  # no member of a fleet any more
            del self._controllers[cluster]
            self._release(lease)
            return Result()
        return Result(min(again_at, standing.again_at))

    def _finish(self) -> None:
        for cluster in self._controllers:
            self._release(_lease(cluster))
        self._close()

    def _release(self, lease: str) -> None:
        with suppress(StoreError):  # it runs out by itself
            self._leases.release(lease)


def _lease(cluster: str) -> str:
    return f"cluster/{cluster}"

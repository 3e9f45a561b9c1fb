"""The controllers of clusters with delivery ``pull``, in a thread that may wait."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from frota.app.deliverer import lease_of
from frota.app.signing import Signing
from frota.app.tenure import Tenure
from frota.app.turning import Turning
from frota.controllers.clusterrecords import CLUSTER, FLEET
from frota.controllers.pulledcluster import Containers, PulledClusterController
from frota.planners.bundles import Signer
from frota.planners.bundlestore import places
from frota.ports.clock import Clock
from frota.ports.store import Store
from frota.runtime.alarm import PipeAlarm
from frota.runtime.lease import Leases
from frota.runtime.loop import Loop
from frota.runtime.queue import WorkQueue
from frota.runtime.result import Result
from frota.runtime.worker import Observer, Worker


class NoSigningKey(Exception):
    """A cluster is to pull, but nothing can be signed; the message says how to mend it."""


@dataclass(frozen=True, slots=True)
class _Publishing:
    """The controller of a cluster, and the store that it publishes to."""

    url: str
    reconcile: Callable[[], Result]


class Publisher:
    """Publishes for all clusters that pull."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        leases: Leases,
        observer: Observer,
        *,
        signing: Signing,
    ) -> None:
        self._store = store
        self._clock = clock
        self._signing = signing
        self._alarm = PipeAlarm()
        self._tenure = Tenure(leases, lease_of, self._make, lambda *_: None)
        queue = WorkQueue(random.SystemRandom())
        worker = Worker(queue, self._tenure.reconcile, clock, observer)
        # It waits for stores, so being late is no sign that this process stood still.
        loop = Loop(worker, self._alarm, stall_s=600.0)
        self.turning = Turning(loop, "publications", self._finish)

    def _make(self, cluster: str, kept: _Publishing | None) -> _Publishing | None:
        entry = self._store.get(CLUSTER, cluster)
        fleet = self._store.get(FLEET, entry.value["spec"].get("fleet") or "") if entry else None
        if fleet is None:
            return None
        url: str = fleet.value["spec"]["bundles"]["store"]
        if kept is not None and kept.url == url:
            return kept
        controller = PulledClusterController(
            cluster,
            store=self._store,
            containers=self._containers(url, cluster),
            signer=self._signer(cluster),
            clock=self._clock,
        )
        return _Publishing(url, controller.reconcile)

    def _containers(self, url: str, cluster: str) -> Containers:
        from frota.drivers.objects.opening import open_container

        found = places(url, cluster)
        return Containers(
            open_container(found.bundles, self._signing.sas),
            open_container(found.status, self._signing.sas),
        )

    def _signer(self, cluster: str) -> Signer:
        from frota.drivers.objects.keys import read_signer

        if self._signing.key is None:
            raise NoSigningKey(
                f"cluster {cluster} pulls signed bundles, but there is no key to sign with: make "
                "one with `frota bundle key new FILE` and name it by --bundle-key"
            )
        return read_signer(self._signing.key)

    def _finish(self) -> None:
        self._tenure.close()
        self._alarm.close()

"""The controllers of clusters with delivery ``pull``, in a thread that may wait."""

from __future__ import annotations

import random

from frota.app.signing import Signing
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
        self._leases = leases
        self._signing = signing
        self._controllers: dict[str, tuple[str, PulledClusterController]] = {}  # with their URLs
        self._alarm = PipeAlarm()
        worker = Worker(WorkQueue(random.SystemRandom()), self._reconcile, clock, observer)
        # It waits for stores, so being late is no sign that this process stood still.
        loop = Loop(worker, self._alarm, stall_s=600.0)
        self.turning = Turning(loop, "publications", self._finish)

    def _reconcile(self, cluster: str) -> Result:
        lease = f"cluster/{cluster}"
        standing = self._leases.ensure(lease)
        if not standing.held:
            self._controllers.pop(cluster, None)
            return Result(standing.again_at)
        controller = self._controller(cluster)
        again_at = controller.reconcile().again_at if controller is not None else None
        if again_at is None:
            self._controllers.pop(cluster, None)
            self._leases.release(lease)
            return Result()
        return Result(min(again_at, standing.again_at))

    def _controller(self, cluster: str) -> PulledClusterController | None:
        entry = self._store.get(CLUSTER, cluster)
        fleet = self._store.get(FLEET, entry.value["spec"].get("fleet") or "") if entry else None
        if fleet is None:
            return None
        url: str = fleet.value["spec"]["bundles"]["store"]
        known = self._controllers.get(cluster)
        if known is not None and known[0] == url:
            return known[1]
        made = PulledClusterController(
            cluster,
            store=self._store,
            containers=self._containers(url, cluster),
            signer=self._signer(cluster),
            clock=self._clock,
        )
        self._controllers[cluster] = (url, made)
        return made

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
        self._alarm.close()

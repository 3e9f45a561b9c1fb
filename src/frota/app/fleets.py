"""Fleets and their member clusters: who is woken by what was written."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from frota.app.deliverer import Deliverer
from frota.app.faster import FasterAlarm, FasterClock
from frota.app.members import KUBERNETES, members_of
from frota.app.meters import Meters
from frota.app.outfit import MissingDriver
from frota.app.signing import Signing
from frota.app.tenure import Tenure
from frota.app.turning import Turning
from frota.controllers.clusterrecords import (
    CLUSTER,
    FLEET,
    PRUNE_APPROVAL,
    RELEASE,
    ROLLOUT,
    STATUS,
    TAKE_OVER,
)
from frota.controllers.contents import Contents
from frota.controllers.fleet import FleetController
from frota.controllers.fleetrecords import DECLARED
from frota.ports.clock import Clock
from frota.ports.store import Store
from frota.runtime.alarm import PipeAlarm
from frota.runtime.lease import Leases
from frota.runtime.loop import Loop
from frota.runtime.queue import WorkQueue
from frota.runtime.worker import Observer, Worker

if TYPE_CHECKING:
    from frota.app.publisher import Publisher

_PAUSE_S = 0.001
# Times as long as a pass took, between two of one fleet: what it wrote is news to itself.
_REST = 4.0
_STALL_S = 2.0  # of real time
MakeObserver = Callable[[Clock], Observer]


class Fleets:
    """The controllers of all fleets, and of the clusters that are delivered to from here."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        holder: str,
        observer: MakeObserver,
        *,
        speed: float,
        signing: Signing,
    ) -> None:
        self._store = store
        self._real = clock
        self._clock: Clock = clock if speed == 1.0 else FasterClock(clock, speed)
        self._holder = holder
        self._observer = observer
        self._speed = speed
        self._signing = signing
        self._publisher: Publisher | None = None
        self._contents = Contents(store)
        self._meters = Meters(self._clock)
        self._tenure = Tenure(
            Leases(store, self._clock, holder, alone=True),
            "fleet/{}".format,
            self._controller,
            lambda _, controller: controller.close(),
        )
        self._deliverers: dict[str, Deliverer] = {}
        self._alarm = FasterAlarm(PipeAlarm(), speed)
        watcher = observer(self._clock)
        queue = WorkQueue(random.SystemRandom())
        worker = Worker(queue, self._tenure.reconcile, self._clock, watcher, rest=_REST, lone=_REST)
        loop = Loop(worker, self._alarm, pause_s=_PAUSE_S, stall_s=_STALL_S * speed)
        self._turning = Turning(loop, "fleets", self._finish)
        self._started = False

    def turnings(self) -> Iterator[Turning]:
        """All loops that run."""
        if self._started:
            yield self._turning
        for deliverer in self._deliverers.values():
            yield deliverer.turning
        if self._publisher is not None:
            yield self._publisher.turning

    def written(self, changed: Iterable[tuple[str, str]]) -> None:
        """Wake whom it concerns that these entries were written, by (kind, name)."""
        fleets: set[str] = set()
        clusters: set[str] = set()
        declared = False
        for kind, name in changed:
            if kind in DECLARED:
                declared = True
                if kind == FLEET:
                    fleets.add(name)
                    clusters.update(self._members(name))
                elif kind == CLUSTER:
                    clusters.add(name)
            elif kind in (RELEASE, PRUNE_APPROVAL, TAKE_OVER):
                clusters.add(name.partition("/")[0])
            elif kind == ROLLOUT:
                fleets.add(name)
            elif kind == STATUS:
                fleets.update(self._fleet_of(name))
        if declared:
            fleets.update(entry.name for entry in self._store.list(FLEET))
        for fleet in sorted(fleets):
            self._start()
            self._turning.wake(fleet, at_once=declared)
        for cluster in sorted(clusters):
            self._wake(cluster)

    def _members(self, fleet: str) -> Iterator[str]:
        for entry in self._store.list(CLUSTER):
            if entry.value["spec"].get("fleet") == fleet:
                yield entry.name

    def _fleet_of(self, cluster: str) -> Iterator[str]:
        entry = self._store.get(STATUS, cluster)
        if entry is not None:
            yield entry.value.fleet

    def _start(self) -> None:
        if not self._started:
            self._started = True
            self._turning.start()

    def _wake(self, cluster: str) -> None:
        entry = self._store.get(CLUSTER, cluster)
        if entry is None:
            for turning in self.turnings():
                if turning is not self._turning:
                    turning.wake(cluster, at_once=True)  # whoever had it lets go of it
            return
        spec = entry.value["spec"]
        if not spec.get("fleet"):
            return
        if spec.get("delivery") == "pull":
            self._publishing().turning.wake(cluster, at_once=True)
            return
        driver = KUBERNETES if spec.get("kubeconfig") else spec["provider"]
        found = self._deliverers.get(driver) or self._deliverer(driver)
        if found is not None:
            found.turning.wake(cluster, at_once=True)

    def _publishing(self) -> Publisher:
        """The publisher, started. Raises MissingDriver where what it needs is not installed."""
        if self._publisher is None:
            try:
                from frota.app.publisher import Publisher
            except ImportError as error:
                raise MissingDriver(
                    f"a cluster has delivery pull, but bundles cannot be signed ({error}): "
                    "pip install 'frota[pull]'"
                ) from None
            leases = Leases(self._store, self._real, self._holder, alone=True)
            observer = self._observer(self._real)
            self._publisher = Publisher(
                self._store, self._real, leases, observer, signing=self._signing
            )
            self._publisher.turning.start()
        return self._publisher

    def _deliverer(self, driver: str) -> Deliverer | None:
        """The deliverer of a driver, started; None for clusters whose Kubernetes nobody can
        reach yet (VMs without a kubeconfig)."""
        made = members_of(driver, self._real, speed=self._speed)
        if made is None:
            return None
        deliverer = self._deliverers[driver] = Deliverer(
            self._store,
            made.clusters,
            clock=made.clock,
            alarm=made.alarm,
            leases=Leases(self._store, made.clock, self._holder, alone=True),
            observer=self._observer(made.clock),
            close=made.close,
            contents=self._contents,
        )
        deliverer.turning.start()
        return deliverer

    def _controller(self, fleet: str, kept: FleetController | None) -> FleetController:
        return kept or FleetController(
            fleet,
            store=self._store,
            clock=self._clock,
            meters=self._meters,
            contents=self._contents,
        )

    def _finish(self) -> None:
        self._tenure.close()
        self._meters.close()
        self._alarm.close()

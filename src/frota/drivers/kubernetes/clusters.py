"""The Clusters port over the Kubernetes API.

One thread with one event loop serves all clusters; nothing in it waits for one of them.
No method here waits for that thread, but for ``close``.
"""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from random import Random

from frota.drivers.eventloop import EventLoop
from frota.drivers.kubernetes.member import Kit, Member
from frota.model.delivery import (
    ChangeResult,
    ClusterView,
    Delivery,
    DeliveryOutcome,
    Verdict,
    WatchedKind,
)
from frota.model.objects import MEMBERSHIP_LABEL
from frota.ports.clock import Clock
from frota.ports.clusters import ClusterAddress

_SETTLED_MOST = 100_000  # ids that are remembered, so that none is carried out twice
# For names and files that hang: at most two threads for each cluster, made when needed.
_THREADS_MOST = 512


class KubernetesClusters:
    """All member clusters of one process. Safe to use from any thread.

    ``delay`` gives the wait in seconds after so many failures in a row, drawn from ``rng``.
    Objects that match ``selector`` are watched; without ``follows`` they are looked at once.
    """

    def __init__(
        self,
        clock: Clock,
        rng: Random,
        delay: Callable[[int, Random], float],
        *,
        selector: str = MEMBERSHIP_LABEL,
        follows: bool = True,
    ) -> None:
        self._kit = Kit(clock, rng, delay, selector, self._wake, self._end, follows)
        self._lock = threading.Lock()
        self._members: dict[str, Member] = {}
        self._deliveries: dict[str, DeliveryOutcome | str] = {}  # or the cluster, until it ends
        self._settled: OrderedDict[str, None] = OrderedDict()
        self._wakes: tuple[Callable[[str], None], ...] = ()
        self._closings: set[asyncio.Task[None]] = set()
        self._running = EventLoop("kubernetes")
        threads = ThreadPoolExecutor(_THREADS_MOST, "kubernetes-wait")
        self._running.post(lambda: self._running.loop.set_default_executor(threads))

    def attach(self, address: ClusterAddress, kinds: frozenset[WatchedKind]) -> None:
        """See ``ports.clusters.Clusters``."""
        self._running.post(lambda: self._attach(address, kinds))

    def detach(self, cluster: str) -> None:
        """See ``ports.clusters.Clusters``."""
        with self._lock:
            member = self._members.pop(cluster, None)
        why = "the cluster is not watched any longer"
        # Posted in any case: the member may be about to be made.
        self._running.post(lambda: self._end_member(cluster, member, why))

    def view(self, cluster: str) -> ClusterView:
        """See ``ports.clusters.Clusters``."""
        with self._lock:
            member = self._members.get(cluster)
        if member is None:
            return ClusterView(cluster, answers=False, last_seen=0.0, error="not watched")
        return member.view()

    def order(self, delivery: Delivery) -> None:
        """See ``ports.clusters.Clusters``."""
        with self._lock:
            if delivery.id in self._deliveries or delivery.id in self._settled:
                return
            self._deliveries[delivery.id] = delivery.cluster
        self._running.post(lambda: self._order(delivery))

    def cancel(self, delivery: str) -> None:
        """See ``ports.clusters.Clusters``."""
        self._running.post(lambda: self._cancel(delivery))

    def outcomes(self) -> Sequence[DeliveryOutcome]:
        """See ``ports.clusters.Clusters``."""
        with self._lock:
            known = list(self._deliveries.values())
        return [entry for entry in known if isinstance(entry, DeliveryOutcome)]

    def settle(self, delivery: str) -> None:
        """See ``ports.clusters.Clusters``."""
        with self._lock:
            if isinstance(self._deliveries.get(delivery), DeliveryOutcome):
                del self._deliveries[delivery]
                self._settled[delivery] = None
                if len(self._settled) > _SETTLED_MOST:
                    self._settled.popitem(last=False)

    def on_change(self, wake: Callable[[str], None]) -> None:
        """See ``ports.clusters.Clusters``."""
        with self._lock:
            self._wakes = (*self._wakes, wake)

    def close(self) -> None:
        """Stop watching and give up what is under way. Waits at most a few seconds. Closing
        again does nothing."""
        with self._lock:
            self._wakes = ()
        self._running.close(self._end_members)

    def _attach(self, address: ClusterAddress, kinds: frozenset[WatchedKind]) -> None:
        member = self._members.get(address.name)
        if member is not None and member.address == address:
            member.watch(kinds)
            return
        self._end_member(address.name, None, "the cluster has another address now")
        member = Member(address, self._kit)
        with self._lock:
            self._members[address.name] = member
        member.start(kinds)

    def _end_member(self, cluster: str, member: Member | None, why: str) -> None:
        with self._lock:
            member = self._members.pop(cluster, None) or member
        if member is not None:
            closing = self._running.loop.create_task(member.close(why))
            self._closings.add(closing)
            closing.add_done_callback(self._closings.discard)
            self._wake(cluster)

    def _order(self, delivery: Delivery) -> None:
        member = self._members.get(delivery.cluster)
        if member is not None:
            member.deliver(delivery)
            return
        changes = [change for batch in delivery.batches for change in batch]
        why = f"{delivery.cluster} is not watched; attach it first"
        results = tuple(ChangeResult(change.key, Verdict.FAILED, why) for change in changes)
        self._end(DeliveryOutcome(delivery.id, delivery.cluster, results))

    def _cancel(self, delivery: str) -> None:
        with self._lock:
            cluster = self._deliveries.get(delivery)
        if isinstance(cluster, str) and cluster in self._members:
            self._members[cluster].cancel(delivery)

    def _end(self, outcome: DeliveryOutcome) -> None:
        with self._lock:
            self._deliveries[outcome.delivery] = outcome
        self._wake(outcome.cluster)

    def _wake(self, cluster: str) -> None:
        for wake in self._wakes:
            wake(cluster)

    def _end_members(self) -> None:
        for cluster in list(self._members):
            self._end_member(cluster, None, "Frota ends")

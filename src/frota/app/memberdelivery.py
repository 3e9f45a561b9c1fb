"""What applies bundles in a member cluster: the same controller that delivers by push, on a
small store of the agent's own."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from frota.app.deliverer import Deliverer
from frota.app.members import Members
from frota.controllers.clusterrecords import (
    BUNDLE,
    CLUSTER,
    FLEET,
    PRUNE_APPROVAL,
    RELEASE,
    STATUS,
    approval_name,
    bundle_name,
)
from frota.model.bundle import Bundle, Progress
from frota.model.clusterstatus import ConditionType, Truth
from frota.model.deliveryplan import PruneApproval
from frota.model.release import ClusterStatus, Release
from frota.ports.clusters import ClusterAddress
from frota.ports.store import Store, StoreError, Write
from frota.runtime.lease import Leases
from frota.runtime.worker import Observer

# What a Fleet's spec.delivery is when it says nothing.
_DELIVERY: Mapping[str, Any] = {
    "drift": "correct",
    "brake": {"share": "20%", "least": 10},
    "compare": "5m",
    "unreachableAfter": "10s",
}


class MemberDelivery:
    """See ``ports.member.Reconciler``. ``store`` is the agent's own and outlives a restart:
    it knows which kinds were ever delivered. ``Bundle.terms`` may have ``delivery`` (the
    Fleet's ``spec.delivery``) and ``approved`` (a list of ``{plan, uids}``: deletions that a
    person let go)."""

    def __init__(
        self, address: ClusterAddress, store: Store, members: Members, observer: Observer
    ) -> None:
        self._address = address
        self._store = store
        self._clock = members.clock
        self._revision = ""
        self._digest = ""
        self._deliverer = Deliverer(
            store,
            members.clusters,
            clock=members.clock,
            alarm=members.alarm,
            leases=Leases(store, members.clock, uuid.uuid4().hex, alone=True),
            observer=observer,
            close=members.close,
        )
        self._deliverer.turning.start()

    def deliver(self, bundle: Bundle, revision: str) -> Progress:
        """See the port."""
        try:
            if revision != self._revision:
                self._digest = revision.rpartition(" ")[2]
                self._store.commit(list(self._writes(bundle)))
                self._revision = revision
                self._deliverer.turning.wake(bundle.cluster)
            entry = self._store.get(STATUS, bundle.cluster)
        except (StoreError, KeyError, TypeError, ValueError) as error:
            return Progress(revision, synced=False, message=f"it cannot be handed over: {error}")
        if not self._deliverer.turning.alive:
            return Progress(revision, synced=False, message="the controller ended; restart it")
        return _progress(revision, self._digest, entry.value if entry is not None else None)

    def close(self) -> None:
        """End the controller, and wait for it a while."""
        self._deliverer.turning.stop()
        self._deliverer.turning.join()

    def _writes(self, bundle: Bundle) -> Iterator[Write]:
        cluster = bundle.cluster
        kubeconfig = {"path": self._address.kubeconfig, "context": self._address.context}
        spec = {"fleet": bundle.fleet, "provider": "kubeconfig", "kubeconfig": kubeconfig}
        delivery = {**_DELIVERY, **bundle.terms.get("delivery", {})}
        yield Write(CLUSTER, cluster, {"spec": spec}, None)
        yield Write(FLEET, bundle.fleet, {"spec": {"delivery": delivery}}, None)
        name = bundle_name(cluster, self._digest)
        for entry in self._store.list(BUNDLE):
            if entry.name != name:
                yield Write(BUNDLE, entry.name, None, None)
        yield Write(BUNDLE, name, {"objects": list(bundle.objects)}, None)
        for given in bundle.terms.get("approved", ()):
            approval = PruneApproval(given["plan"], frozenset(given["uids"]))
            yield Write(PRUNE_APPROVAL, approval_name(cluster, approval.plan), approval, None)
        found = self._store.get(RELEASE, cluster)
        generation = found.value.generation + 1 if found is not None else 1
        release = Release(cluster, bundle.fleet, generation, self._digest, self._clock.now())
        yield Write(RELEASE, cluster, release, None)


def _progress(revision: str, digest: str, status: ClusterStatus | None) -> Progress:
    if status is None or status.digest != digest:
        return Progress(revision, synced=False, message="it has not been looked at yet")
    found = {condition.type: condition for condition in status.conditions}
    synced, degraded = found.get(ConditionType.SYNCED), found.get(ConditionType.DEGRADED)
    healthy = None
    if degraded is not None and degraded.status is not Truth.UNKNOWN:
        healthy = degraded.status is Truth.FALSE
    said = [
        f"{condition.reason}: {condition.message}"
        for condition, well in ((synced, Truth.TRUE), (degraded, Truth.FALSE))
        if condition is not None and condition.status is not well
    ]
    return Progress(
        revision,
        synced=synced is not None and synced.status is Truth.TRUE,
        healthy=healthy,
        message="; ".join([*said, *status.problems[:3]]),
    )


class SayingObserver:
    """Tells what went wrong in lines."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def failed(self, key: str, error: Exception, again_at: float) -> None:
        """See ``runtime.worker.Observer``."""
        del again_at
        self._say(f"cluster {key}: {error}")

    def stalled(self, seconds: float) -> None:
        """See ``runtime.worker.Observer``."""
        self._say(f"nothing ran for {seconds:.0f} s")

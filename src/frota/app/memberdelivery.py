"""What applies bundles in a member cluster: the same controller that delivers by push, on a
small store of the agent's own."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from frota.app.deliverer import Deliverer
from frota.app.members import Members
from frota.compile.kubernetes import membership
from frota.controllers.clusterrecords import (
    CLUSTER,
    FLEET,
    PRUNE_APPROVAL,
    RELEASE,
    STATUS,
    TAKE_OVER,
    approval_name,
)
from frota.controllers.contents import BUNDLE, PART, bundle_name, content_writes, in_parts
from frota.model.bundle import Bundle, Progress, Remembered
from frota.model.deliveryplan import PruneApproval
from frota.model.release import ClusterStatus, Release
from frota.planners.delivery import prepare
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
    """See ``ports.member.Reconciler``. ``store`` is the agent's own."""

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

    def deliver(self, bundle: Bundle, revision: str, last: Remembered) -> Progress:
        """See the port."""
        try:
            if revision != self._revision:
                self._digest = revision.rpartition(" ")[2]
                self._store.commit(list(self._writes(bundle, last)))
                self._revision = revision
                self._deliverer.turning.wake(bundle.cluster)
            entry = self._store.get(STATUS, bundle.cluster)
            status: ClusterStatus | None = entry.value if entry is not None else None
            if status is not None and status.held is not None:
                self._let_go(bundle, status.held.approval)
        except (StoreError, KeyError, TypeError, ValueError) as error:
            return Progress(revision, trouble=f"it cannot be handed over: {error}")
        if not self._deliverer.turning.alive:
            return Progress(revision, trouble="the controller ended; restart it")
        return _progress(revision, self._digest, status)

    def close(self) -> None:
        """End the controller, and wait for it a while."""
        self._deliverer.turning.stop()
        self._deliverer.turning.join()

    def _let_go(self, bundle: Bundle, held: PruneApproval) -> None:
        """Take up the approval of what is held back now. It is by this cluster's own uids, so
        it fits once, and nothing else, whatever was shown to the person who gave it."""
        name = approval_name(bundle.cluster, held.plan)
        given = held.plan in bundle.terms.get("approved", ())
        if given and self._store.get(PRUNE_APPROVAL, name) is None:
            self._store.commit([Write(PRUNE_APPROVAL, name, held, None)])
            self._deliverer.turning.wake(bundle.cluster)

    def _writes(self, bundle: Bundle, last: Remembered) -> Iterator[Write]:
        cluster = bundle.cluster
        entry = self._store.get(STATUS, cluster)
        status = (
            entry.value if entry is not None else ClusterStatus(cluster, bundle.fleet, 0, "", ())
        )
        ran = tuple({**dict(last.ran), **dict(status.ran)}.items())
        fresh = replace(status, kinds=status.kinds | last.kinds, ran=ran)
        if fresh != status:  # this store was lost
            yield Write(STATUS, cluster, fresh, entry.revision if entry is not None else 0)
        kubeconfig = {"path": self._address.kubeconfig, "context": self._address.context}
        spec = {"fleet": bundle.fleet, "provider": "kubeconfig", "kubeconfig": kubeconfig}
        delivery = {**_DELIVERY, **bundle.terms.get("delivery", {})}
        yield Write(CLUSTER, cluster, {"spec": spec}, None)
        yield Write(FLEET, bundle.fleet, {"spec": {"delivery": delivery}}, None)
        yield from self._contents(bundle)
        given = [list(map(str, key)) for key in bundle.terms.get("takeOver", ())]
        yield Write(TAKE_OVER, cluster, {"objects": given} if given else None, None)
        found = self._store.get(RELEASE, cluster)
        generation = found.value.generation + 1 if found is not None else 1
        release = Release(cluster, bundle.fleet, generation, self._digest, self._clock.now())
        yield Write(RELEASE, cluster, release, None)

    def _contents(self, bundle: Bundle) -> Iterator[Write]:
        """This content, and no other any more."""
        cluster = bundle.cluster
        wanted = prepare(bundle.objects, membership(bundle.fleet))
        there = {entry.name for entry in self._store.list(PART)}
        yield from content_writes(cluster, wanted, there, self._digest)
        spare = there - in_parts(cluster, wanted).keys()
        yield from (Write(PART, name, None, None) for name in sorted(spare))
        name = bundle_name(cluster, self._digest)
        for entry in self._store.list(BUNDLE):
            if entry.name != name:
                yield Write(BUNDLE, entry.name, None, None)


def _progress(revision: str, digest: str, status: ClusterStatus | None) -> Progress:
    if status is None or status.digest != digest:
        return Progress(revision, trouble="it has not been looked at yet")
    return Progress(
        revision,
        conditions=status.conditions,
        settled=status.settled,
        drifts=status.drifts,
        problems=status.problems,
        held=status.held,
        kinds=status.kinds,
        ran=status.ran,
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

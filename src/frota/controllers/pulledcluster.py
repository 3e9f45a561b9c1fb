"""The controller of one cluster with delivery ``pull``: publishes what was released for it,
and puts on record what its agent says.

It waits for the object store: run it in a thread that may wait.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from frota.controllers.clusterrecords import (
    FLEET,
    PUBLISHED,
    STATUS,
    Wish,
    read_bundle,
    read_wish,
)
from frota.controllers.publishing import Published, agent_status, publish, tidy
from frota.controllers.story import Story
from frota.model.bundle import NOTHING, AgentStatus, Bundle, Position
from frota.model.decision import Stage
from frota.model.release import ClusterStatus
from frota.planners.bundles import Signer
from frota.planners.publication import Stamp
from frota.planners.pulled import holds, pulled_conditions
from frota.ports.blobs import BlobError, Blobs
from frota.ports.clock import Clock
from frota.ports.store import Conflict, Store, Write
from frota.runtime.result import Result

_POLL_S = 5.0


@dataclass(frozen=True, slots=True)
class Containers:
    """The two containers of one cluster: what it reads, and what it writes."""

    bundles: Blobs
    status: Blobs


class PulledClusterController:
    """Keeps the head of one cluster's container at what was released."""

    def __init__(
        self, cluster: str, *, store: Store, containers: Containers, signer: Signer, clock: Clock
    ) -> None:
        self._cluster = cluster
        self._store = store
        self._containers = containers
        self._signer = signer
        self._clock = clock
        self._bundle: Bundle | None = None
        self._published: Published | None = None
        self._content = ""  # the digest of the released objects in it
        self._trouble = ""

    def reconcile(self) -> Result:
        """One pass. Raises StoreError; what the object store does is told, and tried again."""
        wish = read_wish(self._store, self._cluster)
        if wish is None:
            return Result()
        now = self._clock.now()
        story = Story(wish.fleet, now)
        said: AgentStatus | None = None
        try:
            self._publish(wish, story, int(now))
            said = agent_status(self._containers.status, wish.fleet, self._cluster)
            self._trouble = ""
        except (BlobError, ValueError) as error:
            self._say_trouble(story, str(error))
        writes = [self._known_write()] if self._published is not None else []
        status = self._status(wish, said, now)
        if status != wish.status:
            writes.append(Write(STATUS, self._cluster, status, wish.status_revision))
        writes = [item for item in writes if not self._stored(item)]
        if writes or story.lines:
            try:
                self._store.commit(writes, story.lines)
            except Conflict:
                return Result(now)
        return Result(now + _POLL_S)

    def _publish(self, wish: Wish, story: Story, now: int) -> None:
        bundle = self._wanted(wish)
        if bundle is None or bundle == self._bundle:
            return
        self._published = publish(
            self._containers.bundles, bundle, Stamp(self._signer, now), self._known()
        )
        self._bundle, self._content = bundle, wish.release.digest if wish.release else ""
        if self._published.changed:
            text = f"{len(bundle.objects)} objects as {self._published.position}"
            doubt = f"; the head was worth nothing: {self._published.doubt}"
            text += doubt if self._published.doubt else ""
            subject = f"Cluster/{self._cluster}"
            story.tell(Stage.ACTION, "", subject, "Publishes", text)
            tidy(self._containers.bundles, self._published.digest)

    def _wanted(self, wish: Wish) -> Bundle | None:
        if wish.release is None:
            return None
        objects = read_bundle(self._store, self._cluster, wish.release.digest)
        fleet = self._store.get(FLEET, wish.fleet)
        if objects is None or fleet is None:
            return None
        approved = [{"plan": item.plan, "uids": sorted(item.uids)} for item in wish.policy.approved]
        terms = {"delivery": fleet.value["spec"]["delivery"], "approved": approved}
        return Bundle(wish.fleet, self._cluster, objects, terms)

    def _known(self) -> Position:
        """The highest position ever published, kept here: a store that was set back cannot
        set the count back."""
        entry = self._store.get(PUBLISHED, self._cluster)
        return NOTHING if entry is None else Position(entry.value["order"], entry.value["sequence"])

    def _known_write(self) -> Write:
        published = self._published
        order, sequence = published.position if published is not None else NOTHING
        digest = published.digest if published is not None else ""
        found = {"order": order, "sequence": sequence, "digest": digest}
        value = {**found, "content": self._content}
        return Write(PUBLISHED, self._cluster, value, None)

    def _stored(self, write: Write) -> bool:
        entry = self._store.get(write.kind, write.name)
        return entry is not None and entry.value == write.value

    def _status(self, wish: Wish, said: AgentStatus | None, now: float) -> ClusterStatus:
        release, old = wish.release, wish.status
        digest = self._published.digest if self._published is not None else ""
        generation = release.generation if release is not None else 0
        before = old.conditions if old is not None else ()
        conditions = pulled_conditions(said, digest, before, now, generation)
        wanted = len(self._bundle.objects) if self._bundle is not None else 0
        if self._trouble and old is not None:  # the store is silent, not the cluster
            return replace(old, problems=(self._trouble,))
        return ClusterStatus(
            cluster=self._cluster,
            fleet=wish.fleet,
            generation=generation,
            digest=release.digest if release is not None and holds(said, digest) else "",
            conditions=conditions,
            wanted=wanted,
            settled=wanted if said is not None and said.progress and said.progress.synced else 0,
            version=said.version if said is not None else "",
            problems=(self._trouble,) if self._trouble else (),
        )

    def _say_trouble(self, story: Story, text: str) -> None:
        if text != self._trouble:
            self._trouble = text
            subject = f"Cluster/{self._cluster}"
            story.tell(Stage.OUTCOME, "", subject, "StoreTrouble", text)

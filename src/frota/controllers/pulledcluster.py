"""The controller of one cluster with delivery ``pull``: publishes what was released for it,
and puts on record what its agent says.

It waits for the object store: run it in a thread that may wait.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf

from frota.controllers.clusterrecords import (
    FLEET,
    PRUNE_APPROVAL,
    PUBLISHED,
    STATUS,
    Wish,
    approval_name,
    read_wish,
)
from frota.controllers.contents import read_bundle
from frota.controllers.publishing import Published, agent_status, publish, tidy
from frota.controllers.story import Story
from frota.model.bundle import NOTHING, AgentStatus, Bundle, Position, Progress
from frota.model.decision import Stage
from frota.model.objects import key_of
from frota.model.release import ClusterStatus
from frota.planners.bundles import Signer
from frota.planners.publication import Stamp
from frota.planners.pulled import held_back, holds, looked, pulled_conditions, used_up
from frota.ports.blobs import BlobError, Blobs
from frota.ports.clock import Clock
from frota.ports.store import Conflict, Store, Write
from frota.runtime.result import Result

_POLL_S = 5.0
_TELL_S = 600.0


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
        self._told, self._told_at = "", -inf

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
        progress = looked(said, self._published.digest if self._published is not None else "")
        writes += self._used_up(wish, progress)
        status = self._status(wish, said, progress, now)
        self._tell_held(story, status, now)
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
        if bundle is None or _says(self._bundle, bundle):
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
        keys = {key_of(item) for item in objects}
        terms = {
            "delivery": fleet.value["spec"]["delivery"],
            "approved": sorted(item.plan for item in wish.policy.approved),
            "takeOver": [list(key) for key in sorted(wish.policy.take_over & keys)],
        }
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

    def _used_up(self, wish: Wish, progress: Progress | None) -> list[Write]:
        """Approvals that the agent was given, and does not wait for any more."""
        given = self._bundle.terms["approved"] if self._bundle is not None else ()
        return [
            Write(PRUNE_APPROVAL, approval_name(self._cluster, approval.plan), None, None)
            for approval in wish.policy.approved
            if approval.plan in given and used_up(progress, approval)
        ]

    def _status(
        self, wish: Wish, said: AgentStatus | None, progress: Progress | None, now: float
    ) -> ClusterStatus:
        release, old = wish.release, wish.status
        if self._trouble and old is not None:  # the store is silent, not the cluster
            return replace(old, problems=(self._trouble,))
        digest = self._published.digest if self._published is not None else ""
        generation = release.generation if release is not None else 0
        before = old.conditions if old is not None else ()
        names = {str(key_of(item)) for item in self._bundle.objects} if self._bundle else set()
        held, doubt = held_back(progress, self._cluster, wish.policy.membership, names)
        told = progress.problems if progress is not None else ()
        return ClusterStatus(
            cluster=self._cluster,
            fleet=wish.fleet,
            generation=generation,
            digest=release.digest if release is not None and holds(said, digest) else "",
            conditions=pulled_conditions(said, digest, before, now, generation),
            wanted=len(names),
            settled=min(progress.settled, len(names)) if progress is not None else 0,
            version=said.version if said is not None else "",
            drifts=progress.drifts if progress is not None else (),
            problems=(*filter(None, (self._trouble, doubt)), *told),
            held=held,
        )

    def _tell_held(self, story: Story, status: ClusterStatus, now: float) -> None:
        """Journal what waits for a person; seldom, for whoever writes the status chooses it."""
        held = status.held
        if held is None or held.approval.plan == self._told or now < self._told_at + _TELL_S:
            return
        self._told, self._told_at = held.approval.plan, now
        text = (
            f"its agent holds {held.count} deletions, which wait for an approval: "
            f"{'; '.join(held.reasons)}. To go on: frota approve {self._cluster} {self._told}"
        )
        story.tell(Stage.DECISION, "", f"Cluster/{self._cluster}", "PruneHeld", text)

    def _say_trouble(self, story: Story, text: str) -> None:
        if text != self._trouble:
            self._trouble = text
            subject = f"Cluster/{self._cluster}"
            story.tell(Stage.OUTCOME, "", subject, "StoreTrouble", text)


def _says(published: Bundle | None, bundle: Bundle) -> bool:
    """Whether what was published says this. An approval that was used up may stay in it: it
    fits nothing any more."""
    if published is None or published.objects != bundle.objects:
        return False
    old, new = dict(published.terms), dict(bundle.terms)
    return set(new.pop("approved")) <= set(old.pop("approved")) and old == new

"""What documents would make of a fleet: the fleet's own controller, run on a copy of the store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from frota.app.members import KUBERNETES, TWIN
from frota.cli.changes import Change
from frota.cli.delivery.progress import Course, course, groups
from frota.cli.delivery.told import last_delivered, last_published
from frota.cli.naming import CLUSTER, FLEET, JOB, SERVICE, TEAM, missing
from frota.controllers.cluster import kinds_of
from frota.controllers.clusterrecords import (
    PRUNE_APPROVAL,
    RELEASE,
    ROLLOUT,
    STATUS,
    TAKE_OVER,
    Wish,
    read_wish,
)
from frota.controllers.contents import read_bundle
from frota.controllers.fleet import FleetController
from frota.controllers.fleetrecords import DECLARED, REVISION, FleetRecords
from frota.model.delivery import WatchedKind
from frota.planners.delivery import Wanted, prepare
from frota.ports.clock import Clock
from frota.ports.store import Store, Write
from frota.store.memory import MemoryStore

_COPIED = (RELEASE, ROLLOUT, STATUS, TAKE_OVER, PRUNE_APPROVAL, REVISION)


@dataclass(frozen=True, slots=True)
class Target:
    """One cluster and what it would have in the end. One that cannot be looked at from here
    is held against ``before``, what it was told to have; ``basis`` says what that is worth.
    ``beyond``: why there is nothing to hold it against."""

    cluster: str
    wave: str
    wish: Wish
    wanted: Wanted
    kinds: frozenset[WatchedKind]
    beyond: str = ""
    basis: str = ""
    before: Wanted | None = None


@dataclass(frozen=True, slots=True)
class FleetForesight:
    """A fleet as it would be. ``begins``: a rollout would begin."""

    fleet: str
    course: Course
    begins: bool
    targets: tuple[Target, ...]


def fleets_of(changes: Sequence[Change], store: Store) -> list[str]:
    """The fleets that documents are about; all of them where there are no documents."""
    if not changes:
        return [entry.name for entry in store.list(FLEET)]
    teams = {e.name: e.value["spec"]["fleet"] for e in store.list(TEAM)}
    documents = [change.resource.document for change in changes]
    teams |= {d["metadata"]["name"]: d["spec"]["fleet"] for d in documents if d["kind"] == TEAM}
    return list(dict.fromkeys(name for d in documents for name in _fleet_of(d, teams)))


def _fleet_of(document: Mapping[str, Any], teams: Mapping[str, str]) -> Iterator[str]:
    kind, spec = document["kind"], document["spec"]
    if kind == FLEET:
        yield document["metadata"]["name"]
    elif kind == TEAM or (kind == CLUSTER and spec.get("fleet")):
        yield spec["fleet"]
    elif kind in (SERVICE, JOB) and spec["team"] in teams:
        yield teams[spec["team"]]


def foresee_fleet(
    fleet: str, store: Store, changes: Iterable[Change], clock: Clock
) -> FleetForesight:
    """What the fleet's controller would begin, and what each cluster would have. Nothing is
    written to ``store``."""
    copy = _copied(store, changes)
    before = copy.get(ROLLOUT, fleet)
    FleetController(fleet, store=copy, clock=clock).reconcile()
    after = copy.get(ROLLOUT, fleet)
    if after is None:  # a fleet that is there has a rollout
        raise missing(FLEET, fleet, [entry.name for entry in copy.list(FLEET)])
    rollout = after.value
    found = course(copy, rollout, clock.now())
    waves = {part.cluster: name for name, parts in groups(found) for part in parts}
    digests = FleetRecords(copy, fleet).digests(rollout.revision)
    targets = tuple(
        target
        for cluster, digest in digests.items()
        if (target := _target(cluster, digest, waves.get(cluster, ""), (copy, store)))
    )
    begins = before is None or before.value.revision != rollout.revision
    order = {name: place for place, name in enumerate(waves)}
    last = len(order)
    return FleetForesight(
        fleet, found, begins, tuple(sorted(targets, key=lambda t: order.get(t.cluster, last)))
    )


def _copied(store: Store, changes: Iterable[Change]) -> MemoryStore:
    copy = MemoryStore()
    entries = {
        (entry.kind, entry.name): entry.value
        for kind in (*DECLARED, *_COPIED)
        for entry in store.list(kind)
    }
    for change in changes:
        resource = change.resource
        if resource.kind in DECLARED:
            entries[resource.kind, resource.name] = resource.document
    copy.commit([Write(kind, name, value, 0) for (kind, name), value in entries.items()])
    return copy


def _target(cluster: str, digest: str, wave: str, stores: Sequence[Store]) -> Target | None:
    wish = read_wish(stores[0], cluster)
    found = (read_bundle(store, cluster, digest) for store in stores)
    objects = next((objects for objects in found if objects is not None), None)
    if wish is None or objects is None:
        return None
    wanted = prepare(objects, wish.policy.membership)
    kinds = kinds_of(wanted.objects.values(), wish.status)
    target = Target(cluster, wave, wish, wanted, kinds)
    spec = stores[0].get(CLUSTER, cluster)
    if spec is not None and spec.value["spec"].get("delivery") == "pull":
        return _recorded(target, stores[1], *last_published(stores[1], cluster))
    driver = KUBERNETES if wish.address.kubeconfig else wish.provider
    if driver == TWIN:
        return _recorded(target, stores[1], *last_delivered(stores[1], cluster))
    if driver == KUBERNETES:
        return target
    return replace(target, beyond=f"it has no kubeconfig (provider {wish.provider})")


def _recorded(target: Target, store: Store, digest: str, basis: str) -> Target:
    if digest == target.wanted.digest:
        return replace(target, basis=basis, before=target.wanted)
    objects = read_bundle(store, target.cluster, digest) if digest else ()
    if objects is None:
        return replace(target, beyond=f"what it was told to have is not kept any more ({basis})")
    return replace(target, basis=basis, before=prepare(objects, target.wish.policy.membership))

"""What documents would make of a fleet: the fleet's own controller, run on a copy of the store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from frota.app.members import KUBERNETES
from frota.cli.changes import Change
from frota.cli.delivery.progress import Course, course, groups
from frota.cli.naming import CLUSTER, FLEET, JOB, SERVICE, TEAM, missing
from frota.controllers.cluster import kinds_of
from frota.controllers.clusterrecords import (
    PRUNE_APPROVAL,
    RELEASE,
    ROLLOUT,
    STATUS,
    TAKE_OVER,
    Wish,
    read_bundle,
    read_wish,
)
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
    """One cluster and what it would have in the end. ``beyond`` says why it cannot be looked
    at from here; empty when it can."""

    cluster: str
    wave: str
    wish: Wish
    wanted: Wanted
    kinds: frozenset[WatchedKind]
    beyond: str = ""


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
    return Target(cluster, wave, wish, wanted, kinds, _beyond(stores[0], cluster, wish))


def _beyond(store: Store, cluster: str, wish: Wish) -> str:
    entry = store.get(CLUSTER, cluster)
    spec = entry.value["spec"] if entry is not None else {}
    if spec.get("delivery") == "pull":
        return "its own agent applies it (delivery: pull)"
    driver = KUBERNETES if wish.address.kubeconfig else wish.provider
    return "" if driver == KUBERNETES else f"it has no kubeconfig (provider {wish.provider})"

"""One fleet's part of the store: what is declared of it, and what was compiled from it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from frota.controllers.clusterrecords import (
    CLUSTER,
    FLEET,
    RELEASE,
    ROLLOUT,
    STATUS,
    condition_of,
)
from frota.controllers.contents import Content, bundle_name, content_ends, part_names
from frota.model.clusterstatus import ClusterCondition, ConditionType, Truth
from frota.model.release import ClusterStatus, Release
from frota.model.rollout import (
    ClusterState,
    Gate,
    Rollout,
    RolloutFleet,
    RolloutMember,
    RolloutStage,
)
from frota.ports.objectives import MeterAddress
from frota.ports.store import Entry, Store, Write
from frota.resources.quantity import parse_duration

REVISION = "Revision"
DECLARED = (FLEET, CLUSTER, "Team", "InferenceService", "TrainingJob")
_GOING = frozenset({"Progressing", "Looking", "NotSeen", "PruneHeld"})  # nothing is wrong


def revision_name(fleet: str, revision: str) -> str:
    """Where a revision of a fleet is stored."""
    return f"{fleet}/{revision}"


class FleetRecords:
    """Reads of one fleet. Nothing is kept between two passes but what is immutable."""

    def __init__(self, store: Store, fleet: str) -> None:
        self._store = store
        self._fleet = fleet
        self._parts: dict[str, tuple[str, ...]] = {}  # of contents, which never change

    def documents(self) -> list[Entry]:
        """Everything that is declared, of all fleets: rules hold over all of it."""
        return list(self._store.list(*DECLARED))

    def rollout(self) -> Entry | None:
        """The record of the last rollout."""
        return self._store.get(ROLLOUT, self._fleet)

    def releases(self) -> dict[str, tuple[Release, int]]:
        """What clusters were told to have, with the revisions of the entries."""
        found = self._store.list(RELEASE)
        return {e.name: (e.value, e.revision) for e in found if e.value.fleet == self._fleet}

    def digests(self, revision: str) -> Mapping[str, str]:
        """The content of each cluster in a revision of the fleet."""
        entry = self._store.get(REVISION, revision_name(self._fleet, revision))
        return entry.value["clusters"] if entry is not None else {}

    def revisions(self) -> dict[str, Mapping[str, str]]:
        """All revisions that are stored."""
        prefix = revision_name(self._fleet, "")
        return {
            entry.name.removeprefix(prefix): entry.value["clusters"]
            for entry in self._store.list(REVISION)
            if entry.name.startswith(prefix)
        }

    def parts(self, cluster: str, digest: str) -> tuple[str, ...]:
        """The parts of a stored content; none when it is not stored."""
        name = bundle_name(cluster, digest)
        if name not in self._parts:
            found = part_names(self._store, cluster, digest)
            if not found:
                return ()
            self._parts[name] = found
        return self._parts[name]

    def ends(self, ended: Collection[Content], kept: Collection[Content]) -> Iterator[Write]:
        """End contents that nothing refers to any more."""
        touched = {cluster for cluster, _ in ended}
        kept = {content for content in kept if content[0] in touched}
        parts = {content: self.parts(*content) for content in (*kept, *ended)}
        for content in ended:
            self._parts.pop(bundle_name(*content), None)
        return content_ends(ended, kept, parts)

    def states(self, shape: RolloutFleet, candidates: Sequence[str]) -> dict[str, ClusterState]:
        """What is known of each cluster. ``candidates``: revisions it may hold, the one that
        is wanted first: a content may be the same in several."""
        contents = {revision: self.digests(revision) for revision in candidates}
        found = {}
        for member in shape.members:
            entry = self._store.get(STATUS, member.cluster)
            if entry is not None and entry.value.fleet == self._fleet:
                found[member.cluster] = _state(entry.value, contents)
        return found


def _state(status: ClusterStatus, contents: Mapping[str, Mapping[str, str]]) -> ClusterState:
    reachable = condition_of(status, ConditionType.REACHABLE)
    synced = condition_of(status, ConditionType.SYNCED)
    degraded = condition_of(status, ConditionType.DEGRADED)
    whole = _is(synced, Truth.TRUE)
    holds = [r for r, by in contents.items() if whole and by.get(status.cluster) == status.digest]
    stuck = _is(synced, Truth.FALSE) and synced is not None and synced.reason not in _GOING
    # What is not seen has no story of its own: then what keeps Frota from seeing it counts.
    blind = condition_of(status, ConditionType.STALE) if _is(synced, Truth.UNKNOWN) else None
    trouble = (reachable, blind, None if whole else synced, degraded)
    said = next((c for c in trouble if c is not None and c.message), None)
    return ClusterState(
        cluster=status.cluster,
        # Unknown for a moment is no silence: what is under way there goes on.
        reachable=not _is(reachable, Truth.FALSE),
        revision=holds[0] if holds else "",
        healthy=degraded is not None and degraded.reason == "AllHealthy",
        failed=stuck or _is(degraded, Truth.TRUE),
        message=f"{said.reason}: {said.message}" if said is not None else "",
    )


def _is(condition: ClusterCondition | None, truth: Truth) -> bool:
    return condition is not None and condition.status is truth


def meters_of(clusters: Sequence[Mapping[str, Any]]) -> tuple[MeterAddress, ...]:
    """Where the objectives of clusters are measured, from their documents."""
    found = []
    for cluster in clusters:
        meter = cluster["spec"]["telemetry"].get("prometheus")
        if meter:
            name = cluster["metadata"]["name"]
            files = meter.get("ca") or "", meter.get("tokenFile") or ""
            found.append(MeterAddress(name, meter["url"], *files))
    return tuple(found)


def shape_of(fleet: Mapping[str, Any], clusters: Sequence[Mapping[str, Any]]) -> RolloutFleet:
    """The stages, waves and stand-ins of a fleet, from its documents."""
    spec, name = fleet["spec"], fleet["metadata"]["name"]
    return RolloutFleet(
        name=name,
        stages=tuple(
            RolloutStage(
                environment=stage["name"],
                waves=tuple(tuple(wave) for wave in stage["waves"]),
                gate=Gate(
                    soak=parse_duration(stage["gates"]["soak"]),
                    approval=stage["gates"]["approval"],
                    healthy=stage["gates"]["healthy"],
                ),
            )
            for stage in spec["environments"]
        ),
        members=tuple(
            RolloutMember(
                cluster["metadata"]["name"],
                cluster["spec"].get("environment") or "",
                cluster["spec"].get("region") or "",
            )
            for cluster in clusters
        ),
        stand_ins=frozenset(
            (region["name"], other) for region in spec["regions"] for other in region["standsInFor"]
        ),
    )


def kept(rollout: Rollout) -> dict[str, str]:
    """The revision that each cluster is kept at, or was last given whole: what it has before
    the next rollout."""
    return {
        part.cluster: revision
        for part in rollout.clusters
        if (revision := rollout.revision if part.reached else part.before)
    }

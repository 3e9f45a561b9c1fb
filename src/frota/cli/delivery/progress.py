"""How far a rollout is: one step of the planner that moves it, taken and not stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from frota.cli.naming import CLUSTER, FLEET, find
from frota.cli.outcome import Exit, Failure
from frota.controllers.clusterrecords import ROLLOUT
from frota.controllers.fleetrecords import FleetRecords, shape_of
from frota.model.plan import Refusal
from frota.model.rollout import Advance, ClusterProgress, Rollout, RolloutFleet, Wave
from frota.planners.rollout import advance, waves_of
from frota.ports.store import Store
from frota.runtime.clock import SystemClock
from frota.store.sqlite import SqliteStore


@dataclass(frozen=True, slots=True)
class Course:
    """A rollout, the shape of its fleet, and the step that would be taken ``now``."""

    rollout: Rollout
    shape: RolloutFleet
    step: Advance
    now: float

    @property
    def waves(self) -> tuple[Wave, ...]:
        """All waves in order."""
        return waves_of(self.shape)

    @property
    def parts(self) -> dict[str, ClusterProgress]:
        """How far each cluster is, by its name."""
        return {part.cluster: part for part in self.step.rollout.clusters}

    def reasons(self, subject: str) -> list[Refusal]:
        """Why a cluster or wave waits."""
        return [reason for reason in self.step.reasons if reason.subject == subject]

    @property
    def approve(self) -> str:
        """The command that lets the next wave begin; empty when none is waited for."""
        if not self.step.approve:
            return ""
        return f"frota rollout approve {self.rollout.fleet} {self.step.approve}"


def fleet_named(store: SqliteStore, word: str | None) -> str:
    """The fleet that is meant: the only one, where no name was given."""
    names = [entry.name for entry in store.raw(FLEET)]
    if word is not None:
        return find(FLEET, word, names)
    if len(names) == 1:
        return names[0]
    if not names:
        raise Failure(Exit.NOT_FOUND, "there is no fleet")
    raise Failure(Exit.BAD_INPUT, f"there are several fleets; say which: {', '.join(names)}")


def course_of(store: Store, fleet: str) -> Course:
    """The rollout of a fleet. Raises Failure when there was none yet."""
    entry = store.get(ROLLOUT, fleet)
    if entry is None:
        raise Failure(
            Exit.NOT_FOUND, f"fleet {fleet} has no rollout yet: `frota up` begins the first"
        )
    latest = store.latest() if isinstance(store, SqliteStore) else 0.0
    return course(store, entry.value, SystemClock(latest).now())


def course(store: Store, rollout: Rollout, now: float) -> Course:
    """A rollout as it is, or as it would be, at a time."""
    document = store.get(FLEET, rollout.fleet)
    if document is None:
        raise Failure(Exit.NOT_FOUND, f"there is no Fleet {rollout.fleet}")
    every = [entry.value for entry in store.list(CLUSTER)]
    clusters = [cluster for cluster in every if cluster["spec"].get("fleet") == rollout.fleet]
    shape = shape_of(document.value, clusters)
    before = (part.before for part in rollout.clusters if part.before)
    revisions = tuple(dict.fromkeys([rollout.revision, *before]))
    states = FleetRecords(store, rollout.fleet).states(shape, revisions)
    return Course(rollout, shape, advance(shape, states, rollout, now), now)


def groups(course: Course) -> Iterator[tuple[str, tuple[ClusterProgress, ...]]]:
    """The waves by name with their clusters; those of no wave come last, under no name."""
    parts = course.parts
    for wave in course.waves:
        yield wave.name, tuple(parts.pop(name) for name in wave.clusters if name in parts)
    if parts:
        yield "", tuple(parts.values())


def why(course: Course, part: ClusterProgress) -> str:
    """What a cluster waits for, or what is wrong with it."""
    said = course.reasons(part.cluster)
    return "; ".join(_line(reason) for reason in said) or part.message


def _line(reason: Refusal) -> str:
    return f"{reason.reason}: {reason.message}" if reason.message else reason.reason


def data(course: Course) -> dict[str, Any]:
    """For programs."""
    rollout, step = course.rollout, course.step
    return {
        "fleet": rollout.fleet,
        "id": rollout.id,
        "revision": rollout.revision,
        "generation": rollout.generation,
        "began": rollout.began,
        "intent": rollout.intent.value,
        "phase": step.rollout.phase.value,
        "over": step.rollout.over,
        "waves": [
            {
                "name": name,
                "waits": [_reason(reason) for reason in course.reasons(name)] if name else [],
                "clusters": [_part(course, part) for part in parts],
            }
            for name, parts in groups(course)
        ],
        "waitsForApproval": {"hash": step.approve, "command": course.approve}
        if step.approve
        else None,
        "approvals": list(rollout.approvals),
        "skips": [{"cluster": skip.cluster, "reason": skip.reason} for skip in rollout.skips],
    }


def _part(course: Course, part: ClusterProgress) -> dict[str, Any]:
    return {
        "cluster": part.cluster,
        "state": part.state.value,
        "since": part.since,
        "message": part.message,
        "before": part.before,
        "begun": part.begun,
        "reached": part.reached,
        "waits": [_reason(reason) for reason in course.reasons(part.cluster)],
    }


def _reason(reason: Refusal) -> Mapping[str, str]:
    return {"reason": str(reason.reason), "message": reason.message}  # it may be a state

"""Fleets for tests of rollouts, and a world in which their clusters take what they are given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from frota.model.rollout import (
    Advance,
    ClusterState,
    Gate,
    Intent,
    Phase,
    Rollout,
    RolloutFleet,
    RolloutMember,
    RolloutStage,
    Skip,
)
from frota.planners.rollout import advance, begin

OLD, NEW = "old", "new"
NO_GATE = Gate(soak=0.0)


def stage(environment: str, *waves: tuple[str, ...], **gate: Any) -> RolloutStage:
    return RolloutStage(environment, waves, Gate(**{"soak": 0.0, **gate}))


def fleet_of(
    members: Mapping[str, tuple[str, str]],
    stages: Iterable[RolloutStage] = (),
    stand_ins: Iterable[tuple[str, str]] = (),
) -> RolloutFleet:
    """``members``: (environment, region) by cluster."""
    return RolloutFleet(
        "acme",
        tuple(stages) or (stage("dev"), stage("staging"), stage("prod")),
        tuple(RolloutMember(name, *place) for name, place in members.items()),
        frozenset(stand_ins),
    )


def usual(**gate: Any) -> RolloutFleet:
    """One cluster in dev, one in staging, and two regions of prod that stand in for each
    other."""
    return fleet_of(
        {
            "dev": ("dev", "east"),
            "staging": ("staging", "east"),
            "east": ("prod", "east"),
            "west": ("prod", "west"),
        },
        [stage(name, **gate) for name in ("dev", "staging", "prod")],
        [("east", "west")],
    )


class Play:
    """A rollout that is played: what may be delivered is there at the next look, unless the
    test says otherwise of a cluster."""

    def __init__(self, fleet: RolloutFleet, now: float = 0.0) -> None:
        self.fleet = fleet
        self.now = now
        self.has = {member.cluster: OLD for member in fleet.members}
        self.trouble: dict[str, dict[str, Any]] = {}
        self.stuck: set[str] = set()
        self.rollout: Rollout = begin(fleet, NEW, 7, dict(self.has), now)
        self.last: Advance = Advance(self.rollout)

    def states(self) -> dict[str, ClusterState]:
        found = {}
        for name, revision in self.has.items():
            state = ClusterState(name, reachable=True, revision=revision, healthy=True)
            found[name] = replace(state, **self.trouble.get(name, {}))
        return found

    def step(self, seconds: float = 1.0) -> Advance:
        """Look, store, then deliver."""
        self.now += seconds
        self.last = advance(self.fleet, self.states(), self.rollout, self.now)
        self.rollout = self.last.rollout
        states = self.states()
        for name, revision in self.last.deliver.items():
            if name not in self.stuck and states[name].reachable:
                self.has[name] = revision
        return self.last

    def steps(self, count: int = 20) -> Advance:
        for _ in range(count):
            self.step()
        return self.last

    def intend(self, intent: Intent) -> None:
        self.rollout = replace(self.rollout, intent=intent)

    def skip(self, cluster: str, reason: str = "is away") -> None:
        self.rollout = replace(self.rollout, skips=(*self.rollout.skips, Skip(cluster, reason)))

    def approve(self) -> None:
        approvals = (*self.rollout.approvals, self.last.approve)
        self.rollout = replace(self.rollout, approvals=approvals)

    def reasons(self) -> dict[str, str]:
        return {reason.subject: reason.reason for reason in self.last.reasons}

    def state_of(self, cluster: str) -> str:
        return next(p.state for p in self.rollout.clusters if p.cluster == cluster)

    def stands(self, phase: Phase) -> bool:
        return self.rollout.phase is phase

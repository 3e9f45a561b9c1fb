"""A change on its way through a fleet: in which order, how far it is, and what it waits for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import inf

from frota.model.plan import Refusal


@dataclass(frozen=True, slots=True)
class Gate:
    """What must hold of a wave before the next begins. ``soak`` is in seconds. ``burn_most``:
    the rate at which an error budget is used up must be below it (1 uses it up exactly)."""

    soak: float = 600.0
    approval: bool = False
    healthy: bool = True
    burn_most: float = 1.0


@dataclass(frozen=True, slots=True)
class RolloutStage:
    """One environment. Without ``waves`` its clusters go in as few waves as regions that
    stand in for each other allow."""

    environment: str
    waves: tuple[tuple[str, ...], ...] = ()
    gate: Gate = Gate()


@dataclass(frozen=True, slots=True)
class RolloutMember:
    """A cluster of the fleet. An empty region has no stand-in."""

    cluster: str
    environment: str
    region: str = ""


@dataclass(frozen=True, slots=True)
class RolloutFleet:
    """The shape of a fleet: ``stages`` in order of promotion, and which regions stand in for
    which (either way round)."""

    name: str
    stages: tuple[RolloutStage, ...]
    members: tuple[RolloutMember, ...]
    stand_ins: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Wave:
    """Clusters that may be changed at the same time. ``number`` counts from 1 in each
    environment."""

    environment: str
    number: int
    clusters: tuple[str, ...]
    gate: Gate

    @property
    def name(self) -> str:
        """For people: ``prod/2``."""
        return f"{self.environment}/{self.number}"


@dataclass(frozen=True, slots=True)
class ClusterState:
    """What is known of one cluster now.

    ``revision``: the content that it holds whole, as far as is seen; empty when it holds
    none whole. ``failed``: something will not get well by waiting (a refused change, a
    conflict, a failed object). ``burn``: the rate of its error budget; None where no
    objective is declared or nobody measures, NaN where it is to be measured and is not;
    ``burn_of``: the service that burns most, or why nothing is measured.
    """

    cluster: str
    reachable: bool
    revision: str = ""
    healthy: bool = False
    failed: bool = False
    burn: float | None = None
    burn_of: str = ""
    message: str = ""


class Intent(StrEnum):
    """What a person wants of a rollout."""

    RUN = "Run"
    PAUSE = "Pause"  # begin nothing new; what has begun goes on
    ABORT = "Abort"  # write nothing more of it, and leave what is there
    ROLLBACK = "Rollback"  # give every cluster back what it had


class Phase(StrEnum):
    """How a rollout stands. Only ``COMPLETED`` says that every cluster has it."""

    RUNNING = "Running"
    PAUSED = "Paused"
    ABORTED = "Aborted"
    ROLLING_BACK = "RollingBack"
    ROLLED_BACK = "RolledBack"
    PARTIAL = "Partial"  # every cluster has it but those that a person skipped
    COMPLETED = "Completed"


class Progress(StrEnum):
    """How far one cluster is."""

    WAITING = "Waiting"
    DELIVERING = "Delivering"
    DONE = "Done"
    FAILED = "Failed"
    UNREACHABLE = "Unreachable"
    SKIPPED = "Skipped"
    RETURNED = "Returned"  # has again what it had before


@dataclass(frozen=True, slots=True)
class ClusterProgress:
    """One cluster's part. ``before`` is the revision it had; empty when it had none.
    ``begun``: it may have been written to. ``reached``: it was Done once. ``since``: when
    ``state`` became what it is."""

    cluster: str
    before: str
    state: Progress = Progress.WAITING
    since: float = 0.0
    message: str = ""
    begun: bool = False
    reached: bool = False


@dataclass(frozen=True, slots=True)
class Skip:
    """A person said to go on without a cluster."""

    cluster: str
    reason: str


@dataclass(frozen=True, slots=True)
class Rollout:
    """The record of one rollout. ``revision`` names the content (a hash); ``approvals`` are
    the hashes that persons approved, each of one wave."""

    id: str
    fleet: str
    revision: str
    generation: int
    began: float
    intent: Intent = Intent.RUN
    phase: Phase = Phase.RUNNING
    clusters: tuple[ClusterProgress, ...] = ()
    approvals: tuple[str, ...] = ()
    skips: tuple[Skip, ...] = ()

    @property
    def over(self) -> bool:
        """Whether it will begin nothing more of itself."""
        return self.phase in _OVER


_OVER = frozenset({Phase.ABORTED, Phase.ROLLED_BACK, Phase.PARTIAL, Phase.COMPLETED})


@dataclass(frozen=True, slots=True)
class Advance:
    """One step of a rollout.

    Store ``rollout`` first, then act. ``deliver``: the clusters that may be written to now,
    each with the revision it should have; every other cluster is left alone, and what is
    under way there is cancelled. ``under_way``: those of them that change now. ``reasons``:
    why clusters and waves wait. ``approve``: the hash that an approval must name, empty
    when none is waited for. ``again_at``: when time alone may change the answer.
    """

    rollout: Rollout
    deliver: Mapping[str, str] = field(default_factory=dict)
    under_way: frozenset[str] = frozenset()
    reasons: tuple[Refusal, ...] = ()
    approve: str = ""
    again_at: float = inf

"""What a cluster was told to have, and how far it is."""

from __future__ import annotations

from dataclasses import dataclass

from frota.model.clusterstatus import ClusterCondition
from frota.model.delivery import WatchedKind
from frota.model.deliveryplan import PruneApproval
from frota.model.objects import ObjectKey


@dataclass(frozen=True, slots=True)
class Release:
    """The content that a cluster is to have: the bundle with this digest, compiled from this
    generation of the fleet. Rollouts write it; until then a cluster keeps what it has."""

    cluster: str
    fleet: str
    generation: int
    digest: str
    since: float


HELD_MOST = 1000  # objects that are named


@dataclass(frozen=True, slots=True)
class HeldPrune:
    """Deletions in one cluster that wait for an approval."""

    approval: PruneApproval
    objects: tuple[str, ...]  # the first ``HELD_MOST`` of them, for people
    count: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Drift:
    """One object that somebody else changed. ``corrected``: it is being put right."""

    object: str
    reason: str
    message: str
    fields: tuple[str, ...] = ()
    corrected: bool = True


@dataclass(frozen=True, slots=True)
class ClusterStatus:
    """How one cluster stands, as it was seen last.

    ``generation`` and ``digest`` are of the release that is being delivered, or was.
    ``settled`` of ``wanted`` objects are as they should be. ``kinds`` are all that Frota
    ever delivered there: they are watched until nothing of them is left. ``ran`` are jobs that
    ended and were deleted, each with the digest of what ran, for as long as they are declared.
    """

    cluster: str
    fleet: str
    generation: int
    digest: str
    conditions: tuple[ClusterCondition, ...]
    wanted: int = 0
    settled: int = 0
    version: str = ""
    identity: str = ""  # see ``ClusterView``
    kinds: frozenset[WatchedKind] = frozenset()
    drifts: tuple[Drift, ...] = ()
    problems: tuple[str, ...] = ()
    held: HeldPrune | None = None
    ran: tuple[tuple[ObjectKey, str], ...] = ()

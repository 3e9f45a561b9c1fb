"""Availability sets: a role's VMs, spread over fault domains (docs/kinds/AvailabilitySet.md)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from frota.model.host import Host


class Level(StrEnum):
    """What counts as one fault domain."""

    RACK = "rack"
    HOST = "host"


_RACK = Level.RACK  # looking a member up through its enum is slow; this is asked often


class Phase(StrEnum):
    """The first that applies, from the top (section E.5 of the behaviour)."""

    DELETING = "Deleting"
    UNHEALTHY = "Unhealthy"
    DEGRADED = "Degraded"
    REBALANCING = "Rebalancing"
    NOT_ALIGNED = "NotAligned"
    CONFIG_STALE = "ConfigStale"
    HEALTHY = "Healthy"


class Blocker(StrEnum):
    """Why a set is not spread evenly."""

    DOMAIN_DOWN = "DomainDown"
    CAPACITY = "Capacity"
    PINNED = "Pinned"
    MOVE_FAILING = "MoveFailing"
    N1 = "N1"  # the move would leave the group unable to lose a host
    COOLDOWN_OR_THROTTLE = "CooldownOrThrottle"
    QUORUM_GUARD = "QuorumGuard"
    CONFIG_STALE = "ConfigStale"


CONTROL_PLANE = "control-plane"


def domain_of(host: Host, level: Level) -> str:
    """The fault domain of a host at one level: ``rack/NAME`` or ``host/NAME``.

    A host that joins again after it was removed for good is a new domain (``~2``).
    """
    if level is _RACK:
        return f"rack/{host.rack}"
    return f"host/{host.name}" if host.tenure == 1 else f"host/{host.name}~{host.tenure}"


@dataclass(frozen=True, slots=True)
class AvailabilitySet:
    """One set. Role, levels, owner and past generations never change after creation.

    ``levels`` go from coarse to fine. ``generations`` only grow: each is the set of
    domain ids, of all levels, that the set was configured with from then on.
    ``removed`` lists domains lost for good: the set is Unhealthy until redeployed.
    """

    name: str
    cluster: str
    role: str
    levels: tuple[Level, ...] = (Level.HOST,)
    generations: tuple[frozenset[str], ...] = ()
    removed: tuple[str, ...] = ()
    adopt_new_domains: bool = False
    deleting: bool = False
    redeploy: bool = False  # an operator asked for it
    successor_of: str = ""  # the set that this one replaces in a redeploy
    next_number: int = 1  # of the next member's name; numbers are never used twice

    @property
    def control_plane(self) -> bool:
        """Whether the members are a Kubernetes control plane (quorum is guarded)."""
        return self.role == CONTROL_PLANE


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a set stands: its phase, and the conditions behind it with their reasons."""

    set: str
    phase: Phase
    aligned: bool
    blocker: Blocker | None
    message: str
    domains_available: bool
    n1_feasible: bool | None
    config_current: bool
    no_removed_domain: bool
    fault_tolerant: bool
    counts: tuple[tuple[str, int], ...]  # members by domain of the coarsest level

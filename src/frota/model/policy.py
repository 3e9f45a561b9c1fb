"""The numbers and choices that govern one host group; defaults as documented."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class RebalanceMode(StrEnum):
    """How evenness is restored: by the fewest moves, or by sending VMs home first."""

    MIN_MOVES = "min_moves"
    HOME = "home"


class Admission(StrEnum):
    """What happens when a new VM would leave the group unable to lose one host."""

    WARN = "warn"
    STRICT = "strict"


@dataclass(frozen=True, slots=True)
class Timers:
    """All in seconds, except ``suspect_beats`` and ``quarantine_leaves`` (counts)."""

    beat: float = 1.0
    suspect_beats: int = 3
    isolated: float = 10.0
    isolation_grace: float = 30.0
    lease: float = 20.0  # a host that cannot renew for this long ends its own VMs
    lease_renew: float = 5.0
    lease_margin: float = 5.0  # time the host needs to end them
    hold: float = 60.0
    quarantine_leaves: int = 3
    quarantine_window: float = 3600.0
    quarantine: float = 7200.0
    move_timeout: float = 600.0
    start_timeout: float = 300.0
    fence_retry: float = 10.0
    retry_first: float = 30.0  # wait after a failed start or move, doubled each time
    retry_most: float = 1800.0
    move_cooldown: float = 600.0
    audit: float = 900.0


@dataclass(frozen=True, slots=True)
class Throttle:
    """The most voluntary or drain moves under way at one time."""

    out_per_host: int = 2
    in_per_host: int = 2
    per_cluster: int = 8


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything a planner may be told, beside the snapshot."""

    timers: Timers = Timers()
    throttle: Throttle = Throttle()
    rebalance: RebalanceMode = RebalanceMode.MIN_MOVES
    admission: Admission = Admission.WARN
    quarantine_share: float = 0.25  # most hosts in quarantine at one time
    storm_share: float = 0.30  # more silent hosts than this: the observer is suspected
    brake_share: float = 0.50  # voluntary plans above this share of VMs need an approval
    brake_delete_share: float = 0.20  # so many VMs are not deleted without an approval
    brake_least: int = 10  # plans of this many moves, or deletions, are never braked
    preempt: bool = False  # restart may push out VMs of lower priority
    cold_rebalance: bool = False  # pinned and cold VMs may be moved by stop and start
    work_limit: float = 2.0  # of the exact search: counted work, about seconds of one core
    lease_usable: bool = False  # hosts fence themselves by lease

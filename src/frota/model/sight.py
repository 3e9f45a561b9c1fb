"""What the drivers saw: copies of VMs, hosts, ends of operations, proofs of death."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from frota.model.host import Capacity


class CopyState(StrEnum):
    """What a host says of one copy of a VM."""

    RUNNING = "running"
    PAUSED = "paused"
    INCOMING = "incoming"  # the far end of a live migration that is under way
    OUTGOING = "outgoing"  # runs here and is being migrated away
    STOPPED = "stopped"  # defined, not running


# A member found through its enum costs ten times the comparison; this is asked very often.
_LIVE = frozenset({CopyState.RUNNING, CopyState.PAUSED, CopyState.OUTGOING})


@dataclass(frozen=True, slots=True)
class Copy:
    """One copy of a VM on one host. ``operation`` is the id that made or moves it."""

    vm: str
    epoch: int
    state: CopyState
    operation: str = ""

    @property
    def live(self) -> bool:
        """Whether the guest runs, or may be running, in this copy."""
        return self.state in _LIVE


@dataclass(frozen=True, slots=True)
class HostView:
    """What is known of a host now.

    ``beating`` is true while heartbeats come; ``last_seen`` is the time of the last one
    (Frota's clock). While ``beating`` is false ``copies`` is what was seen last.
    ``incarnation`` changes when the host or its daemon lost what it ran.
    """

    host: str
    beating: bool
    last_seen: float
    incarnation: str
    capacity: Capacity | None
    copies: Mapping[str, Copy] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an operation ended. ``error`` is empty on success. ``unknown`` is true when
    the end could not be seen (the host fell silent): look at the views, then decide."""

    operation: str
    error: str = ""
    unknown: bool = False


class FenceState(StrEnum):
    """How far the proof of a host's death is."""

    IDLE = "idle"  # nothing asked
    WORKING = "working"
    PROVED = "proved"
    FAILED = "failed"  # every method failed; ask again later, or an operator must say


@dataclass(frozen=True, slots=True)
class FenceVerdict:
    """``method`` names what proved it (``fence_ipmilan``, ``lease``, …); ``message`` is
    for people and never holds a secret."""

    state: FenceState
    method: str = ""
    message: str = ""

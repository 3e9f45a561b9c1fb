"""How a cluster stands: health of its objects, and conditions with an honest Unknown."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from frota.model.objects import ObjectKey


class Health(StrEnum):
    """How one object does, by its own status."""

    CURRENT = "Current"
    PROGRESSING = "Progressing"
    FAILED = "Failed"
    ENDING = "Ending"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class ObjectHealth:
    """The health of one object; ``message`` is empty for one that is Current."""

    key: ObjectKey
    health: Health
    message: str = ""


@dataclass(frozen=True, slots=True)
class ClusterHealth:
    """The health of all wanted objects of one cluster. ``missing`` are not there at all."""

    current: int = 0
    troubled: tuple[ObjectHealth, ...] = ()
    missing: tuple[ObjectKey, ...] = ()

    @property
    def healthy(self) -> bool:
        """Whether every object is there and Current."""
        return not self.troubled and not self.missing

    @property
    def failed(self) -> tuple[ObjectHealth, ...]:
        """Objects that will not get well by waiting."""
        return tuple(item for item in self.troubled if item.health is Health.FAILED)


class Truth(StrEnum):
    """The status of a condition."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class ConditionType(StrEnum):
    """The conditions of a cluster, in the order in which they are shown."""

    REACHABLE = "Reachable"
    SYNCED = "Synced"
    DRIFTED = "Drifted"
    DEGRADED = "Degraded"
    STALE = "Stale"


@dataclass(frozen=True, slots=True)
class ClusterCondition:
    """One condition of a cluster. ``since`` is when ``status`` became what it is, on Frota's
    clock. ``observed_generation`` is the generation of the declared fleet that it speaks of:
    an older one than the declared says nothing of what was declared since."""

    type: ConditionType
    status: Truth
    reason: str  # one CamelCase word
    message: str
    since: float
    observed_generation: int

"""Hosts, what they hold, and the states they pass through (docs/kinds/HostGroup.md)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class HostState(StrEnum):
    """The states of a host. Only ``UP`` takes new work; all but ``REMOVED`` are members."""

    JOINING = "Joining"
    UP = "Up"
    SUSPECT = "Suspect"
    ISOLATED = "Isolated"
    FENCING = "Fencing"
    DOWN = "Down"
    QUARANTINED = "Quarantined"
    RECOVERING = "Recovering"
    DRAINING = "Draining"
    MAINTENANCE = "Maintenance"
    REMOVED = "Removed"


_UP = HostState.UP  # looking a member up through its enum is slow; this is asked often


class Intent(StrEnum):
    """What the operator wants of a host."""

    ACTIVE = "Active"
    DRAINED = "Drained"
    REMOVED = "Removed"


@dataclass(frozen=True, slots=True)
class Size:
    """What one VM takes: memory in MiB, virtual CPUs, and whole GPUs of one model."""

    memory_mib: int
    vcpus: int
    gpu_model: str = ""
    gpus: int = 0


@dataclass(frozen=True, slots=True)
class Capacity:
    """What one host can give to VMs, after its own reserve.

    ``vcpus`` already counts overcommit. ``slots`` is the largest number of VMs.
    ``gpus`` is sorted by model, each model once.
    """

    memory_mib: int
    vcpus: int
    slots: int
    gpus: tuple[tuple[str, int], ...] = ()

    def gpus_of(self, model: str) -> int:
        """The number of GPUs of one model."""
        return next((count for name, count in self.gpus if name == model), 0)


@dataclass(frozen=True, slots=True)
class Host:
    """One host of a group, as Frota records it.

    Times are in seconds of Frota's own clock, which never goes back
    (``ports.clock``). ``rack`` is the host's own name where no rack was declared.
    ``incarnation`` names one life of the host: it changes at every boot or join.
    ``leaves`` are the times at which the host left service, newest last.
    ``fence_proof`` says how it was proved that nothing of the present incarnation
    runs any more; empty while there is no proof.
    """

    name: str
    rack: str
    capacity: Capacity
    state: HostState = HostState.UP
    since: float = 0.0
    incarnation: str = ""
    intent: Intent = Intent.ACTIVE
    leaves: tuple[float, ...] = ()
    fence_proof: str = ""
    declared_dead: str = ""  # the incarnation that an operator declared dead
    cleared: bool = False  # an operator ended the quarantine
    before: HostState = HostState.UP  # the state left for Suspect; a beat goes back to it
    until: float = 0.0  # end of quarantine
    tenure: int = 1  # how many times a host of this name joined the group
    reason: str = ""
    cause_id: str = ""

    @property
    def schedulable(self) -> bool:
        """Whether new VMs may be placed here."""
        return self.state is _UP

    @property
    def member(self) -> bool:
        """Whether the host still belongs to its group."""
        return self.state is not HostState.REMOVED

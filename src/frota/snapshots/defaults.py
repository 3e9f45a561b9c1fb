"""What stands for a field that was left out; reading and writing share it, so that what
is written is what is read."""

from __future__ import annotations

from collections.abc import Iterable

from frota.model.availability import CONTROL_PLANE, Level, domain_of
from frota.model.host import Host
from frota.model.vm import Mobility, VmState

CONTROL_PLANE_PRIORITY = 1000
NEVER = -1e18  # the model's "never" of moved_at and retry_at


def domains(hosts: Iterable[Host], levels: Iterable[Level]) -> frozenset[str]:
    """The fault domains of all member hosts at some levels."""
    members = [host for host in hosts if host.member]
    return frozenset(domain_of(host, level) for host in members for level in levels)


def state(host: str) -> VmState:
    """A VM with a host runs."""
    return VmState.RUNNING if host else VmState.PENDING


def priority(role: str) -> int:
    """Control planes go before pools."""
    return CONTROL_PLANE_PRIORITY if role == CONTROL_PLANE else 0


def mobility(gpus: int) -> Mobility:
    """A VM with a GPU of its own cannot migrate."""
    return Mobility.PINNED if gpus else Mobility.LIVE


def epoch(host: str) -> int:
    """A VM with a host was started once."""
    return 1 if host else 0

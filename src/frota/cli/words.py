"""Figures in few words: ages, times, sizes, and the colours of states."""

from __future__ import annotations

import time
from collections.abc import Mapping

from frota.cli.terminal import Cell

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "m"))
_GIB_MIB = 1024
_STYLES: Mapping[str, str] = {
    **dict.fromkeys(("Up", "Running", "Healthy", "True", "Done", "Completed"), "green"),
    **dict.fromkeys(
        (
            *("Joining", "Pending", "Starting", "Migrating", "Recovering", "Rebalancing"),
            *("Draining", "Delivering", "RollingBack"),
        ),
        "cyan",
    ),
    **dict.fromkeys(
        (
            *("Suspect", "Unmonitored", "NotAligned", "ConfigStale", "Quarantined", "Stopping"),
            *("Paused", "Partial", "Skipped", "Returned", "RolledBack"),
        ),
        "yellow",
    ),
    **dict.fromkeys(
        (
            *("Isolated", "Fencing", "Down", "Lost", "Unplaceable", "Degraded", "Unhealthy"),
            *("Failed", "Unreachable", "Aborted"),
        ),
        "red",
    ),
    **dict.fromkeys(("Maintenance", "Removed", "Stopped", "Deleting", "Unknown", "Waiting"), "dim"),
}


def style_of(state: str) -> str:
    """The colour in which a state, phase or condition is shown."""
    return _STYLES.get(state, "")


def state_cell(state: str) -> Cell:
    """A state in its colour."""
    return Cell(state, style_of(state))


def ago(seconds: float) -> str:
    """``42s``, ``5m``, ``3h``, ``12d``: the largest unit that counts at least one."""
    for size, letter in _UNITS:
        if seconds >= size:
            return f"{int(seconds // size)}{letter}"
    return f"{max(0, int(seconds))}s"


def age(at: float, now: float) -> str:
    """How long ago a stored time was; ``-`` for never."""
    return ago(now - at) if at > 0 else "-"


def moment(at: float) -> str:
    """A stored time for people, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(max(0.0, at)))


def mib(memory: int) -> str:
    """Memory given in MiB, in GiB where that is short."""
    whole, rest = divmod(memory, _GIB_MIB)
    if not rest:
        return f"{whole}Gi"
    return f"{memory / _GIB_MIB:.1f}Gi" if memory > _GIB_MIB else f"{memory}Mi"


def size_text(memory_mib: int, cpus: int, gpu_model: str = "", gpus: int = 0) -> str:
    """The size of one VM: ``64Gi 16c``, with its GPUs."""
    extra = f" {gpus}x{gpu_model}" if gpus else ""
    return f"{mib(memory_mib)} {cpus}c{extra}"


def plural(count: int, thing: str) -> str:
    """``1 VM``, ``2 VMs``."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"

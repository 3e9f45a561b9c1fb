"""The machine an agent runs on: its clock, its names, and a seat in memory."""

from __future__ import annotations

import ctypes
import os
import time
from pathlib import Path

_ALL_PAGES = 1 | 2  # MCL_CURRENT | MCL_FUTURE


class BootClock:
    """Seconds since the machine was booted, time asleep included. Nobody can set it."""

    def now(self) -> float:
        """See ``ports.clock.Clock``."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)


def boot_id() -> str:
    """New at every boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def machine_id() -> str:
    """The same for the life of the installation."""
    try:
        name = Path("/etc/machine-id").read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        name = ""
    return name or f"host-name-{os.uname().nodename}"


def stay_in_memory() -> str:
    """Lock all pages, so that a hung disk cannot stop the agent in the middle of its
    code. Returns what went wrong, empty when nothing did."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mlockall(_ALL_PAGES) == 0:
        return ""
    return os.strerror(ctypes.get_errno())

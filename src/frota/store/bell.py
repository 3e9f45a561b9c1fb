"""A bell beside a store: who commits rings it, who waits for commits listens at a FIFO.

Nobody depends on it. Where nobody listens, or the FIFO cannot be opened, ringing does
nothing, and who listens also looks now and then by itself.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path


def bell_of(store: Path) -> Path:
    """Where whoever works on a store listens."""
    return store.with_name(f"{store.name}.bell")


def ring(bell: Path) -> None:
    """Tell whoever listens. Never blocks, never raises."""
    with suppress(OSError):  # nobody listens, or it is full: it rings already
        end = os.open(bell, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            if stat.S_ISFIFO(os.fstat(end).st_mode):
                os.write(end, b"!")
        finally:
            os.close(end)

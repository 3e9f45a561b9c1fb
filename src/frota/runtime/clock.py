"""The real clock: Frota's time, which never goes back (``ports.clock``)."""

from __future__ import annotations

import time
from collections.abc import Callable


def _elapsed() -> float:
    """Seconds since the machine started, time asleep included where the kernel counts it."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class SystemClock:
    """The wall clock's time at the start, or the last stored time if that is later; from
    there on the kernel's monotonic clock. Setting the wall clock changes nothing while the
    process runs, and at a restart can only make it go on from where it was.

    ``ahead`` is by how many seconds this clock was ahead of the wall clock at the start;
    more than a few mean that the wall clock was set back, or was wrong before.
    """

    def __init__(
        self,
        stored: float = 0.0,
        *,
        wall: Callable[[], float] = time.time,
        elapsed: Callable[[], float] = _elapsed,
    ) -> None:
        shown = wall()
        start = max(shown, stored)
        self.ahead = start - shown
        self._elapsed = elapsed
        self._offset = start - elapsed()
        self._floor = start  # adding the offset may round to just below the start

    def now(self) -> float:
        """See ``ports.clock.Clock``."""
        return max(self._floor, self._offset + self._elapsed())

"""How long a host has been silent, not counting the time in which Frota itself stood still.

When the process is stopped, swapped out or starved, no heartbeat arrives although every
host is well. Frota notices by a beat of its own: ``tick`` is called on a steady rhythm,
and whatever it is late by is taken off every silence.
"""

from __future__ import annotations

import threading

from frota.ports.clock import Clock


class Pulse:
    """Time as this process lived it. Safe to use from any thread."""

    def __init__(self, clock: Clock, rhythm: float) -> None:
        self._clock = clock
        self._rhythm = rhythm
        self._lock = threading.Lock()
        self._ticked = clock.now()
        self._stalled = 0.0

    def tick(self) -> None:
        """Say that the process is awake. To be called every ``rhythm`` seconds."""
        with self._lock:
            now = self._clock.now()
            self._stalled += self._late(now)
            self._ticked = now

    def _late(self, now: float) -> float:
        # One missed tick is what a busy machine does; more is a stall.
        missed = now - self._ticked - self._rhythm
        return missed if missed > self._rhythm else 0.0

    def now(self) -> float:
        """The clock's present time."""
        return self._clock.now()

    def stalled(self) -> float:
        """The seconds, of all until now, in which this process stood still."""
        with self._lock:
            return self._stalled + self._late(self._clock.now())


class Beat:
    """The last sign of life of one host. Not for several threads without a lock."""

    def __init__(self, pulse: Pulse) -> None:
        self._pulse = pulse
        self.strike()

    def strike(self) -> None:
        """A sign of life came just now."""
        self._at = self._pulse.now()
        self._stalled = self._pulse.stalled()

    def last(self) -> float:
        """When the last sign came, in the clock's time, moved on by every stall since."""
        return self._at + self._pulse.stalled() - self._stalled

    def silence(self) -> float:
        """How long ago that is."""
        return max(0.0, self._pulse.now() - self.last())

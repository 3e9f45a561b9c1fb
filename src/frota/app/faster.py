"""Time that passes faster than it does, for fleets of simulated clusters."""

from __future__ import annotations

from frota.ports.clock import Clock
from frota.runtime.alarm import PipeAlarm


class FasterClock:
    """A clock that begins with another and runs ``speed`` times as fast."""

    def __init__(self, real: Clock, speed: float) -> None:
        self._real = real
        self._speed = speed
        self._began = real.now()

    def now(self) -> float:
        """See ``ports.clock.Clock``."""
        return self._began + (self._real.now() - self._began) * self._speed


class FasterAlarm:
    """An alarm that waits so much shorter."""

    def __init__(self, real: PipeAlarm, speed: float) -> None:
        self._speed = speed
        self._real = real
        self.ring = real.ring
        self.close = real.close

    def wait(self, seconds: float) -> None:
        """See ``runtime.alarm.Alarm``."""
        self._real.wait(seconds / self._speed)

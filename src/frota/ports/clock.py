"""Time, for everything that needs it. No other source of time may be used."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Seconds that never go back, not even over a restart or a set of the wall clock.

    The real clock starts at the later of the wall clock and the last time found in
    the store, then follows the monotonic clock; so stored times stay comparable.
    """

    def now(self) -> float:
        """The present time in seconds. Never raises."""
        ...

"""How long to wait before trying again."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

_DOUBLINGS_MOST = 60  # more would leave the range of a float for nothing


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential growth with full jitter: a wait is drawn evenly between ``first`` and
    ``first`` doubled per failure, never above ``most``; all in seconds.

    Evenly drawn waits spread those who failed together best; see "Exponential Backoff And
    Jitter", Marc Brooker, AWS Architecture Blog, 2015.
    """

    first: float = 0.2
    most: float = 15.0

    def delay(self, failures: int, rng: Random) -> float:
        """The wait after this many failures in a row (1 or more)."""
        grown = self.first * 2.0 ** min(failures, _DOUBLINGS_MOST)
        return rng.uniform(self.first, max(self.first, min(self.most, grown)))

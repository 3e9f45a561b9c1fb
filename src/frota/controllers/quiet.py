"""Passes that need not be made again."""

from __future__ import annotations

from math import inf
from typing import NamedTuple


class Quiet(NamedTuple):
    """A pass that found nothing to do. Planners are pure: with the same records and the
    same sight, and no deadline passed, the next pass would find the same."""

    sight: tuple[object, ...] = ()
    until: float = -inf

    def holds(self, sight: tuple[object, ...], now: float) -> bool:
        """Whether looking again would be in vain."""
        return now < self.until and sight == self.sight

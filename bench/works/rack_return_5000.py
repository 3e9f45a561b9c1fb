"""A rack of 100 hosts returns to a group of 5,000."""

from __future__ import annotations

from collections.abc import Iterator

from bench import returns
from bench.clock import Limits
from bench.figures import Figure
from bench.racks import XL

BAR_S = 1.0


def figures(limits: Limits) -> Iterator[Figure]:
    """No peer finishes a tenth of this size in the time."""
    return returns.figures(XL, BAR_S, limits)

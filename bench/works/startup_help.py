"""The shortest command."""

from __future__ import annotations

from collections.abc import Iterator

from bench import startup
from bench.clock import Limits
from bench.figures import Figure

BAR = 6.0


def figures(limits: Limits) -> Iterator[Figure]:
    """``frota --help``."""
    return startup.figures(["--help"], BAR, limits)

"""How fast services use up what their objectives allow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf

ServiceKey = tuple[str, str]
"""Namespace and name of a service in its cluster."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What was last measured in one cluster.

    ``rates``: at 1 an objective is used up just in time; NaN where nothing was asked of the
    service. ``at``: when, in seconds of the controller's clock; minus infinity for never.
    ``error``: why the last question had no good answer; empty when it had one.
    """

    rates: Mapping[ServiceKey, float] = field(default_factory=dict)
    at: float = -inf
    error: str = ""

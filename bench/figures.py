"""One measured figure: what was measured, its bar, and what another program did."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite
from typing import Any


class Must(StrEnum):
    """How a value stands to its bar when the bar holds."""

    BE_AT_MOST = "<="
    BE_AT_LEAST = ">="
    EQUAL = "="


@dataclass(frozen=True, slots=True)
class Figure:
    """``value`` is None when it could not be had; ``metric`` then says why. ``peer`` names
    the program beside which this was measured, or says why it is absent; ``peer_value`` is
    its value of the same metric. ``sound`` is False when something else than the value keeps
    the bar from holding, such as a proof that failed."""

    metric: str
    value: float | None
    unit: str
    bar: float | None = None
    must: Must = Must.BE_AT_MOST
    sound: bool = True
    peer: str = ""
    peer_value: float | None = None

    @property
    def holds(self) -> bool | None:
        """Whether the bar holds; None without a bar."""
        if self.bar is None or self.value is None:
            return None if self.sound else False
        if self.must is Must.EQUAL:
            met = self.value == self.bar
        elif self.must is Must.BE_AT_LEAST:
            met = self.value >= self.bar
        else:
            met = self.value <= self.bar
        return met and self.sound

    @property
    def ratio(self) -> float | None:
        """``value / peer_value``."""
        if not self.peer_value or self.value is None:
            return None
        return self.value / self.peer_value

    def line(self, work: str) -> str:
        """The figure as one line of JSON; ``must`` is for the table only."""
        fields: dict[str, Any] = {
            "work": work,
            "metric": self.metric,
            "value": shortened(self.value),
            "unit": self.unit,
            "bar": self.bar,
            "holds": self.holds,
            "peer": self.peer,
            "peer_value": shortened(self.peer_value),
            "ratio": shortened(self.ratio),
            "must": self.must,
        }
        return json.dumps(fields)


def shortened(value: float | None) -> float | None:
    """Four significant digits; whole numbers as they are."""
    if value is None or not isfinite(value):
        return None
    return value if value == int(value) else float(f"{value:.4g}")

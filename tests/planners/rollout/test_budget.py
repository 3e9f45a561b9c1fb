"""The worst burn rate of a cluster's services."""

from __future__ import annotations

from math import inf, isnan, nan

import pytest

from frota.model.objectives import Measured
from frota.planners.rollout import burn

A, B = ("team", "a"), ("team", "b")
NOW = 1000.0


@pytest.mark.parametrize(
    ("measured", "rate", "of"),
    [
        (Measured({A: 0.5, B: 2.0}, NOW), 2.0, "team/b"),
        (Measured({A: 0.5, B: nan}, NOW), 0.5, "team/a"),
        (Measured({A: nan, B: nan}, NOW), 0.0, ""),
        (Measured({A: 0.0, B: inf}, NOW), inf, "team/b"),
        (Measured({A: 0.5}, NOW), nan, "nothing is recorded of team/b"),
        (Measured({A: 0.5, B: 0.5}, NOW - 121), nan, "no answer yet"),
        (Measured({A: 0.5, B: 0.5}, NOW - 121, "refused"), nan, "refused"),
        (Measured({A: 0.5, B: 0.5}, NOW - 60, "refused"), 0.5, "team/b"),
        (Measured(), nan, "no answer yet"),
    ],
)
def test_the_worst_counts(measured: Measured, rate: float, of: str) -> None:
    found, said = burn(measured, [A, B], NOW)
    assert found == rate or (isnan(found) and isnan(rate))
    assert said == of

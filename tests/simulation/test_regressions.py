"""Schedules that broke something once. Each stays here so that it never does again."""

from __future__ import annotations

import pytest

from frota.simulation.fuzz import try_schedule
from frota.simulation.schedule import draw

# The schedule is drawn from the seed: when drawing changes, so do these, and they are
# then merely random schedules more.
SEEDS = (9, 26, 34, 49, 75, 85, 103, 121, 157, 199, 302, 456, 508, 542, 563, 595, 927, 5005)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_schedule_that_failed_once_holds(seed: int) -> None:
    played = try_schedule(draw(seed))
    assert (played.broken, played.unmet) == ((), ())

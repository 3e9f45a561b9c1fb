from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frota.runtime.backoff import Backoff
from frota.runtime.cause import cause_id


@given(st.integers(1, 10_000), st.integers())
def test_a_wait_is_never_shorter_than_the_first_nor_longer_than_the_most(
    failures: int, seed: int
) -> None:
    backoff = Backoff(first=0.5, most=30.0)
    wait = backoff.delay(failures, Random(seed))
    assert 0.5 <= wait <= min(30.0, 0.5 * 2.0 ** min(failures, 20))
    assert wait == backoff.delay(failures, Random(seed)), "the same seed, the same wait"


@pytest.mark.parametrize(("failures", "mean"), [(1, 0.75), (3, 2.25), (20, 15.25)])
def test_waits_are_spread_evenly(failures: int, mean: float) -> None:
    backoff, rng = Backoff(first=0.5, most=30.0), Random(7)
    waits = [backoff.delay(failures, rng) for _ in range(4000)]
    assert sum(waits) / len(waits) == pytest.approx(mean, rel=0.05)


def test_cause_ids_are_short_readable_and_unique() -> None:
    rng = Random(1)
    made = [cause_id(rng) for _ in range(50_000)]
    assert len(set(made)) == len(made)
    assert all(len(name) == 10 and name.isalnum() and name == name.lower() for name in made)
    assert not set("ilou") & set("".join(made))
    assert made[0] == cause_id(Random(1))

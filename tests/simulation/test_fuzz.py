"""Random schedules: a small number of them, how they are drawn, and how they shrink."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from frota.resources.quantity import parse_duration
from frota.simulation.fuzz import Report, fuzz, fuzz_with, try_schedule
from frota.simulation.parsing import from_mapping
from frota.simulation.schedule import HOURS, draw
from frota.simulation.shrink import invariants_of, shrink

SCHEDULES = 40


def test_schedules_hold() -> None:
    report = fuzz(iter(range(SCHEDULES)), failures_most=3)
    assert [(failure.seed, failure.broken) for failure in report.failures] == []
    assert report.schedules == SCHEDULES
    assert report.faults >= 10 * SCHEDULES
    assert report.simulated_hours >= HOURS * SCHEDULES


def test_the_same_seed_gives_the_same_schedule_and_run() -> None:
    assert draw(11) == draw(11) != draw(12)
    assert try_schedule(draw(11)).trace == try_schedule(draw(11)).trace


def test_several_processes_find_what_one_finds() -> None:
    seeds = range(40, 70)
    shown: list[Report] = []
    one, two = fuzz(iter(seeds)), fuzz_with(2, seeds, progress=shown.append)
    assert (two.schedules, two.faults, two.failures) == (one.schedules, one.faults, one.failures)
    assert two.simulated_hours == pytest.approx(one.simulated_hours)
    assert len(shown) == 2


def test_a_schedule_has_ten_faults_within_its_day() -> None:
    for seed in range(200):
        schedule = draw(seed)
        times = [parse_duration(item["at"]) for item in schedule["timeline"]]
        assert len(times) >= 10
        assert times == sorted(times)
        assert times[0] < HOURS * 3600


def test_every_schedule_that_is_drawn_is_a_scenario() -> None:
    for seed in (*range(200), 150829):  # that one befell a host before it was there
        from_mapping("schedule", draw(seed))


def test_a_failure_shrinks_to_what_it_needs() -> None:
    schedule = draw(3)
    schedule["timeline"].insert(7, {"at": "50000s", "crash": {"hosts": ["a"], "how": "kernel"}})
    schedule["timeline"].append({"at": "60000s", "drain": "b"})

    def fails(candidate: Mapping[str, Any]) -> bool:
        words = [next(key for key in item if key != "at") for item in candidate["timeline"]]
        return "crash" in words and "drain" in words and "a" in candidate["hosts"]

    small = shrink(schedule, fails)
    assert fails(small)
    assert len(small["timeline"]) == 2
    assert list(small["hosts"]) == ["a"] or len(small["hosts"]) <= 2
    assert not small.get("pools")
    assert len(schedule["timeline"]) > 2, "the schedule itself is left as it was"


def test_shrinking_is_bounded() -> None:
    tried: list[int] = []

    def fails(candidate: Mapping[str, Any]) -> bool:
        tried.append(len(candidate["timeline"]))
        return True

    shrink(draw(5), fails, tries_most=5)
    assert len(tried) <= 5


def test_invariants_of_a_failure() -> None:
    assert invariants_of(["I1 at 0:00: x", "I18 at 0:01: y", "I1 at 0:02: z"]) == {"I1", "I18"}

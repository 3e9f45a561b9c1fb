"""Which clusters change together."""

from __future__ import annotations

import pytest

from frota.model.rollout import RolloutFleet
from frota.planners.rollout import waves_of
from tests.planners.rollout.builders import fleet_of, stage, usual


def shape(fleet: RolloutFleet) -> list[tuple[str, tuple[str, ...]]]:
    return [(wave.name, wave.clusters) for wave in waves_of(fleet)]


def test_stand_ins_are_apart_by_default() -> None:
    assert shape(usual()) == [
        ("dev/1", ("dev",)),
        ("staging/1", ("staging",)),
        ("prod/1", ("east",)),
        ("prod/2", ("west",)),
    ]


@pytest.mark.parametrize("pair", [("east", "west"), ("west", "east")])
def test_either_way_round(pair: tuple[str, str]) -> None:
    fleet = fleet_of({"e": ("prod", "east"), "w": ("prod", "west")}, stand_ins=[pair])
    assert len(waves_of(fleet)) == 2


def test_regions_that_do_not_stand_in_go_together() -> None:
    fleet = fleet_of(
        {"e": ("prod", "east"), "w": ("prod", "west"), "n": ("prod", "north"), "x": ("prod", "")},
        stand_ins=[("east", "west"), ("north", "north")],
    )
    assert [clusters for _, clusters in shape(fleet)] == [("e", "n", "x"), ("w",)]


def test_a_declared_wave_that_may_not_be_is_taken_apart() -> None:
    fleet = fleet_of(
        {"e": ("prod", "east"), "w": ("prod", "west"), "n": ("prod", "north")},
        [stage("prod", ("e", "w"))],
        [("east", "west")],
    )
    assert [clusters for _, clusters in shape(fleet)] == [("e",), ("w",), ("n",)]


def test_declared_waves_are_kept() -> None:
    fleet = fleet_of(
        {name: ("prod", name) for name in "abc"}, [stage("prod", ("c",), ("a", "gone"))]
    )
    assert [clusters for _, clusters in shape(fleet)] == [("c",), ("a",), ("b",)]


def test_a_ring_of_stand_ins() -> None:
    regions = [f"r{n}" for n in range(5)]
    ring = list(zip(regions, regions[1:] + regions[:1], strict=True))
    fleet = fleet_of({name: ("prod", name) for name in regions}, stand_ins=ring)
    waves = [clusters for _, clusters in shape(fleet)]
    assert len(waves) == 3
    for wave in waves:
        assert not any(a in wave and b in wave for a, b in ring)

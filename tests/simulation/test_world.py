"""Virtual time, and a clock that wall-clock jumps cannot turn back."""

from __future__ import annotations

from frota.ports.clock import Clock
from frota.twin import TwinClock, World


def test_events_run_in_order_of_time_then_of_making() -> None:
    world = World(1)
    seen: list[str] = []
    world.at(5.0, lambda: seen.append("second"))
    world.at(1.0, lambda: seen.append("first"))
    world.at(5.0, lambda: seen.append("third"))
    world.run_until(10.0)
    assert seen == ["first", "second", "third"]
    assert world.now == 10.0


def test_an_event_of_the_past_runs_now() -> None:
    world = World(1)
    world.run_until(10.0)
    times: list[float] = []
    world.at(3.0, lambda: times.append(world.now))
    world.run_until(10.0)
    assert times == [10.0]


def test_the_clock_takes_no_notice_of_a_set_wall_clock() -> None:
    world = World(1)
    clock: Clock = TwinClock(world)
    world.run_until(100.0)
    world.wall_offset_s = -3600.0
    assert clock.now() == 100.0
    world.run_until(101.0)
    assert clock.now() == 101.0


def test_a_new_clock_never_starts_before_the_last_time_known() -> None:
    world = World(1)
    world.run_until(7200.0)
    before = TwinClock(world).now()
    world.wall_offset_s = -3600.0
    after = TwinClock(world, last_known=before)
    assert after.now() == before
    world.run_until(7210.0)
    assert after.now() == before + 10.0


def test_a_new_clock_follows_a_wall_clock_that_went_ahead() -> None:
    world = World(1)
    world.run_until(10.0)
    world.wall_offset_s = 3600.0
    clock = TwinClock(world, last_known=10.0)
    assert clock.now() == 3610.0
    assert clock.of(10.0) == 3610.0


def test_one_seed_gives_one_stream_of_chance() -> None:
    assert World(7).rng.random() == World(7).rng.random() != World(8).rng.random()

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from frota.ports.store import Write
from frota.runtime.clock import SystemClock
from frota.store.sqlite import SqliteStore, stored_time

HOUR = 3600.0


class Machine:
    """A wall clock that people set, and the kernel's count of seconds."""

    def __init__(self, wall: float = 1.7e9, elapsed: float = 50.0) -> None:
        self.wall, self.elapsed = wall, elapsed

    def pass_time(self, seconds: float) -> None:
        self.wall += seconds
        self.elapsed += seconds

    def clock(self, stored: float = 0.0) -> SystemClock:
        return SystemClock(stored, wall=lambda: self.wall, elapsed=lambda: self.elapsed)


def test_it_starts_with_the_wall_clock_and_follows_elapsed_time() -> None:
    machine = Machine()
    clock = machine.clock()
    assert clock.now() == 1.7e9
    machine.pass_time(10)
    assert clock.now() == 1.7e9 + 10
    assert clock.ahead == 0.0


def test_setting_the_wall_clock_changes_nothing_while_it_runs() -> None:
    machine = Machine()
    clock = machine.clock()
    for jump in (-HOUR, 5 * HOUR, -1e9):
        before = clock.now()
        machine.wall += jump
        assert clock.now() == before
        machine.pass_time(1)
        assert clock.now() == before + 1


def test_an_hour_back_over_a_restart_does_not_take_it_back(tmp_path: Path) -> None:
    machine = Machine()
    path = tmp_path / "frota.db"
    last = 0.0
    for _ in range(3):
        clock = machine.clock(stored_time(path))
        assert clock.now() >= last
        machine.pass_time(100)
        store = SqliteStore(path, clock=clock)
        store.commit([Write("HostGroup", "g", {}, None)])
        store.close()
        last = clock.now()
        machine.wall -= HOUR
        machine.elapsed = 1.0  # the machine started anew
    assert machine.clock(stored_time(path)).ahead > HOUR


def test_a_wall_clock_that_was_right_all_along_is_taken_up_again(tmp_path: Path) -> None:
    machine = Machine()
    stored = machine.clock().now()
    machine.pass_time(HOUR)
    clock = machine.clock(stored)
    assert clock.now() == machine.wall
    assert clock.ahead == 0.0


@given(
    st.lists(st.tuples(st.sampled_from(["pass", "set", "restart"]), st.floats(-1e5, 1e5))),
    st.floats(0, 1e7),
)
def test_it_never_goes_back(events: list[tuple[str, float]], uptime: float) -> None:
    machine = Machine(elapsed=uptime)
    clock, last = machine.clock(), 0.0
    for what, amount in events:
        if what == "pass":
            machine.pass_time(abs(amount))
        elif what == "set":
            machine.wall += amount
        else:
            machine.elapsed = abs(amount)
            clock = machine.clock(stored=last)
        assert clock.now() >= last
        last = clock.now()


def test_the_real_clock_runs() -> None:
    clock: Callable[[], float] = SystemClock().now
    first = clock()
    assert abs(first - time.time()) < HOUR
    readings = [clock() for _ in range(1000)]
    assert readings == sorted(readings)
    assert readings[-1] > first

"""Silence of a host, and standstill of this process."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from frota.drivers.libvirt.pulse import Beat, Pulse
from tests.libvirt.daemon import ManualClock

RHYTHM = 0.25


def awake(clock: ManualClock, pulse: Pulse, seconds: float) -> None:
    for _ in range(round(seconds / RHYTHM)):
        clock.time += RHYTHM
        pulse.tick()


def test_time_awake_is_silence() -> None:
    clock = ManualClock()
    pulse = Pulse(clock, RHYTHM)
    beat = Beat(pulse)
    awake(clock, pulse, 10)
    assert beat.silence() == 10
    assert beat.last() == 1000
    beat.strike()
    assert (beat.silence(), beat.last()) == (0, 1010)


def test_a_stall_moves_the_last_sign_with_it() -> None:
    clock = ManualClock()
    pulse = Pulse(clock, RHYTHM)
    beat = Beat(pulse)
    awake(clock, pulse, 2)
    clock.time += 600
    before = beat.silence()
    pulse.tick()
    assert before == beat.silence() == 2 + RHYTHM
    awake(clock, pulse, 3)
    assert beat.silence() == 5 + RHYTHM
    assert beat.last() == clock.time - 5 - RHYTHM


def test_a_tick_a_little_late_is_no_stall() -> None:
    clock = ManualClock()
    pulse = Pulse(clock, RHYTHM)
    clock.time += 2 * RHYTHM
    pulse.tick()
    assert pulse.stalled() == 0


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=30))
def test_a_silence_is_never_longer_than_real_and_never_shrinks(gaps: list[float]) -> None:
    clock = ManualClock()
    pulse = Pulse(clock, RHYTHM)
    beat = Beat(pulse)
    longest = 0.0
    for gap in gaps:
        clock.time += gap
        seen = beat.silence()
        pulse.tick()
        assert abs(beat.silence() - seen) < 1e-6, "looking before or after a tick is the same"
        assert -1e-6 <= seen <= clock.time - 1000 + 1e-6
        assert beat.last() <= clock.time + 1e-6
        longest = max(longest, seen)

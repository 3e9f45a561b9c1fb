from __future__ import annotations

import os
import stat
from pathlib import Path

from frota.runtime.alarm import PipeAlarm
from frota.runtime.clock import SystemClock

LONG_S = 20.0
CLOCK = SystemClock()


def test_another_process_rings_through_a_fifo(tmp_path: Path) -> None:
    bell = tmp_path / "bell"
    with PipeAlarm() as alarm:
        alarm.listen(bell)
        for _ in range(2):
            end = os.open(bell, os.O_WRONLY | os.O_NONBLOCK)
            os.write(end, b"!")
            os.close(end)
            began = CLOCK.now()
            alarm.wait(LONG_S)
            assert CLOCK.now() - began < LONG_S
    assert stat.S_ISFIFO(bell.stat().st_mode)


def test_a_fifo_that_is_there_is_used_again(tmp_path: Path) -> None:
    bell = tmp_path / "bell"
    for _ in range(2):
        with PipeAlarm() as alarm:
            alarm.listen(bell)
            alarm.ring()
            alarm.wait(LONG_S)


def test_what_is_no_fifo_is_left_alone(tmp_path: Path) -> None:
    bell = tmp_path / "bell"
    bell.write_text("mine")
    with PipeAlarm() as alarm:
        alarm.listen(bell)
        alarm.wait(0.0)
        alarm.ring()
        alarm.wait(LONG_S)
    assert bell.read_text() == "mine"

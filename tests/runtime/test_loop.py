from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from random import Random
from threading import Thread

import pytest

from frota.runtime.alarm import PipeAlarm
from frota.runtime.backoff import Backoff
from frota.runtime.loop import Loop, stopping_on_signals
from frota.runtime.queue import WorkQueue
from frota.runtime.result import Result
from frota.runtime.worker import Worker
from tests.runtime.virtual import Told, VirtualAlarm, VirtualClock

START = 1000.0


class Stage:
    """A loop in virtual time whose reconcile is given by the test."""

    def __init__(
        self, limit: int = 100, pause_s: float = 0.0, lone: float = 0.0, rest: float = 0.0
    ) -> None:
        self.clock = VirtualClock(START)
        self.alarm = VirtualAlarm(self.clock)
        self.told = Told()
        self.queue = WorkQueue(Random(1), Backoff(1.0, 8.0), limit=limit)
        self.runs: list[tuple[float, str]] = []
        self.then: Callable[[str], Result] = lambda _key: Result()
        worker = Worker(self.queue, self.reconcile, self.clock, self.told, rest=rest, lone=lone)
        self.loop = Loop(worker, self.alarm, pause_s=pause_s)

    def reconcile(self, key: str) -> Result:
        self.runs.append((self.clock.time - START, key))
        return self.then(key)

    def run_until(self, seconds: float) -> None:
        self.alarm.at(START + seconds, self.loop.stop)
        self.loop.run()


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_it_runs_what_is_woken_at_once(stage: Stage) -> None:
    stage.alarm.at(START + 5.25, lambda: stage.loop.wake("b"))
    stage.loop.wake("a")
    stage.loop.wake("a")
    stage.run_until(20)
    assert stage.runs == [(0.0, "a"), (5.25, "b")]


def test_news_within_a_pause_is_answered_by_one_reconcile() -> None:
    stage = Stage(pause_s=0.25)
    for at in (5.0, 5.1, 5.2, 5.3):
        stage.alarm.at(START + at, lambda: stage.loop.wake("a"))
    stage.run_until(20)
    assert [round(when, 6) for when, _ in stage.runs] == [5.25, 5.55]


def test_only_a_key_that_is_pressed_rests_long() -> None:
    stage = Stage(lone=1.0, rest=9.0)

    def take(_key: str) -> Result:
        stage.clock.time += 0.05
        return Result(START + 1000.0)

    stage.then = take
    for at in (1.0, 1.06, 1.2, 1.3, 5.0):
        stage.alarm.at(START + at, lambda: stage.loop.wake("a"))
    stage.run_until(20)
    # As long as it took, then nine times as long for what came again and again.
    assert [round(when, 6) for when, _ in stage.runs] == [1.0, 1.1, 1.6, 5.0]


def test_it_comes_back_when_the_reconcile_asked(stage: Stage) -> None:
    stage.then = lambda _key: Result(stage.clock.time + 15.0)
    stage.loop.wake("a")
    stage.run_until(50)
    assert stage.runs == [(0.0, "a"), (15.0, "a"), (30.0, "a"), (45.0, "a")]


def test_a_wake_up_during_a_reconcile_is_not_lost(stage: Stage) -> None:
    def wake_once(_key: str) -> Result:
        if len(stage.runs) == 1:
            stage.loop.wake("a")
        return Result()

    stage.then = wake_once
    stage.loop.wake("a")
    stage.run_until(5)
    assert stage.runs == [(0.0, "a"), (0.0, "a")]


def test_errors_back_off_are_told_and_end_nothing(stage: Stage) -> None:
    def fail(key: str) -> Result:
        if key == "bad" and stage.clock.time < START + 30:
            raise RuntimeError("no such table")
        return Result()

    stage.then = fail
    stage.loop.wake("bad")
    stage.alarm.at(START + 10, lambda: stage.loop.wake("good"))
    stage.run_until(100)
    tries = [time for time, key in stage.runs if key == "bad"]
    assert 5 <= len(tries) <= 30
    assert tries[-1] >= 30.0
    assert (10.0, "good") in stage.runs
    assert len(stage.told.failures) == len(tries) - 1
    assert all(text == "no such table" for _, text, _ in stage.told.failures)
    assert [again - START for _, _, again in stage.told.failures] == tries[1:]


def test_an_observer_that_fails_ends_nothing(stage: Stage) -> None:
    def broken(_what: str) -> None:
        raise BrokenPipeError

    def fail(_key: str) -> Result:
        raise RuntimeError

    stage.told.react = broken  # a terminal that was closed
    stage.then = fail
    stage.loop.wake("a")
    stage.run_until(3)
    assert len(stage.runs) > 1


def test_one_key_too_many_is_told(stage: Stage) -> None:
    stage = Stage(limit=1)
    stage.then = lambda _key: Result(stage.clock.time + 100.0)
    stage.loop.wake("a")
    stage.alarm.at(START + 1, lambda: stage.loop.wake("b"))
    stage.run_until(5)
    assert [key for key, _, _ in stage.told.failures] == ["b"]


def test_a_process_that_was_stopped_tells_so_before_it_works(stage: Stage) -> None:
    order: list[str] = []

    def reconcile(key: str) -> Result:
        order.append(f"run {key}")
        return Result()

    stage.then = reconcile
    stage.told.react = order.append

    def freeze() -> None:
        stage.clock.time += 40.0  # SIGSTOP, or the machine slept
        stage.loop.wake("a")

    stage.alarm.at(START + 3.5, freeze)
    stage.run_until(60)
    assert order == ["stalled 39.5", "run a"]


def test_a_slow_reconcile_counts_as_a_stall(stage: Stage) -> None:
    def slow(_key: str) -> Result:
        stage.clock.time += 7.0
        return Result()

    stage.then = slow
    stage.loop.wake("a")
    stage.run_until(20)
    assert stage.told.stalls == [7.0]


def test_an_idle_loop_is_not_stalled_and_looks_about_once_a_second(stage: Stage) -> None:
    stage.run_until(600)
    assert stage.told.stalls == []
    assert stage.runs == []
    assert 590 <= len(stage.alarm.waits) <= 610


def test_a_loop_stopped_before_it_runs_ends_at_once(stage: Stage) -> None:
    stage.loop.wake("a")
    stage.loop.stop()
    stage.loop.run()
    assert stage.runs == []


def test_a_pipe_alarm_rings_from_another_thread_and_never_blocks() -> None:
    with PipeAlarm() as alarm:
        ringer = Thread(target=alarm.ring)
        ringer.start()
        alarm.wait(60)
        ringer.join()
        for _ in range(100_000):  # far more than a pipe holds
            alarm.ring()
        for _ in range(10):
            alarm.wait(0)
    alarm.ring()
    alarm.close()


LIVE = """
import sys
from random import Random
from threading import Thread
from frota.runtime.alarm import PipeAlarm
from frota.runtime.clock import SystemClock
from frota.runtime.loop import Loop, stopping_on_signals
from frota.runtime.queue import WorkQueue
from frota.runtime.result import Result
from frota.runtime.worker import Worker

class Quiet:
    def failed(self, key, error, again_at): pass
    def stalled(self, seconds): pass

def reconcile(key):
    print(key, flush=True)
    while key == "hang": pass
    return Result()

with PipeAlarm() as alarm:
    clock = SystemClock()
    loop = Loop(Worker(WorkQueue(Random(1)), reconcile, clock, Quiet()), alarm)
    with stopping_on_signals(loop.stop):
        Thread(target=loop.wake, args=(sys.argv[1],)).start()
        loop.run()
print("ended cleanly", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(number: signal.Signals) -> None:
    child = live("woken")
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == "woken\n"
        child.send_signal(number)
        assert child.stdout.read() == "ended cleanly\n"
        assert child.wait(60) == 0


def test_a_second_signal_ends_a_loop_that_hangs() -> None:
    child = live("hang")
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == "hang\n"
        for _ in range(2000):
            child.send_signal(signal.SIGTERM)
            try:
                status = child.wait(0.05)
                break
            except subprocess.TimeoutExpired:
                continue
        assert status == -signal.SIGTERM
        assert child.stdout.read() == ""


def test_handlers_are_put_back() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    called: list[bool] = []
    with stopping_on_signals(lambda: called.append(True)):
        os.kill(os.getpid(), signal.SIGINT)
    assert called == [True]
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


def live(key: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", LIVE, key], stdout=subprocess.PIPE, text=True)

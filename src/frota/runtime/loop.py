"""The production loop: one thread that reconciles due keys until it is told to stop."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from types import FrameType

from frota.runtime.alarm import Alarm
from frota.runtime.queue import QueueFull
from frota.runtime.worker import Worker

# The longest wait. The loop looks at the clock this often even when idle, so that a process
# that was stopped notices within this time; waking once a second costs nothing.
_TURN_S = 1.0
PAUSE_S = 0.25  # from a wake-up to the reconcile it causes: news of one moment is taken together


class Loop:
    """Runs a worker. ``stall_s`` is how late a turn may be before the observer is told;
    it must be well below the time after which silent hosts are suspected. ``pause_s`` passes
    between a wake-up and its reconcile, so that one reconcile answers many.
    """

    def __init__(
        self, worker: Worker, alarm: Alarm, *, stall_s: float = 2.0, pause_s: float = PAUSE_S
    ) -> None:
        self._worker = worker
        self._alarm = alarm
        self._stall_s = stall_s
        self._pause_s = pause_s
        self._lock = Lock()
        self._inbox: dict[str, bool] = {}
        self._stopping = False

    def wake(self, key: str, *, at_once: bool = False) -> None:
        """Make a key due soon, ``at_once`` even while it rests. From any thread; never blocks
        for long."""
        with self._lock:
            self._inbox[key] = at_once or self._inbox.get(key, False)
        self._alarm.ring()

    def stop(self) -> None:
        """End ``run`` after the reconcile that is under way. From any thread or signal."""
        self._stopping = True
        self._alarm.ring()

    def run(self) -> None:
        """Work until ``stop``. No error of a reconcile ends it."""
        expected = self._worker.clock.now()
        while not self._stopping:
            now = self._worker.clock.now()
            if now > expected + self._stall_s:
                self._worker.tell_stalled(now - expected)
            self._take_in(now)
            wait = 0.0
            if not self._worker.run_due():
                wait = self._idle_time(self._worker.clock.now())
                self._alarm.wait(wait)
            expected = now + wait

    def _take_in(self, now: float) -> None:
        with self._lock:
            keys, self._inbox = self._inbox, {}
        for key, at_once in sorted(keys.items()):
            try:
                self._worker.queue.add(key, now + self._pause_s, at_once=at_once)
            except QueueFull as error:
                self._worker.tell_failed(key, error, now)

    def _idle_time(self, now: float) -> float:
        due = self._worker.queue.next_due()
        return _TURN_S if due is None else min(_TURN_S, max(0.0, due - now))


@contextmanager
def stopping_on_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Call ``stop`` at the first SIGTERM or SIGINT; a second one acts as without Frota, so a
    process that hangs can still be ended. Only in the main thread."""
    previous = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def restore() -> None:
        for number, handler in previous.items():
            signal.signal(number, handler)

    def handle(_number: int, _frame: FrameType | None) -> None:
        restore()
        stop()

    for number in previous:
        signal.signal(number, handle)
    try:
        yield
    finally:
        restore()

"""A few threads for work that waits on devices, so that callers never do."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from typing import Protocol

THREADS_MOST = 16


class Workers(Protocol):
    """Runs jobs elsewhere, some time later."""

    def submit(self, job: Callable[[], None], after: float) -> None:
        """Run ``job`` once, ``after`` seconds from now or later. Returns at once. The job
        must not raise; who submits bounds how many there are."""
        ...

    def close(self) -> None:
        """Run nothing more; jobs under way are not waited for."""
        ...


class ThreadWorkers:
    """Threads made as they are needed. They die with the process: a fence agent that is
    under way then ends by its own timeouts."""

    def __init__(self, most: int = THREADS_MOST) -> None:
        self._most = most
        self._count = itertools.count()
        self._jobs: list[tuple[float, int, Callable[[], None]]] = []
        self._condition = threading.Condition()
        self._threads = 0
        self._idle = 0
        self._closed = False

    def submit(self, job: Callable[[], None], after: float = 0.0) -> None:
        """See ``Workers``."""
        with self._condition:
            due = time.monotonic() + after
            heapq.heappush(self._jobs, (due, next(self._count), job))
            if self._idle == 0 and self._threads < self._most:
                self._threads += 1
                name = f"fence-{self._threads}"
                threading.Thread(target=self._work, name=name, daemon=True).start()
            self._condition.notify()

    def close(self) -> None:
        """See ``Workers``."""
        with self._condition:
            self._closed = True
            self._jobs.clear()
            self._condition.notify_all()

    def _work(self) -> None:
        while (job := self._next()) is not None:
            job()

    def _next(self) -> Callable[[], None] | None:
        """The next due job; None when closed."""
        with self._condition:
            while not self._closed:
                wait = self._jobs[0][0] - time.monotonic() if self._jobs else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._jobs)[2]
                self._idle += 1
                self._condition.wait(wait)
                self._idle -= 1
            return None

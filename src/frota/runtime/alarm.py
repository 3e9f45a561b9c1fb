"""Waiting for a time or for a wake-up, whichever comes first."""

from __future__ import annotations

import os
import select
from contextlib import suppress
from types import TracebackType
from typing import Protocol, Self


class Alarm(Protocol):
    """One thread waits; any thread and any signal handler may ring."""

    def wait(self, seconds: float) -> None:
        """Return after this time, or at once if it rang since the last wait."""
        ...

    def ring(self) -> None:
        """End the present wait, or the next. Never blocks, takes no lock."""
        ...


class PipeAlarm:
    """An Alarm on a pipe: ringing is one write, which is safe in a signal handler."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def wait(self, seconds: float) -> None:
        """See ``Alarm``."""
        if select.select([self._read], [], [], max(0.0, seconds))[0]:
            with suppress(BlockingIOError):
                os.read(self._read, 65536)

    def ring(self) -> None:
        """See ``Alarm``."""
        with suppress(OSError):  # full: it rings already; closed: nobody waits any more
            os.write(self._write, b"!")

    def close(self) -> None:
        """Release the pipe. Calling it twice is harmless; ringing afterwards too."""
        for end in (self._read, self._write):
            if end >= 0:
                os.close(end)
        self._read = self._write = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

"""Waiting for a time or for a wake-up, whichever comes first."""

from __future__ import annotations

import os
import select
import stat
from contextlib import suppress
from pathlib import Path
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
        self._bell = -1

    def listen(self, bell: Path) -> bool:
        """Be rung by other processes too, through a FIFO that is made there; whether one
        could be."""
        self._bell = _fifo(bell)
        return self._bell >= 0

    def wait(self, seconds: float) -> None:
        """See ``Alarm``."""
        ends = [self._read] if self._bell < 0 else [self._read, self._bell]
        for end in select.select(ends, [], [], max(0.0, seconds))[0]:
            with suppress(BlockingIOError):
                os.read(end, 65536)

    def ring(self) -> None:
        """See ``Alarm``."""
        with suppress(OSError):  # full: it rings already; closed: nobody waits any more
            os.write(self._write, b"!")

    def close(self) -> None:
        """Release the pipe. Calling it twice is harmless; ringing afterwards too."""
        for end in (self._read, self._write, self._bell):
            if end >= 0:
                os.close(end)
        self._read = self._write = self._bell = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _fifo(path: Path) -> int:
    """A FIFO to read from, held open for writing as well, so that it never ends."""
    with suppress(OSError):  # it is there already, or the open below fails
        os.mkfifo(path, 0o660)
    try:
        end = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return -1
    if stat.S_ISFIFO(os.fstat(end).st_mode):
        return end
    os.close(end)
    return -1

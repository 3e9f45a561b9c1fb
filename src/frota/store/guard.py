"""One controller per store file.

A controller holds an exclusive lock on a side file for as long as it lives. The kernel
drops the lock with the process, so a ``kill -9`` leaves nothing to clean up; what the side
file says is only for people. Short commands take no guard: SQLite's own locks keep them apart.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import socket
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from frota.ports.store import StoreError

# Trying again tells somebody who only asks (``holder_of``) from somebody who keeps it.
_TRIES = 4
_PAUSE_S = 0.01


class Guarded(StoreError):
    """Another controller holds the store; the message says which."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a guard. ``since`` is in seconds of Frota's clock."""

    pid: int
    host: str
    command: str
    since: float

    def __str__(self) -> str:
        started = datetime.fromtimestamp(self.since, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        return f"process {self.pid} on {self.host} ({self.command}), since {started}"


def holder_of(store: Path) -> str:
    """Who holds the guard of a store file now, in words; empty when nobody does.

    Asking takes the lock, shared, for microseconds; who wants to take it tries again.
    """
    path = _side_file(store)
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _written_holder(file)
    else:
        return ""
    finally:
        os.close(file)


def _side_file(store: Path) -> Path:
    # Two names of one file must meet at one lock.
    real = Path(os.path.realpath(store))
    return real.with_name(real.name + ".guard")


def _written_holder(file: int) -> str:
    try:
        return str(Holder(**json.loads(os.pread(file, 4096, 0))))
    except (ValueError, TypeError, OSError, OverflowError):
        return "a process that has not written its name yet"


class Guard:
    """The lock itself; a context manager, or ``release`` by hand."""

    def __init__(self, store: Path, command: str, now: float) -> None:
        """Take the guard of a store file. Raises Guarded when somebody has it, StoreError
        when the side file cannot be made. ``command`` is shown to others: no secrets."""
        self.path = _side_file(store)
        try:
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StoreError(
                f"{self.path}: cannot be made ({error.strerror}). Expected a directory where "
                "this user may write"
            ) from error
        try:
            self._take(store, command, now)
        except BaseException:
            os.close(self._file)
            raise

    def release(self) -> None:
        """Let go. Calling it twice is harmless."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()

    def _take(self, store: Path, command: str, now: float) -> None:
        if not self._locked():
            raise Guarded(
                f"{store}: another Frota works on this store: {_written_holder(self._file)}. "
                "Stop it first, or give this one a store of its own"
            )
        holder = Holder(os.getpid(), socket.gethostname(), command, now)
        # A full disk must not keep a controller from its work: the lock is what counts.
        with suppress(OSError):
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, json.dumps(asdict(holder)).encode(), 0)

    def _locked(self) -> bool:
        for _ in range(_TRIES):
            with suppress(BlockingIOError):
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            select.select([], [], [], _PAUSE_S)
        return False

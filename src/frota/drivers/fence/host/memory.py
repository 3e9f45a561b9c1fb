"""What an agent finds again when it is restarted within one boot.

A file on a memory file system: it does not hang, and is gone after a boot, as are the
VMs. A lock beside it makes sure that only one agent of a host writes to storage: one
that was killed while storage hung may still have a write under way, and holds the lock
until that has ended.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

import msgspec

from frota.drivers.fence.lease.holder import Memory
from frota.drivers.fence.lease.records import SIZE_MOST, host_name


class Place:
    """The files of one host's agent in ``directory``, which is made when it is missing.
    Raises OSError when it cannot be."""

    def __init__(self, directory: Path, host: str) -> None:
        directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        self._file = directory / f"agent-{host_name(host)}.json"
        self._lock = os.open(
            directory / f"agent-{host}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
        self._saved: Memory | None = None

    def alone(self) -> bool:
        """Whether no other agent of this host can write to storage; from then on this one
        holds the lock."""
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def load(self) -> Memory | None:
        """What was saved last; None when there is nothing that can be understood."""
        try:
            with self._file.open("rb") as handle:
                return msgspec.json.decode(handle.read(SIZE_MOST), type=Memory)
        except (OSError, msgspec.DecodeError):
            return None

    def save(self, memory: Memory | None) -> str:
        """Keep this; returns what went wrong, empty when nothing did."""
        if memory is None or memory == self._saved:
            return ""
        draft = self._file.with_suffix(".new")
        try:
            draft.write_bytes(msgspec.json.encode(memory))
            draft.rename(self._file)
        except OSError as error:
            return f"{self._file}: {error.strerror}; a restarted agent will ask storage instead"
        self._saved = memory
        return ""

    def close(self) -> None:
        """Let go of the lock."""
        with suppress(OSError):
            os.close(self._lock)

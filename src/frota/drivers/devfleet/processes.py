"""Processes that outlive the command that starts them, and are found again by anyone.

Each writes its own id to a file before it becomes the program, so that no crash of the
starter can lose one. An id alone proves nothing once the process is gone and the number is
used again: the command line must name the fleet's own directory as well.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

_STARTED_S = 10.0
_ENDED_S = 10.0
_STEP_S = 0.02
# The outer shell ends at once: the program gets no parent that would have to wait for it.
_OUTER = 'sh -c "$0" "$@" </dev/null &'
_INNER = 'echo $$ >"$0"; exec "$@"'


class Process:
    """One program, by the file that holds its id. ``mark`` is a path that stands in its
    command line and in no other program's."""

    def __init__(self, name: str, pid_file: Path, mark: Path) -> None:
        self.name = name
        self._pid_file = pid_file
        self._mark = str(mark)

    def start(self, command: Sequence[str], log: Path) -> None:
        """Start it, detached; what it says is added to ``log``. Raises TimeoutError."""
        self._pid_file.unlink(missing_ok=True)
        with log.open("ab") as said:
            subprocess.run(  # noqa: S603 - a command of ours, nothing from outside
                ["/bin/sh", "-c", _OUTER, _INNER, str(self._pid_file), *command],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
                check=True,
            )
        deadline = time.monotonic() + _STARTED_S
        while not self._begun():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.name} did not start within {_STARTED_S:.0f} s")
            time.sleep(_STEP_S)

    def pid(self) -> int | None:
        """Its id while it runs, else None."""
        pid = self._recorded()
        return pid if pid is not None and self._mark in command_line(pid) else None

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if it runs."""
        pid = self.pid()
        if pid is not None:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                return  # it ended just now

    def kill(self) -> None:
        """End it as a power cut would. Raises TimeoutError."""
        kill_all([self])

    def _begun(self) -> bool:
        """It is the program by now, or has ended. On the way from shell to program a process
        has no command line for a moment, as one that has ended has none."""
        pid = self._recorded()
        if pid is None:
            return False
        line = command_line(pid)
        return _INNER not in line if line else _ended(pid)

    def _recorded(self) -> int | None:
        try:
            return int(self._pid_file.read_text("ascii"))
        except (OSError, ValueError):
            return None


def kill_all(processes: Iterable[Process]) -> None:
    """End all of them at once, and wait until they are gone. Raises TimeoutError."""
    left = list(processes)
    for process in left:
        process.send(signal.SIGKILL)
    deadline = time.monotonic() + _ENDED_S
    while left := [process for process in left if process.pid() is not None]:
        if time.monotonic() > deadline:
            names = ", ".join(f"{process.name} (pid {process.pid()})" for process in left)
            raise TimeoutError(f"still there {_ENDED_S:.0f} s after SIGKILL: {names}")
        time.sleep(_STEP_S)


def _ended(pid: int) -> bool:
    """Whether a process that shows no command line is none any more."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return True  # gone, or there is no /proc to ask
    return state in "ZX"


def command_line(pid: int) -> str:
    """The command line of a process; empty when there is none or it has ended."""
    entry = Path(f"/proc/{pid}/cmdline")
    if entry.parent.parent.joinpath("self").exists():
        try:
            return entry.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            return ""
    # Where there is no /proc. An ended one that nobody waited for has no path in its line.
    found = subprocess.run(  # noqa: S603 - a number, nothing from outside
        ["/bin/ps", "-ww", "-o", "command=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout

"""Processes and namespaces of the lab: start, enter, end, and tell whether one lives.

Process numbers here are always those of the machine's own /proc, which stays mounted
in the lab's outer namespace; so the same files can be read from inside and outside.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path


class LabError(Exception):
    """The lab cannot do what was asked; the message says where and why."""


def run(argv: Sequence[str], *, text: str | None = None, deadline_s: float = 60.0) -> str:
    """Run a program to its end and return its output; LabError when it fails."""
    try:
        done = subprocess.run(
            argv, input=text, capture_output=True, text=True, timeout=deadline_s, check=False
        )
    except FileNotFoundError as missing:
        raise LabError(f"{argv[0]} is not here: run tests/real/install.sh as root") from missing
    except subprocess.TimeoutExpired as late:
        raise LabError(f"{' '.join(argv)}: no end after {deadline_s:g} s") from late
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise LabError(f"{' '.join(argv)}: {said or f'exit {done.returncode}'}")
    return done.stdout


def wait_until(met: Callable[[], bool], deadline_s: float, what: str) -> None:
    """Wait until ``met()``; LabError that names ``what`` when it takes too long."""
    end = time.monotonic() + deadline_s
    while not met():
        if time.monotonic() > end:
            raise LabError(f"no {what} after {deadline_s:g} s")
        time.sleep(0.01)


def _status(pid: int | str) -> dict[str, str]:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return {}
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def alive(pid: int) -> bool:
    """Whether the process is there and no zombie."""
    return pid > 0 and _status(pid).get("State", "Z")[0] not in "ZX"


def first_process(path: Path) -> int:
    """The number of the process that wrote ``path`` (see the init scripts); 0 when it
    has ended, whoever has its number now."""
    try:
        pid, began = path.read_text().split()
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return 0
    # Start time is the 22nd field; the first two are cut off here.
    return int(pid) if fields[19] == began and fields[0] not in "ZX" else 0


def kill(pid: int, deadline_s: float = 10.0) -> None:
    """SIGKILL a process and wait for its end. 0, or one that is gone, is fine."""
    if not pid:
        return
    numbers = _status(pid).get("NSpid", "").split()
    depth = len(_status("self")["NSpid"].split())
    if not alive(pid) or len(numbers) < depth:
        return
    # The caller may sit in the lab's process namespace, where numbers are others.
    try:
        os.kill(int(numbers[depth - 1]), signal.SIGKILL)
    except ProcessLookupError:
        return
    wait_until(lambda: not alive(pid), deadline_s, f"end of process {pid}")


def inside(pid: int, spaces: str, argv: Sequence[str]) -> list[str]:
    """``argv`` to be run in some namespaces of ``pid``: letters m, n, p, u."""
    names = {"m": "--mount", "n": "--net", "p": "--pid", "u": "--uts"}
    return ["nsenter", f"--target={pid}", *(names[space] for space in spaces), "--", *argv]

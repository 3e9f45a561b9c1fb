"""Running a program of others for a bounded time, with a bounded answer."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO

OUTPUT_MOST = 256 * 1024  # bytes; metadata is the longest answer, about 20 KiB
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C", "LC_ALL": "C"}


class TimedOut(Exception):
    """The program did not end in time; it and all that it had started were killed."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended. ``output`` is both of its streams, as far as it is bounded."""

    code: int
    output: str


def run(argv: Sequence[str], text: str, timeout: float) -> Ended:
    """Run ``argv`` with ``text`` on its standard input, in an environment that holds
    nothing of ours. Raises TimedOut, and OSError when it cannot be started."""
    end = time.monotonic() + timeout
    process = subprocess.Popen(  # noqa: S603 - a declared fence agent, by its full path
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=_ENVIRONMENT,
        start_new_session=True,
    )
    with process, _ending(process):
        output = b""
        if process.stdin is not None and process.stdout is not None:
            _feed(process.stdin, text.encode())
            output = _listen(process.stdout, end)
        _await(process, end)
    return Ended(process.returncode, output.decode(errors="replace"))


def _feed(stdin: IO[bytes], content: bytes) -> None:
    """Options are far smaller than a pipe, so this does not block."""
    with suppress(BrokenPipeError), stdin:
        stdin.write(content)


def _listen(stdout: IO[bytes], end: float) -> bytes:
    """All that is said until the program closes its output; what is above the bound is
    dropped."""
    said = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(stdout, selectors.EVENT_READ)
        while selector.select(_left(end)):
            piece = os.read(stdout.fileno(), 65536)
            if not piece:
                return bytes(said)
            said += piece[: OUTPUT_MOST - len(said)]
    raise TimedOut


def _await(process: subprocess.Popen[bytes], end: float) -> None:
    """Wait for the end, but leave the process number taken: its group is killed next."""
    handle = os.pidfd_open(process.pid)
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(handle, selectors.EVENT_READ)
            if not selector.select(_left(end)):
                raise TimedOut
    finally:
        os.close(handle)


def _left(end: float) -> float:
    """Seconds until ``end``; raises TimedOut when there are none."""
    left = end - time.monotonic()
    if left <= 0:
        raise TimedOut
    return left


@contextmanager
def _ending(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """End whatever is left of the program and its children afterwards."""
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

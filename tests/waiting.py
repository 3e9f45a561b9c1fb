"""Waiting for what another thread or program does, at most for a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

_Found = TypeVar("_Found")
_PAUSE_S = 0.01
_SHOWN_MOST = 2000  # characters of what is said when it does not come


def eventually(what: Callable[[], _Found], seconds: float = 60.0) -> _Found:
    """The first true answer within a time; its last one otherwise."""
    end = time.perf_counter() + seconds
    pause = threading.Event()
    while not (found := what()) and time.perf_counter() < end:
        pause.wait(_PAUSE_S)
    return found


def until(
    true: Callable[[], object], what: str | Callable[[], object] = "", seconds: float = 60.0
) -> None:
    """Wait until it is true. When that takes too long it fails and names ``what``, or what
    that gives by then."""
    if not eventually(true, seconds):
        said = what() if callable(what) else what
        raise AssertionError(f"not within {seconds:g} s: {said}"[:_SHOWN_MOST])

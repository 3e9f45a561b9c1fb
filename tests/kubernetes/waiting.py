"""Waiting for what another thread does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


def wait_until(true: Callable[[], bool], within: float, say: Callable[[], str]) -> float:
    """Seconds until it was true; fails with what ``say`` says when that takes too long."""
    begun = time.perf_counter()
    pause = threading.Event()
    while not true():
        spent = time.perf_counter() - begun
        if spent > within:
            raise AssertionError(f"not true within {within:g} s: {say()[:2000]}")
        pause.wait(0.005)
    return time.perf_counter() - begun

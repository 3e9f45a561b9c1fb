"""``frota demo --real``: the same stories on real hosts and API servers of this machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from frota.cli.outcome import Exit, Failure
from frota.cli.terminal import Terminal

_PLACE = Path("tests/real/demo.py")


def demo_real(terminal: Terminal, act: str | None) -> int:
    """Hand over to the real run, which lives with the tests: it builds hosts, guests and
    management controllers in namespaces of their own, and API servers on loopback. Does not
    return when it succeeds."""
    if not _PLACE.exists():
        raise Failure(
            Exit.OUTSIDE,
            f"{_PLACE} is not here: the story on real hosts is told from Frota's own source "
            "tree, as root (make demo-real)",
        )
    terminal.out.flush()
    command = [sys.executable, "-m", "tests.real.demo", *([act] if act else [])]
    os.execv(sys.executable, command)  # noqa: S606 - our own interpreter and module

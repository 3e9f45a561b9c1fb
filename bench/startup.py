"""How long short commands take as whole processes, beside a Python that does nothing."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from bench.clock import Limits
from bench.figures import Figure

PEER = "python -c pass"
ROUNDS = (15, 101)
FROTA = Path(sys.executable).with_name("frota")


def figures(words: Sequence[str], bar: float, limits: Limits) -> Iterator[Figure]:
    """Medians, and their ratio, of the installed command and of ``python -m frota``."""
    for name, program in (
        ("frota", [str(FROTA)]),
        ("python -m frota", [sys.executable, "-m", "frota"]),
    ):
        own, bare = medians(([*program, *words], [sys.executable, "-c", "pass"]), limits)
        yield Figure(f"{name}, wall", own, "s", peer=PEER, peer_value=bare)
        yield Figure(f"{name}, times {PEER}", own / bare, "x", bar)


def medians(commands: Sequence[Sequence[str]], limits: Limits) -> list[float]:
    """Run the commands in turn, so that whatever else the machine does hits all alike."""
    for command in commands:
        _once(command)  # byte code and files are in memory from here on
    times: list[list[float]] = [[] for _ in commands]
    began = time.perf_counter()
    least, most = ROUNDS
    for turn in range(most):
        for place, command in enumerate(commands):
            times[place].append(_once(command))
        if turn >= least and time.perf_counter() - began > limits.rounds:
            break
    return [median(each) for each in times]


def _once(command: Sequence[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began

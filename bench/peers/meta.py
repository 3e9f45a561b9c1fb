"""Meta's Rebalancer, in an environment of its own: it is no dependency of the project."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from bench.clock import Limits
from bench.peers.answer import Answer, absent, too_many, unfinished
from bench.racks import Case, rack_returns

VERSION = "1.0.4"
NAME = f"Rebalancer {VERSION}, local search, ceil only"
PLACE = Path(__file__).resolve().parent.parent.parent / ".frota" / "bench-venv"
PROGRAM = Path(__file__).with_name("meta_program.py")
PYTHONS = ("python3.14", "python3.13", "python3.12")
INSTALL_S = 300
GRACE_S = 30  # to start, and to notice that the time is over


def solve(case: Case, limits: Limits) -> Answer:
    """No rack above its even share, then the fewest moves; greedy single moves."""
    python, why = _environment()
    if python is None:
        return absent(NAME, why)
    rack_of, sets = rack_returns(case)
    given = {"rack_of": rack_of, "sets": sets, "slots": case.slots, "racks": case.racks}
    try:
        done = subprocess.run(
            [str(python), str(PROGRAM), str(limits.seconds)],
            input=json.dumps(given),
            capture_output=True,
            text=True,
            timeout=limits.seconds + GRACE_S,
            check=True,
        )
    except subprocess.TimeoutExpired:
        return unfinished(NAME, limits.seconds)
    except subprocess.CalledProcessError as error:
        return absent(NAME, f"it failed: {_last_line(error.stderr)}")
    found = json.loads(done.stdout.splitlines()[-1])
    after: list[list[int]] = found["sets"]
    moves = sum(a != b for x, y in zip(sets, after, strict=True) for a, b in zip(x, y, strict=True))
    return Answer(NAME, found["seconds"], moves, too_many(case, rack_of, after))


def _environment() -> tuple[Path | None, str]:
    """The Python that has the package, made on demand; else why there is none."""
    python = PLACE / "bin" / "python"
    if _works(python):
        return python, ""
    newer = _python()
    if newer is None:
        return None, "it needs Python 3.12 or later, and none is here"
    try:
        for command in (
            [newer, "-m", "venv", "--clear", str(PLACE)],
            [str(python), "-m", "pip", "install", "--quiet", f"rebalancer=={VERSION}"],
        ):
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=INSTALL_S)
    except subprocess.CalledProcessError as error:
        return None, f"it could not be installed: {_last_line(error.stderr)}"
    except subprocess.TimeoutExpired:
        return None, f"it could not be installed in {INSTALL_S} s"
    return python, ""


def _works(python: Path) -> bool:
    check = f"from importlib.metadata import version; assert version('rebalancer') == '{VERSION}'"
    if not python.exists():
        return False
    return (
        subprocess.run([str(python), "-c", check], capture_output=True, check=False).returncode == 0
    )


def _python() -> str | None:
    if sys.version_info >= (3, 12):
        return sys.executable
    named = [found for name in PYTHONS if (found := shutil.which(name))]
    kept = sorted(Path.home().glob(".pyenv/versions/3.1[2-9]*/bin/python"))
    for python in (*map(str, kept), *named):
        if subprocess.run([python, "-c", "pass"], capture_output=True, check=False).returncode == 0:
            return python
    return None


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1][:160] if lines else "it said nothing"

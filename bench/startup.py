"""How long short commands take, beside a Python that does nothing."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

HELP_BAR = 6.0  # times `python -c pass`
GET_BAR = 12.0
EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "three-hosts.yaml"


@dataclass(frozen=True, slots=True)
class Startup:
    """Medians of whole processes, in seconds."""

    bare: float
    help: float
    get: float

    @property
    def help_ratio(self) -> float:
        """``frota --help`` over ``python -c pass``."""
        return self.help / self.bare

    @property
    def get_ratio(self) -> float:
        """``frota get hostgroups`` on a small store over ``python -c pass``."""
        return self.get / self.bare


def measure(rounds: int = 21) -> Startup:
    """Run the three in turn, so that whatever else the machine does hits all alike."""
    frota = str(Path(sys.executable).with_name("frota"))
    with tempfile.TemporaryDirectory() as folder:
        store = str(Path(folder) / "frota.db")
        subprocess.run(
            [frota, "--store", store, "apply", str(EXAMPLE)], check=True, capture_output=True
        )
        commands = (
            [sys.executable, "-c", "pass"],
            [frota, "--help"],
            [frota, "--store", store, "get", "hostgroups"],
        )
        times: list[list[float]] = [[] for _ in commands]
        for _ in range(rounds):
            for place, command in enumerate(commands):
                times[place].append(_once(command))
    return Startup(*(median(each) for each in times))


def _once(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    found = measure()
    sys.stdout.write(
        f"python -c pass {found.bare * 1000:.0f} ms; frota --help {found.help_ratio:.1f}x "
        f"(bar {HELP_BAR:g}x); frota get {found.get_ratio:.1f}x (bar {GET_BAR:g}x)\n"
    )

"""How long after a crash the first VM of the dead host is ordered to start elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.clock import Limits
from bench.figures import Figure
from frota.model.vm import Verb
from frota.simulation.parsing import from_mapping
from frota.simulation.run import Run
from frota.twin import Crash

ROOT = Path(__file__).resolve().parent.parent.parent
SETTLED_S = 600.0
WATCHED_S = 300.0
MOMENTS = 40  # crashes at different moments between two heartbeats and lease renewals
BAR_S, PROOF_BAR_S = 45.0, 15.0

LEASE: Mapping[str, Any] = {"fencing": {"lease": {"path": "/srv/leases"}}}
CASES: tuple[tuple[str, str, Mapping[str, Any], Crash, float], ...] = (
    ("power off, agent confirms it", "works", {}, Crash.POWER_OFF, PROOF_BAR_S),
    ("kernel dead, agent switches off", "works", {}, Crash.KERNEL, BAR_S),
    ("kernel dead, lease alone", "absent", LEASE, Crash.KERNEL, BAR_S),
    ("power and agent dead, lease", "works", LEASE, Crash.POWER_LOSS, BAR_S),
)

STORY_S = 1200
PYTEST = (sys.executable, "-m", "pytest", "-s", "-q", "tests/real/test_story.py")
REAL = (
    ("libvirt: power off, IPMI confirms it", r"restart begun, with IPMI: ([\d.]+) s", PROOF_BAR_S),
    ("libvirt: cut off, lease alone", r"restart begun, by lease alone: ([\d.]+) s", BAR_S),
)
LEFT_OUT = "real hosts left out: --real, as root, with tests/real/install.sh"


def figures(limits: Limits) -> Iterator[Figure]:
    """The worst of many moments in the twin's virtual time, default timers; then real hosts."""
    for words, fence, group, crash, bar in CASES:
        worst = max(_taken(fence, group, crash, number / MOMENTS) for number in range(MOMENTS))
        yield Figure(f"twin: {words}, worst of {MOMENTS}", worst, "s", bar)
    yield from _real() if limits.real else (Figure(LEFT_OUT, None, "s"),)


def _taken(fence: str, group: Mapping[str, Any], crash: Crash, phase: float) -> float:
    """Seconds from the crash of one of three hosts; infinite when nothing started."""
    host = {"memory": "32Gi", "cpus": 16, "fence": fence}
    role = {"count": 3, "memory": "4Gi", "cpus": 2}
    scenario = from_mapping(
        "crash",
        {
            "hosts": dict.fromkeys("abc", host),
            "group": group,
            "control-plane": role,
            "pools": {"web": role},
        },
    )
    run = Run(scenario.documents, seed=1, fences=scenario.fences)
    lease_renewal_s = 5.0
    at = SETTLED_S + phase * lease_renewal_s
    run.run_until(at)
    run.site.crash("b", crash)
    run.run_until(at + WATCHED_S)
    starts = (when for when, order in run.tally.orders if order.verb is Verb.START and when > at)
    return min(starts, default=float("inf")) - at


def _real() -> Iterator[Figure]:
    """The figures that the story on real hosts tells (tests/real)."""
    environment = {**os.environ, "FROTA_REAL": "1"}
    told = subprocess.run(
        PYTEST,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=STORY_S,
        check=False,
    )
    for metric, pattern, bar in REAL:
        found = re.search(pattern, told.stdout)
        if found is None:
            yield Figure(f"{metric}: the story on real hosts failed", None, "s", sound=False)
        else:
            yield Figure(metric, float(found.group(1)), "s", bar)

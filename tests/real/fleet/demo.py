"""The fleet act of ``make demo-real``: three real API servers, Frota as ``frota up`` runs it."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from frota.cli.demofleet import FleetStory
from frota.cli.demoground import ENFORCED, STRANGER
from frota.cli.demotelling import Telling
from frota.drivers.devfleet.programs import missing
from frota.drivers.devfleet.shape import Shape
from frota.ports.store import Store
from frota.runtime.clock import SystemClock
from tests.real.fleet import faults
from tests.real.fleet.delivery_stage import CHAT, MEMBERS, Stage
from tests.real.fleet.stage import fleet_of_tests
from tests.waiting import eventually

_SPACE = "/api/v1/namespaces/language-inference"
_MOST_S = 90.0  # a step takes no longer; soaking is short here
_WIDTH = 110


def lacking() -> str:
    """What is missing for real API servers, in words; empty when nothing is."""
    programs = missing(Shape().needs)
    return f"missing: {', '.join(programs)}; run tools/kube/setup.sh" if programs else ""


class RealGround:
    """The ground of the act on real API servers."""

    words = "Their API servers are real, soaking takes a second; Frota runs as with frota up"

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._clock = SystemClock()
        self.store: Store = stage.app.store

    def documents(self) -> list[dict[str, Any]]:
        """The example on these API servers."""
        return self._stage.documents()

    def now(self) -> float:
        """The time of this machine."""
        return self._clock.now()

    def until(self, reached: Callable[[], bool], most: float) -> bool:
        """Wait; never for longer than a step may take."""
        return bool(eventually(reached, min(most, _MOST_S)))

    def serves(self, cluster: str) -> bool:
        """Whether the API server has the Deployment."""
        return self._stage.api(cluster).call("GET", CHAT).ok

    def enforced(self, cluster: str) -> str:
        """The label of the namespace."""
        return str(self._stage.api(cluster).get(_SPACE)["metadata"]["labels"][ENFORCED])

    def loosen(self, cluster: str) -> None:
        """As ``kubectl label`` does."""
        patch = {"metadata": {"labels": {ENFORCED: "privileged"}}}
        path = f"{_SPACE}?fieldManager={STRANGER}"
        api = self._stage.api(cluster)
        api.call("PATCH", path, patch, form="application/merge-patch+json").demand()

    def kill(self, cluster: str) -> None:
        """As a power cut would."""
        faults.kill(self._stage.clusters[cluster])

    def revive(self, cluster: str) -> None:
        """Until it is ready."""
        faults.revive(self._stage.clusters[cluster])


def tell() -> int:
    """Tell the act and end everything. 0 when every step came true, else 1."""
    began = time.monotonic()
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH)
    telling = Telling("fleet", console, 0.0)
    with tempfile.TemporaryDirectory(prefix="frota-demo-") as folder, fleet_of_tests() as clusters:
        stage = Stage(Path(folder), dict(zip(MEMBERS, clusters, strict=True)))
        stage.start()
        try:
            FleetStory(telling, RealGround(stage)).tell()
        finally:
            stage.stop()
    if telling.failed:
        told = "; ".join(telling.failed)
        sys.stderr.write(f"demo: the story did not go as it must: {told}\n")
        return 1
    took = time.monotonic() - began
    sys.stdout.write(f"Told in {took:.0f} s. The API servers are gone again.\n")
    return 0

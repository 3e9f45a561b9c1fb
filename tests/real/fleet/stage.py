"""The three clusters on which tests run, and how a fleet of a killed run is found again."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from frota.drivers.devfleet.cluster import Cluster
from frota.drivers.devfleet.fleet import Fleet
from frota.drivers.devfleet.programs import missing
from frota.drivers.devfleet.shape import Shape
from tests.real.needs import demanded

CLUSTERS = 3
_EVERYTHING = Shape()
_PREFIX = "frota-test-fleet-"


def require_fleet() -> None:
    """Skip the calling test with the reason, or fail it where it must run."""
    lacking = missing(Shape().needs)
    reason = f"not on this machine: {', '.join(lacking)}; run tools/kube/setup.sh"
    if lacking and demanded():
        pytest.fail(f"real API servers are demanded here (CI or FROTA_REAL), but {reason}")
    if lacking:
        pytest.skip(f"real API servers left out: {reason}")


@contextmanager
def fleet_of_tests(clusters: int = CLUSTERS, shape: Shape = _EVERYTHING) -> Iterator[list[Cluster]]:
    """Clusters, with everything unless ``shape`` asks for less, ended whatever happens."""
    end_forsaken()
    home = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
    fleet = Fleet(home)
    try:
        yield fleet.up(clusters, shape)
    finally:
        fleet.down()


def end_forsaken() -> None:
    """End the clusters of test runs that were killed."""
    for home in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        pid = home.name.removeprefix(_PREFIX).split("-")[0]
        if pid.isdecimal() and not _lives(int(pid)) and home.stat().st_uid == os.getuid():
            Fleet(home).down()


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True

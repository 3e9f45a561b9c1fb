"""Fixtures for tests on real hosts and on real API servers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from frota.drivers.devfleet.cluster import Cluster
from tests.real.fleet.stage import fleet_of_tests, require_fleet
from tests.real.lab.hosts import Lab
from tests.real.needs import require


@pytest.fixture(scope="module")
def lab_of_module() -> Iterator[Lab]:
    """Three hosts for all tests of a module."""
    require()
    with Lab() as lab:
        yield lab


@pytest.fixture
def lab(lab_of_module: Lab) -> Lab:
    """Three hosts as after power on, whatever the test before did to them."""
    lab_of_module.reset()
    return lab_of_module


@pytest.fixture(scope="session")
def fleet_of_session() -> Iterator[list[Cluster]]:
    """Three clusters for all tests of a run: real API servers, feigned nodes."""
    require_fleet()
    with fleet_of_tests() as clusters:
        yield clusters


@pytest.fixture
def fleet(fleet_of_session: list[Cluster]) -> list[Cluster]:
    """The three clusters, all running and ready, whatever a test did to their programs.
    What it stored in them it must delete itself, or leave in namespaces of its own."""
    for cluster in fleet_of_session:
        cluster.start()
    for cluster in fleet_of_session:
        cluster.complete()
    return fleet_of_session

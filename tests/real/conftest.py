"""Fixtures for tests on real hosts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

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

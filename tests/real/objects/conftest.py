"""Fixtures for tests on object stores."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.real.objects.azurite import Azurite, azurite_of_tests


@pytest.fixture(scope="session")
def azurite() -> Iterator[Azurite]:
    """An emulator of Azure Blob Storage; tests take containers of their own."""
    with azurite_of_tests() as running:
        yield running

"""The fence contract on the production code in virtual time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.fence import FenceContract, FenceWorld, LeaseContract
from tests.fence.arrangement import Arrangement


class TestDevices(FenceContract):
    @pytest.fixture
    def world(self, tmp_path: Path) -> Iterator[FenceWorld]:
        arrangement = Arrangement(tmp_path, devices=True, leases=False)
        yield arrangement
        arrangement.close()


class TestLeases(LeaseContract):
    @pytest.fixture
    def world(self, tmp_path: Path) -> Iterator[FenceWorld]:
        arrangement = Arrangement(tmp_path, devices=False, leases=True)
        yield arrangement
        arrangement.close()

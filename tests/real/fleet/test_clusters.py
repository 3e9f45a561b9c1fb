"""The contract of member clusters on real API servers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from frota.drivers.devfleet.cluster import Cluster
from tests.contract.clusters import ClustersContract
from tests.real.fleet.clusters_stage import RealStage

pytestmark = pytest.mark.fleet


class TestRealClusters(ClustersContract):
    @pytest.fixture
    def stage(self, fleet: list[Cluster], tmp_path: Path) -> Iterator[RealStage]:
        stage = RealStage(fleet[0], tmp_path)
        yield stage
        stage.close()

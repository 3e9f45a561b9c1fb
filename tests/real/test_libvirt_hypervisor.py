"""The hypervisor contract on real libvirt hosts, and what only real hosts can show."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.hypervisor import HypervisorContract
from tests.contract.hypervisor_stage import Stage
from tests.real.lab.hosts import Lab
from tests.real.libvirt_stage import LibvirtStage

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(hosts=2) as started:
        yield started


class TestLibvirt(HypervisorContract):
    @pytest.fixture
    def stage(self, lab: Lab) -> Iterator[Stage]:
        stage = LibvirtStage(lab)
        yield stage
        stage.port.close()

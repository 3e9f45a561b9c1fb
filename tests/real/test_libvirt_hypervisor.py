"""The hypervisor contract on real libvirt hosts, and what only real hosts can show."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.hypervisor import HypervisorContract
from tests.contract.hypervisor_stage import Stage
from tests.real.lab.hosts import Lab
from tests.real.libvirt_stage import LibvirtStage

pytestmark = pytest.mark.real


class TestLibvirt(HypervisorContract):
    @pytest.fixture
    def stage(self, lab_of_module: Lab) -> Iterator[Stage]:
        stage = LibvirtStage(lab_of_module)
        yield stage
        stage.port.close()

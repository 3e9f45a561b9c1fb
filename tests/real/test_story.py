"""The whole story on real hosts: the real controllers, libvirt, QEMU, IPMI and leases."""

from __future__ import annotations

import pytest

from tests.real import mishaps, steps
from tests.real.lab.hosts import Lab
from tests.real.story_stage import Stage, speak

pytestmark = pytest.mark.real


def test_hosts_hang_and_are_cut_off_with_leases_alone(lab: Lab) -> None:
    with Stage(lab, devices=False) as stage:
        steps.placed(stage, speak)
        mishaps.started_twice(stage, speak)
        mishaps.hangs(stage, "b", speak)
        mishaps.cut_off(stage, "a", speak)
        mishaps.healed(stage, "a", speak)
        mishaps.cut_off_from_controller(stage, "c", speak)
        mishaps.healed(stage, "c", speak)
        assert not stage.copies.twice


def test_a_host_dies_and_returns_with_ipmi(lab: Lab) -> None:
    with Stage(lab, devices=True) as stage:
        steps.placed(stage, speak)
        steps.crashes(stage, "a", speak)
        steps.returns(stage, "a", speak)
        steps.drained(stage, "b", speak)
        steps.resumed(stage, "b", speak)
        steps.grows(stage, speak)
        steps.removed(stage, "c", speak)
        steps.redeployed(stage, speak)
        assert not stage.copies.twice

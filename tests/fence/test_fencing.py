"""Devices in their order and leases at the same time, as one port."""

from __future__ import annotations

from pathlib import Path

import pytest

from frota.drivers.fence.fencing import KILL_AGAIN, LIVES_MOST, PROBE_AGAIN, GroupFence
from frota.ports.fence import FenceState
from tests.fence.arrangement import Arrangement, FakeDevice, Machine, ManualClock, ManualWorkers

LIFE = "life-1"


class Group:
    """One host with some devices and no leases."""

    def __init__(self, *names: str) -> None:
        self.clock = ManualClock()
        self.workers = ManualWorkers(self.clock)
        self.machine = Machine("a")
        self.devices = [FakeDevice(Machine("a"), name) for name in names]
        self.woken: list[FenceState] = []
        self.fence = GroupFence({"a": self.devices}, None, self.workers, self.clock)
        self.fence.on_change(lambda: self.woken.append(self.state))

    @property
    def state(self) -> FenceState:
        return self.fence.verdict("a", LIFE).state

    def works(self, *names: str) -> None:
        for device in self.devices:
            device.machine.device_works = device.name in names

    def run(self, seconds: float = 0.0) -> None:
        self.clock.at += seconds
        self.workers.run_due()


def test_devices_are_tried_in_order_until_one_obeys() -> None:
    group = Group("fence_1", "fence_2", "fence_3")
    group.works("fence_2", "fence_3")
    group.fence.kill("a", LIFE)
    assert group.state is FenceState.WORKING
    group.run()
    verdict = group.fence.verdict("a", LIFE)
    assert (verdict.state, verdict.method) == (FenceState.PROVED, "fence_2")
    assert [device.asked for device in group.devices] == [1, 1, 0]


def test_a_failure_tells_of_every_device() -> None:
    group = Group("fence_1", "fence_2")
    group.works()
    group.fence.kill("a", LIFE)
    group.run()
    verdict = group.fence.verdict("a", LIFE)
    assert verdict.state is FenceState.FAILED
    assert verdict.message == "fence_1: no answer; fence_2: no answer"
    assert group.woken == [FenceState.WORKING, FenceState.FAILED]


def test_a_host_without_any_method_fails_and_says_so() -> None:
    group = Group()
    group.fence.kill("a", LIFE)
    group.run()
    verdict = group.fence.verdict("a", LIFE)
    assert verdict.state is FenceState.FAILED
    assert verdict.message == "it has no fence device, and the group no leases"


def test_a_new_attempt_waits_a_little_after_the_last() -> None:
    group = Group("fence_1")
    group.works()
    group.fence.kill("a", LIFE)
    group.run()
    for _ in range(5):
        group.fence.kill("a", LIFE)
        group.run(1)
    assert group.devices[0].asked == 1
    assert group.state is FenceState.FAILED
    group.works("fence_1")
    group.run(KILL_AGAIN)
    assert group.fence.verdict("a", LIFE).method == "fence_1"


def test_probes_are_paced_too() -> None:
    group = Group("fence_1")
    for _ in range(20):
        group.fence.probe("a", LIFE)
        group.run(1)
    assert group.devices[0].asked == 1 + 19 // PROBE_AGAIN
    verdict = group.fence.verdict("a", LIFE)
    assert (verdict.state, verdict.message) == (FenceState.IDLE, "fence_1: the power is on")


def test_a_probe_asks_every_device() -> None:
    group = Group("fence_1", "fence_2")
    group.works("fence_2")
    group.devices[1].machine.lose_power()
    group.fence.probe("a", LIFE)
    assert group.state is FenceState.WORKING
    group.run()
    assert group.fence.verdict("a", LIFE).method == "fence_2"


def test_a_host_that_was_forgotten_is_not_switched_off() -> None:
    group = Group("fence_1", "fence_2")
    group.fence.kill("a", LIFE)
    group.fence.forget("a")
    group.run()
    assert [device.asked for device in group.devices] == [0, 0]
    assert group.state is FenceState.IDLE


def test_a_host_that_comes_back_between_two_devices_is_left_alone() -> None:
    group = Group("fence_1", "fence_2")
    group.works("fence_2")
    group.fence.on_change(lambda: None)

    class ComesBack(FakeDevice):
        def switch_off(self) -> None:
            group.fence.forget("a")
            super().switch_off()

    group.fence.arrange({"a": [ComesBack(Machine("a", device_works=False)), group.devices[1]]})
    group.fence.kill("a", LIFE)
    group.run()
    assert group.devices[1].asked == 0


def test_devices_may_change() -> None:
    group = Group("fence_1")
    other = FakeDevice(Machine("a"), "fence_9")
    group.fence.arrange({"a": [other]})
    group.fence.kill("a", LIFE)
    group.run()
    assert group.fence.verdict("a", LIFE).method == "fence_9"


def test_what_is_remembered_of_one_host_is_bounded() -> None:
    group = Group("fence_1")
    for life in range(LIVES_MOST + 4):
        group.fence.kill("a", f"life-{life}")
        group.run()
    assert group.fence.verdict("a", "life-3").state is FenceState.IDLE
    assert group.fence.verdict("a", "life-4").state is FenceState.PROVED


def test_closing_stops_everything() -> None:
    group = Group("fence_1")
    group.fence.kill("a", LIFE)
    group.fence.close()
    group.run()
    assert group.devices[0].asked == 0


# With leases too.


@pytest.fixture
def both(tmp_path: Path) -> Arrangement:
    return Arrangement(tmp_path, devices=True, leases=True)


def test_the_faster_of_both_proves(both: Arrangement) -> None:
    both.fence.kill("a", "a-1")
    both.settle(0.25)
    assert both.fence.verdict("a", "a-1").method == "fence_fake"
    both.break_devices("b")
    both.fence.kill("b", "b-1")
    both.settle(4)
    assert both.fence.verdict("b", "b-1").method == "lease-ack"


def test_while_the_lease_may_still_run_out_nothing_has_failed(both: Arrangement) -> None:
    both.cut("a")
    both.fence.kill("a", "a-1")
    states = set()
    while both.fence.verdict("a", "a-1").state is not FenceState.PROVED:
        states.add(both.fence.verdict("a", "a-1").state)
        both.settle(1)
    assert states == {FenceState.WORKING}
    assert both.fence.verdict("a", "a-1").method == "lease"


def test_a_lease_that_ran_out_is_no_proof_while_the_power_is_seen_to_be_on(
    both: Arrangement,
) -> None:
    """A host frozen whole ends nothing: its device must cut the power, or fail to."""
    both.fence.probe("a", "a-1")
    both.settle(1)
    both.kill_agent("a")
    both.settle(40)
    assert both.fence.verdict("a", "a-1").state is FenceState.IDLE
    both.fence.kill("a", "a-1")
    both.settle(1)
    assert both.fence.verdict("a", "a-1").method == "fence_fake"


def test_a_lease_that_ran_out_is_the_proof_once_the_devices_have_failed(
    both: Arrangement,
) -> None:
    both.fence.probe("a", "a-1")
    both.settle(1)
    both.kill_agent("a")
    both.settle(40)
    both.break_devices("a")
    both.fence.kill("a", "a-1")
    both.settle(3)
    assert both.fence.verdict("a", "a-1").method == "lease"


def test_a_lease_without_an_agent_does_not_hide_that_all_failed(both: Arrangement) -> None:
    both.kill_agent("a")
    both.settle(30)
    assert "not renewed" in both.fence.lease_problem("a")
    both.break_devices("a")
    both.fence.kill("a", "a-1")
    both.settle(3)
    verdict = both.fence.verdict("a", "a-1")
    assert verdict.state is FenceState.FAILED
    assert verdict.message.startswith("fence_fake: no answer; lease: the host agent had stopped")


def test_a_host_that_is_not_of_the_group_has_no_lease(both: Arrangement) -> None:
    both.fence.kill("nobody", "x")
    both.settle(1)
    verdict = both.fence.verdict("nobody", "x")
    assert verdict.state is FenceState.FAILED
    assert verdict.message == "no lease of this host is watched"


def test_with_the_controller_dead_nothing_happens_to_the_hosts(both: Arrangement) -> None:
    both.fence.close()
    both.watch = None
    both.settle(600)
    assert both.runs_vms("a")
    assert both.runs_vms("b")

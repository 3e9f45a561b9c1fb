"""Fencing on real hosts: IPMI that pulls the plug, and host agents that end QEMU."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from frota.drivers.fence.agents import AgentDevice, Device, DeviceError
from frota.drivers.fence.lease.records import Slot, Standing
from frota.drivers.fence.lease.space import Space
from frota.drivers.fence.secret import Secret
from frota.ports.fence import FenceState
from tests.contract.fence import FenceContract, FenceWorld
from tests.real.fence_stage import FenceStage
from tests.real.lab import bmc
from tests.real.lab.hosts import Lab
from tests.real.lab.namespaces import LabError
from tests.real.needs import require

pytestmark = pytest.mark.real

LEASE, MARGIN = 20.0, 5.0


class TestIpmi(FenceContract):
    """``fence_ipmilan`` against a management controller of each host."""

    PROOF = 45.0
    LONG = 2.0

    @pytest.fixture
    def world(self, lab: Lab) -> Iterator[FenceWorld]:
        stage = FenceStage(lab, "ab", devices=True, leases=False)
        yield stage
        stage.close()


@pytest.fixture
def leases(lab: Lab) -> Iterator[FenceStage]:
    """Three hosts with host agents and no fence devices."""
    stage = FenceStage(lab, "abc", devices=False, leases=True)
    yield stage
    stage.close()


def slot(stage: FenceStage, host: str) -> Slot:
    space = Space(stage.lab.site.leases)
    found = space.slot(host, space.marker().space)
    assert found is not None
    return found


class Progress:
    """When each host's VMs were gone, and when that was proved."""

    def __init__(self, stage: FenceStage) -> None:
        self.stage = stage
        self.lives = {host: stage.incarnation(host) for host in stage.hosts}
        self.began = time.monotonic()
        self.gone: dict[str, float] = {}
        self.proved: dict[str, float] = {}
        self.method: dict[str, str] = {}

    def look(self, host: str) -> None:
        verdict = self.stage.fence.verdict(host, self.lives[host])  # before the VMs are
        at = time.monotonic() - self.began
        if host not in self.gone and not self.stage.runs_vms(host):
            self.gone[host] = at
        if verdict.state is FenceState.PROVED:
            assert host in self.gone, f"{host}: {verdict.message}, but VMs run"
            self.proved.setdefault(host, at)
            self.method[host] = verdict.method
        assert verdict.state is not FenceState.FAILED, verdict.message

    def follow(self, hosts: str, within: float) -> None:
        def all_proved() -> bool:
            for host in hosts:
                self.look(host)
            return all(host in self.proved for host in hosts)

        self.stage.wait_until(all_proved, within)


def test_leases_end_what_they_must_and_prove_it(leases: FenceStage) -> None:
    """At once: one host without power, one cut off from everything, one whose libvirt
    hangs. Each VM is gone before the proof."""
    progress = Progress(leases)
    leases.power_off("a")
    leases.cut("b")
    leases.hang("c")
    for host in "abc":
        leases.fence.kill(host, progress.lives[host])
    progress.follow("c", 12.0)
    assert progress.method["c"] == "lease-ack"
    assert slot(leases, "c").standing is Standing.FENCED
    progress.follow("ab", 45.0)
    assert progress.method["a"] == progress.method["b"] == "lease"
    for host in "ab":
        assert progress.proved[host] >= LEASE, "the count began before the last renewal"
        assert progress.proved[host] <= LEASE + MARGIN + 4
    assert LEASE - 6 <= progress.gone["b"] <= LEASE + 4


def test_a_host_is_let_back(leases: FenceStage) -> None:
    life = leases.incarnation("a")
    before = slot(leases, "a").incarnation
    leases.fence.kill("a", life)
    leases.wait_until(lambda: not leases.runs_vms("a"), 10)
    with suppress(LabError):  # killed before its start was complete
        leases.start_vm("a")
    leases.wait_until(lambda: not leases.runs_vms("a"), 5)  # none while it is fenced
    leases.fence.forget("a")
    leases.wait_until(lambda: slot(leases, "a").incarnation != before, 10)
    leases.start_vm("a")
    leases.settle(4)
    assert leases.runs_vms("a")
    assert leases.runs_vms("b")


def test_an_agent_may_be_killed_restarted_and_stopped(leases: FenceStage) -> None:
    before = slot(leases, "a")
    leases.signal_agent("a", "KILL")
    leases.settle(2)
    leases.start_agent("a")
    leases.wait_until(lambda: slot(leases, "a").counter > before.counter, 10)
    assert slot(leases, "a").incarnation == before.incarnation
    leases.signal_agent("a", "TERM")
    leases.wait_until(lambda: slot(leases, "a").standing is Standing.UNGUARDED, 5)
    leases.wait_until(lambda: "unguarded" in leases.fence.lease_problem("a"), 5)
    leases.fence.kill("a", leases.incarnation("a"))
    leases.wait_until(
        lambda: leases.fence.verdict("a", leases.incarnation("a")).state is FenceState.FAILED,
        10,
    )
    assert leases.runs_vms("a"), "nobody guards: nothing was ended, and nothing proved"
    leases.start_agent("a")  # it finds what it was asked while it was away
    leases.wait_until(
        lambda: leases.fence.verdict("a", leases.incarnation("a")).method == "lease-ack", 10
    )
    assert not leases.runs_vms("a")


def test_vms_end_while_writes_to_storage_hang(leases: FenceStage) -> None:
    """The lease directory of host ``a`` is put on a file system of its own, which is then
    frozen: every write to it hangs in the kernel."""
    lab, path = leases.lab, leases.lab.site.leases
    image = lab.place("a").dir / "frozen.img"
    host = ["sh", "-ec"]
    make = f"truncate -s 16M {image} && mkfs.ext4 -q {image} && losetup -f --show {image}"
    loop = subprocess.run([*host, make], capture_output=True, text=True, check=True).stdout.strip()
    try:
        number = loop.removeprefix("/dev/loop")
        lab.execute(
            "a", [*host, f"mknod {loop} b 7 {number}; mkdir /run/own; mount {loop} /run/own"]
        )
        lab.execute("a", [*host, f"cp {path}/frota-leases.json {path}/a.slot /run/own"])
        lab.execute("a", [*host, f"mount --bind /run/own {path}"])
        leases.settle(6)
        lab.execute("a", ["fsfreeze", "-f", "/run/own"])
        began = time.monotonic()
        leases.wait_until(lambda: not leases.runs_vms("a"), LEASE + 4)
        assert time.monotonic() - began > LEASE - 7
        lab.execute("a", ["fsfreeze", "-u", "/run/own"])
        leases.wait_until(lambda: "guarding" in leases.log("a").splitlines()[-1], 10)
        assert "fenced" in leases.log("a")
    finally:
        lab.crash("a")
        subprocess.run(["losetup", "-d", loop], check=False)


def test_ipmi_that_does_not_answer_is_given_up_on(lab: Lab) -> None:
    place = lab.place("a")
    secret = Secret(file=str(lab.site.bmc_password))
    device = AgentDevice(
        Device("fence_ipmilan", bmc.fence_options(place), {"password": secret}), timeout=3.0
    )
    assert not device.is_off()
    lab.cut("a", control=True)
    with pytest.raises(DeviceError, match="fence_ipmilan"):
        device.is_off()


def test_ipmi_options_are_checked_against_the_real_agent() -> None:
    require()
    device = AgentDevice(Device("fence_ipmilan", {"ip": "x", "lanplsu": "1", "usrname": "x"}))
    with pytest.raises(DeviceError, match=r"did you mean 'lanplus'\?.*did you mean 'username'\?"):
        device.check()

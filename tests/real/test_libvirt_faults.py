"""What only real hosts can show: disks and their locks, seeds, networks cut, real deaths of
the controller."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from frota.drivers.libvirt.survey import survey
from frota.model.definition import Definition
from frota.model.sight import Copy, CopyState, Outcome
from frota.model.vm import Verb
from tests.contract.hypervisor_stage import VM, Acting, act, start
from tests.real.lab import guest
from tests.real.lab.hosts import Lab
from tests.real.libvirt_stage import LibvirtStage

pytestmark = pytest.mark.real

DOER = "east-cp-9"


@pytest.fixture
def stage(lab_of_module: Lab) -> Iterator[LibvirtStage]:
    stage = LibvirtStage(lab_of_module)
    yield stage
    stage.port.close()


def with_disk(stage: LibvirtStage, vm: str) -> Definition:
    """The stage's VM with a disk and a seed on the shared storage."""
    disks = stage.lab.site.disks
    return replace(
        stage.definition(vm),
        image=str(guest.blank_image(stage.lab.site)),
        disk=str(disks / f"{vm}.qcow2"),
        disk_gib=1,
        seed=str(disks / f"{vm}-seed.iso"),
        user_data=f"#cloud-config\nhostname: {vm}\n",
    )


class TestStorage(Acting):
    def start_with_disk(
        self, stage: LibvirtStage, host: str, epoch: int = 1, name: str = ""
    ) -> Outcome:
        operation = start(VM, host, epoch, name)
        stage.port.order(operation, with_disk(stage, VM))
        return self.end(stage, operation)

    def test_disk_and_seed_are_made_once_and_move(self, stage: LibvirtStage) -> None:
        a, b = stage.hosts
        assert self.start_with_disk(stage, a) == Outcome(f"start-{VM}-{a}-1")
        definition = with_disk(stage, VM)
        info = subprocess.run(
            ["qemu-img", "info", "-U", definition.disk], capture_output=True, text=True, check=True
        ).stdout
        assert "file format: qcow2" in info
        assert f"backing file: {definition.image}" in info
        assert "virtual size: 1 GiB" in info
        with open(definition.seed, "rb") as seed:
            content = seed.read()
        assert b"cidata" in content
        assert f"hostname: {VM}".encode() in content
        inode = os.stat(definition.disk).st_ino
        self.well(stage, act(Verb.LIVE, VM, a, b))
        assert self.runs(stage, b)
        self.well(stage, act(Verb.STOP, VM, b))
        assert self.start_with_disk(stage, a, 2) == Outcome(f"start-{VM}-{a}-2")
        assert os.stat(definition.disk).st_ino == inode, "the disk holds what the VM wrote"

    def test_one_disk_is_never_open_twice(self, stage: LibvirtStage) -> None:
        a, b = stage.hosts
        assert not self.start_with_disk(stage, a).error
        outcome = self.start_with_disk(stage, b, 2)
        assert "open already" in outcome.error
        assert not outcome.unknown
        assert self.copy(stage, b) is None, "nothing is left defined"
        assert self.runs(stage, a)

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"image": "/nowhere/at/all.qcow2"}, "is the shared storage mounted"),
            ({"disk": "/nowhere/at/all/disk.qcow2"}, "is the shared storage mounted"),
            ({"image": "{big}.not"}, "is not there"),
            ({"disk_gib": 1, "image": "{big}"}, "smaller than its image"),
            ({"image": "{raw}"}, "no qcow2 image"),
            ({"network": "nonesuch"}, "nonesuch"),
            ({"accelerator": "kvm"}, "no KVM"),
        ],
    )
    def test_a_bad_definition_leaves_nothing(
        self, stage: LibvirtStage, change: dict[str, object], words: str
    ) -> None:
        root = stage.lab.site.root
        for name, form, size in (("big", "qcow2", "3G"), ("raw", "raw", "1M")):
            subprocess.run(
                ["qemu-img", "create", "-q", "-f", form, str(root / name), size], check=True
            )
        given = {
            key: value.format(big=root / "big", raw=root / "raw")
            if isinstance(value, str)
            else value
            for key, value in change.items()
        }
        operation = start("east-bad-1", stage.hosts[0])
        definition = replace(with_disk(stage, "east-bad-1"), **given)  # type: ignore[arg-type]  # fields by name
        stage.port.order(operation, definition)
        outcome = self.end(stage, operation)
        assert words in outcome.error
        assert not outcome.unknown
        assert self.copy(stage, stage.hosts[0], "east-bad-1") is None
        assert not Path("/nowhere").exists()

    def test_a_foreign_domain_is_left_alone(self, stage: LibvirtStage) -> None:
        host = stage.hosts[0]
        described = stage.lab.site.root / "foreign.xml"
        described.write_text(
            f"<domain type='qemu'><name>{VM}</name><memory unit='MiB'>64</memory>"
            "<os><type arch='x86_64'>hvm</type></os></domain>"
        )
        stage.virsh(host, "create", str(described))
        outcome = self.do(stage, start(VM, host))
        assert "Frota did not make" in outcome.error
        self.well(stage, act(Verb.KILL, VM, host, epoch=9))
        assert stage.virsh(host, "list", "--name").split() == [VM]
        assert self.copy(stage, host) is None


class TestMoving(Acting):
    def test_managed_directly(self, lab_of_module: Lab) -> None:
        stage = LibvirtStage(lab_of_module, peer_to_peer=False)
        try:
            a, b = stage.hosts
            self.started(stage, a)
            move = act(Verb.LIVE, VM, a, b)
            self.well(stage, move)
            assert self.copy(stage, b) == Copy(VM, 1, CopyState.RUNNING, move.id)
            assert self.copy(stage, a) is None
        finally:
            stage.port.close()

    @pytest.mark.parametrize("peer_to_peer", [True, False])
    def test_the_controller_is_killed_in_a_move(
        self, lab_of_module: Lab, peer_to_peer: bool
    ) -> None:
        stage = LibvirtStage(lab_of_module, peer_to_peer=peer_to_peer)
        try:
            a, b = stage.hosts
            self.started(stage, a)
            stage.slow(VM, a)
            move = act(Verb.LIVE, VM, a, b)
            self.killed_controller(stage, move.id, peer_to_peer)
            stage.port.order(move, None)
            assert self.end(stage, move, 120) == Outcome(move.id)
            assert self.runs(stage, b)
            assert self.copy(stage, a) is None
        finally:
            stage.port.close()

    def killed_controller(self, stage: LibvirtStage, move: str, peer_to_peer: bool) -> None:
        """Another process orders the move and is killed in the middle of it."""
        a = stage.hosts[0]
        argv = [sys.executable, "-m", "tests.real.mover", *map(str, (*stage.hosts, VM, move))]
        uris = [stage.address(host).uri for host in stage.hosts]
        with subprocess.Popen([*argv, *uris, "p2p" if peer_to_peer else ""]) as mover:
            stage.wait_until(
                lambda: (c := self.copy(stage, a)) is not None and c.state is CopyState.OUTGOING
            )
            mover.send_signal(signal.SIGKILL)


class TestNetwork(Acting):
    def test_a_host_cut_off_is_silent_and_comes_back_the_same(self, stage: LibvirtStage) -> None:
        a, b = stage.hosts
        self.started(stage, a)
        before = stage.port.view(a)
        stage.lab.cut(a)
        began = time.monotonic()
        self.silent(stage, a)
        assert time.monotonic() - began < 3
        self.started(stage, b, "east-cp-2")
        stage.wait_until(lambda: stage.port.view(a).error != "a heartbeat was missed")
        assert self.do(stage, start("east-cp-3", a)).unknown
        stage.lab.heal(a)
        self.back(stage, a)
        after = stage.port.view(a)
        assert (after.incarnation, after.copies) == (before.incarnation, before.copies)

    def test_a_guest_that_hangs_hangs_nothing_else(self, stage: LibvirtStage) -> None:
        host = stage.hosts[0]
        self.started(stage, host)
        stage.lab.execute(host, ["sh", "-c", "kill -STOP $(cat /run/libvirt/qemu/east-*.pid)"])
        self.started(stage, host, "east-cp-2")
        assert stage.port.view(host).beating
        self.well(stage, act(Verb.KILL, VM, host))
        assert self.copy(stage, host) is None

    def test_a_self_fenced_host_has_a_new_incarnation(self, stage: LibvirtStage) -> None:
        host = stage.hosts[0]
        self.started(stage, host)
        before = stage.port.view(host).incarnation
        stage.lab.cut(host)
        self.silent(stage, host)
        stage.lab.execute(host, ["sh", "-c", "kill -KILL $(cat /run/libvirt/qemu/east-*.pid)"])
        stage.wait_until(lambda: stage.port.view(host).error != "a heartbeat was missed")
        stage.lab.heal(host)
        self.back(stage, host)
        stage.wait_until(lambda: not self.runs(stage, host))
        assert stage.port.view(host).incarnation != before


def test_survey_of_real_hosts(stage: LibvirtStage) -> None:
    uris = [stage.address(host).uri for host in stage.hosts]
    found = survey([*uris, "qemu+tcp://10.255.255.1/system"], deadline=3)
    assert [host["name"] for host in found.document["spec"]["hosts"]] == list(stage.hosts)
    assert [uri for uri, _ in found.errors] == ["qemu+tcp://10.255.255.1/system"]

"""Finding and ending VMs by libvirt's status files, with real processes."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from frota.drivers.fence.host.domains import MARK, CannotTell, Domains
from frota.drivers.fence.host.virt import NAMESPACE
from frota.drivers.libvirt import domain as driver

STATUS = """\
<!--
WARNING: THIS IS AN AUTO-GENERATED FILE.
-->

<domstatus state='running' reason='booted' pid='{pid}'>
  <monitor path='/var/lib/libvirt/qemu/domain-1-{name}/monitor.sock' type='unix'/>
  <domain type='qemu' id='1'>
    <name>{name}</name>
    <uuid>{uuid}</uuid>
    {metadata}
    <memory unit='KiB'>98304</memory>
  </domain>
</domstatus>
"""
FROTA = (
    "<metadata><frota:vm xmlns:frota='https://frota.dev/xmlns/libvirt/1' name='{name}' "
    "epoch='1'/></metadata>"
)

Start = Callable[..., "Vm"]


class Vm:
    """A process with QEMU's arguments, and its status file."""

    def __init__(self, state: Path, name: str, metadata: str = FROTA) -> None:
        self.name = name
        self.uuid = str(uuid.uuid4())
        # A shell that waits shows our words as its own arguments.
        words = ["qemu", "-name", f"guest={name}", "-uuid", self.uuid, "-m", "96"]
        argv = ["/bin/sh", "-c", "echo up; read line; :", *words]
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        self.process.stdout.readline()
        self.file = state / f"{name}.xml"
        self.file.write_text(
            STATUS.format(
                pid=self.process.pid,
                name=name,
                uuid=self.uuid,
                metadata=metadata.format(name=name),
            )
        )

    @property
    def runs(self) -> bool:
        return self.process.poll() is None

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def state(tmp_path: Path) -> Path:
    directory = tmp_path / "qemu"
    directory.mkdir()
    (directory / "autostarted").touch()
    (directory / "driver.pid").write_text("2")
    return directory


@pytest.fixture
def start(state: Path) -> Iterator[Start]:
    vms: list[Vm] = []

    def begin(name: str, metadata: str = FROTA) -> Vm:
        vms.append(Vm(state, name, metadata))
        return vms[-1]

    yield begin
    for vm in vms:
        vm.end()


def names(domains: Domains) -> list[str]:
    return [domain.name for domain in domains.find()]


def test_the_mark_is_the_drivers() -> None:
    assert driver.NAMESPACE == NAMESPACE
    assert f"{{{NAMESPACE}}}vm" == MARK


def test_frotas_vms_are_found_and_ended_and_no_others(state: Path, start: Start) -> None:
    mine, also_mine, other = start("v1"), start("v2"), start("other", metadata="")
    domains = Domains(state)
    assert names(domains) == ["v1", "v2"]
    assert domains.end() == []
    assert (mine.runs, also_mine.runs, other.runs) == (False, False, True)
    assert names(domains) == []


def test_nothing_runs_nothing_is_done(state: Path) -> None:
    assert Domains(state).end() == []


def test_a_process_number_taken_by_another_is_left_alone(state: Path, start: Start) -> None:
    ended, other = start("v1"), start("v2", metadata="")
    ended.end()
    ended.file.write_text(
        ended.file.read_text().replace(str(ended.process.pid), str(other.process.pid))
    )
    assert Domains(state).end() == []
    assert other.runs


def test_one_whose_status_file_is_gone_is_still_known(state: Path, start: Start) -> None:
    vm = start("v1")
    domains = Domains(state)
    assert names(domains) == ["v1"]
    vm.file.unlink()
    assert names(domains) == ["v1"]
    assert domains.end() == []
    assert not vm.runs


def test_one_that_ended_by_itself_is_gone(state: Path, start: Start) -> None:
    vm = start("v1")
    vm.end()
    assert names(Domains(state)) == []


@pytest.mark.parametrize("content", ["", "<domstatus", "\0\0", STATUS])
def test_a_status_file_that_cannot_be_read_leaves_it_open(state: Path, content: str) -> None:
    (state / "v1.xml").write_text(content.replace("{metadata}", FROTA))  # no number for a pid
    with pytest.raises(CannotTell, match=r"v1.xml cannot be read"):
        Domains(state).find()


def test_without_the_directory_nothing_runs_unless_qemu_does(tmp_path: Path, start: Start) -> None:
    empty = tmp_path / "proc"
    empty.mkdir()
    assert Domains(tmp_path / "none", proc=empty).find() == []
    start("v1")
    with pytest.raises(CannotTell, match="QEMU runs"):
        Domains(tmp_path / "none").find()


def test_a_process_that_has_not_ended_yet_is_not_called_gone(state: Path, start: Start) -> None:
    """A killed process that cannot end, as while it waits for storage: here one whose
    end nobody has reaped, seen through a process directory where it still stands."""
    vm = start("v1")
    stuck = state.parent / "proc"
    (stuck / str(vm.process.pid)).mkdir(parents=True)
    words = ["qemu", "-uuid", vm.uuid, ""]
    (stuck / str(vm.process.pid) / "cmdline").write_bytes("\0".join(words).encode())
    assert Domains(state, proc=stuck).end() == ["v1"]


@pytest.mark.parametrize(("program", "found"), [("libvirtd", ["v1"]), ("dash", [])])
def test_one_that_is_about_to_become_qemu_counts(
    state: Path, start: Start, program: str, found: list[str]
) -> None:
    vm = start("v1")
    early = state.parent / "proc" / str(vm.process.pid)
    early.mkdir(parents=True)
    (early / "cmdline").write_bytes(b"/usr/sbin/libvirtd\0")
    (early / "exe").symlink_to(f"/usr/sbin/{program}")
    assert names(Domains(state, proc=early.parent)) == found

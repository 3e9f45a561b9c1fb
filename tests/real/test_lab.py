"""The lab itself: hosts, guests, migration, and every fault it can make."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.real.lab import bmc, guest
from tests.real.lab.guest import Watch
from tests.real.lab.hosts import ROOT, Lab
from tests.real.lab.namespaces import LabError, first_process, wait_until

pytestmark = pytest.mark.real

Connect = Callable[[str], Any]
BOOT_S = 60.0  # a guest's first answer, at worst, on a busy machine


@pytest.fixture
def libvirt(lab: Lab) -> Any:
    """The binding, silent: it prints every error by itself otherwise."""
    module = import_module("libvirt")
    module.registerErrorHandler(lambda *_: None, None)
    return module


@pytest.fixture
def connect(libvirt: Any, lab: Lab) -> Iterator[Connect]:
    """Open connections to hosts, closed at the end of the test."""
    opened = []

    def to(host: str) -> Any:
        connection = libvirt.open(lab.place(host).uri)
        opened.append(connection)
        return connection

    yield to
    for connection in opened:
        try:
            connection.close()
        except libvirt.libvirtError:
            continue  # its host died on purpose


class Example:
    """One guest with a disk, ready to be started anywhere."""

    def __init__(self, lab: Lab, name: str = "vm-1") -> None:
        mac = guest.mac_of(name)
        self.name = name
        self.disk = guest.make_disk(lab.site, name)
        self.xml = guest.domain_xml(guest.prepare(lab.site, lab.cache), name, mac, self.disk)
        self.address = guest.address_of(lab.site, mac)


@pytest.fixture
def example(lab: Lab) -> Example:
    return Example(lab)


def virsh(uri: str, *words: str, wait_s: float) -> subprocess.CompletedProcess[str]:
    """A client that can be given up on: the binding itself has no time limit."""
    argv = ["virsh", "-q", "-c", uri, *words]
    return subprocess.run(argv, capture_output=True, text=True, timeout=wait_s, check=False)


def test_each_host_is_itself(lab: Lab, connect: Connect) -> None:
    seen = {host: connect(host) for host in lab.names}
    assert [seen[host].getHostname() for host in "abc"] == ["a", "b", "c"]
    for host, connection in seen.items():
        assert f"<uuid>{lab.place(host).uuid}</uuid>" in connection.getCapabilities()
        assert connection.networkLookupByName("default").isActive()
        assert connection.listAllDomains() == []
    # Guests that ask for hardware they cannot have are refused, not hung.
    assert "<domain type='kvm'" not in seen["a"].getCapabilities()


def test_hosts_have_a_boot_id_of_their_own(lab: Lab) -> None:
    read = ["cat", "/proc/sys/kernel/random/boot_id"]
    ids = {host: lab.execute(host, read).strip() for host in lab.names}
    assert len(set(ids.values())) == 3
    assert ids == {host: lab.boot_id(host) for host in lab.names}
    lab.crash("a")
    lab.boot("a")
    assert lab.execute("a", read).strip() not in ids.values()


def test_a_guest_answers_through_live_migrations(
    lab: Lab, libvirt: Any, connect: Connect, example: Example, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = connect("a"), connect("b")
    domain = first.createXML(example.xml)
    began = guest.wait_for(example.address, BOOT_S)
    # The disk is on storage that all hosts share, which libvirt cannot see here.
    flags = libvirt.VIR_MIGRATE_LIVE | libvirt.VIR_MIGRATE_UNSAFE
    took = []
    with Watch(example.address) as watch:
        start = time.monotonic()
        domain = domain.migrate3(second, {}, flags)
        took.append(time.monotonic() - start)
        assert first.listAllDomains() == []
        start = time.monotonic()
        domain.migrateToURI3(lab.place("a").uri, {}, flags | libvirt.VIR_MIGRATE_PEER2PEER)
        took.append(time.monotonic() - start)
        assert second.listAllDomains() == []
        assert first.lookupByName(example.name).isActive()
        guest.wait_for(example.address, 10)
    assert watch.boots == {began.boot}
    assert max(answer.uptime for answer in watch.answers) > began.uptime
    assert watch.longest_gap_s < 5
    with capsys.disabled():
        sys.stdout.write(
            f"\nmanaged {took[0]:.2f} s, peer to peer {took[1]:.2f} s,"
            f" longest silence {watch.longest_gap_s:.2f} s\n"
        )


def test_a_crash_ends_the_guests_and_frees_their_disks(
    lab: Lab, libvirt: Any, connect: Connect, example: Example
) -> None:
    doomed = connect("a")
    doomed.createXML(example.xml)
    lab.crash("a")
    assert not lab.is_on("a")
    with pytest.raises(libvirt.libvirtError):
        doomed.listAllDomains()
    connect("b").createXML(example.xml)  # refused if a trace of the first were left
    lab.boot("a")
    assert connect("a").listAllDomains() == []


def test_the_same_disk_is_not_started_twice(
    libvirt: Any, connect: Connect, example: Example
) -> None:
    connect("a").createXML(example.xml)
    with pytest.raises(libvirt.libvirtError, match='Failed to get "write" lock'):
        connect("b").createXML(example.xml)


def test_run_files_tell_a_boot_from_a_restart_of_the_daemon(
    lab: Lab, libvirt: Any, connect: Connect, example: Example
) -> None:
    mark = "<pool type='dir'><name>mark</name><target><path>/run/libvirt</path></target></pool>"
    before = connect("a")
    before.createXML(example.xml)
    identity = before.storagePoolCreateXML(mark).UUIDString()
    lab.kill_daemon("a")
    lab.start_daemon("a")
    after = connect("a")
    assert after.storagePoolLookupByName("mark").UUIDString() == identity
    assert after.lookupByName(example.name).isActive()
    lab.crash("a")
    lab.boot("a")
    with pytest.raises(libvirt.libvirtError):
        connect("a").storagePoolLookupByName("mark")


@pytest.fixture(scope="class")
def running(lab_of_module: Lab) -> Example:
    lab_of_module.reset()
    example = Example(lab_of_module)
    described = lab_of_module.site.root / "example.xml"
    described.write_text(example.xml)
    made = virsh(lab_of_module.place("a").uri, "create", str(described), wait_s=30)
    assert made.returncode == 0, made.stderr
    guest.wait_for(example.address, BOOT_S)
    return example


class TestOneGuestLivesThroughAll:
    """Faults that leave the guest alive, all on one guest, to boot only once."""

    def test_a_hang_stops_libvirtd_and_nothing_else(
        self, lab_of_module: Lab, running: Example
    ) -> None:
        uri = lab_of_module.place("a").uri
        lab_of_module.hang("a")
        with pytest.raises(subprocess.TimeoutExpired):
            virsh(uri, "list", wait_s=1)
        assert guest.wait_for(running.address, 10)
        lab_of_module.resume("a")
        assert running.name in virsh(uri, "list", wait_s=10).stdout

    def test_everything_hangs(self, lab_of_module: Lab, running: Example) -> None:
        lab_of_module.hang("a", everything=True)
        assert guest.ask(running.address, 1.0) is None
        lab_of_module.resume("a")
        assert guest.wait_for(running.address, 10)

    def test_a_cut_takes_network_and_leases_away(
        self, lab_of_module: Lab, running: Example
    ) -> None:
        lab, held = lab_of_module, lab_of_module.site.leases / "held"
        held.write_text("by nobody")
        lab.cut("a", storage=True)
        assert guest.ask(running.address, 1.0) is None
        with pytest.raises(subprocess.TimeoutExpired):
            virsh(lab.place("a").uri, "list", wait_s=1)
        # Alive all the same, which only its own socket can tell.
        assert running.name in virsh(lab.place("a").socket_uri, "list", wait_s=10).stdout
        with pytest.raises(LabError, match="Read-only file system"):
            lab.execute("a", ["touch", str(held)])
        assert lab.execute("b", ["cat", str(held)]) == "by nobody"
        lab.heal("a")
        assert lab.execute("a", ["cat", str(held)]) == "by nobody"
        assert guest.wait_for(running.address, 10)

    def test_the_power_button_ends_it(self, lab_of_module: Lab, running: Example) -> None:
        uri = lab_of_module.place("a").uri
        virsh(uri, "shutdown", running.name, wait_s=10)
        wait_until(lambda: not virsh(uri, "list", wait_s=10).stdout.strip(), 20, "end of guest")


def fence(lab: Lab, host: str, action: str) -> subprocess.CompletedProcess[str]:
    options = {**bmc.fence_options(lab.place(host)), "action": action}
    options["password"] = lab.site.bmc_password.read_text()
    lines = "".join(f"{name}={value}\n" for name, value in options.items())
    return subprocess.run(
        ["fence_ipmilan"], input=lines, capture_output=True, text=True, timeout=30, check=False
    )


def test_power_is_cut_by_the_management_controller(
    lab: Lab, connect: Connect, example: Example
) -> None:
    connect("a").createXML(example.xml)
    start = time.monotonic()
    done = fence(lab, "a", "off")
    took = time.monotonic() - start
    assert done.returncode == 0, done.stderr
    assert not lab.is_on("a")
    assert took < 5
    connect("b").createXML(example.xml)
    assert fence(lab, "a", "status").returncode == 2  # off, in the words of fence agents
    assert fence(lab, "a", "on").returncode == 0
    wait_until(lambda: virsh(lab.place("a").uri, "list", wait_s=10).returncode == 0, 20, "boot")


def test_a_management_controller_can_be_cut_off(lab: Lab) -> None:
    ask = ["ipmitool", "-I", "lanplus", "-C", "3", "-N", "1", "-R", "1", "-H", lab.place("a").bmc]
    ask += ["-U", bmc.USER, "-f", str(lab.site.bmc_password), "chassis", "power", "status"]
    lab.cut("a", control=True)
    assert subprocess.run(ask, capture_output=True, timeout=30, check=False).returncode != 0
    lab.heal("a")
    said = subprocess.run(ask, capture_output=True, text=True, timeout=30, check=False).stdout
    assert "is on" in said


@pytest.mark.parametrize("frozen", [False, True])
def test_an_agent_dies_with_its_host(lab: Lab, frozen: bool) -> None:
    nap = f"sleep 1000.{os.getpid()}"
    log = lab.place("a").dir / "agent.log"
    log.unlink(missing_ok=True)
    lab.run_agent("a", ["sh", "-c", f"hostname && {nap}"])
    wait_until(lambda: log.read_text() == "a\n", 10, "word from the agent")
    if frozen:
        lab.hang("a", everything=True)
    lab.crash("a")
    assert subprocess.run(["pgrep", "-f", nap], check=False).returncode == 1


def test_one_more_host(lab: Lab, connect: Connect) -> None:
    name = lab.add_host()
    assert connect(name).getHostname() == name
    assert fence(lab, name, "status").returncode == 0


def test_nothing_outlives_a_killed_run(lab: Lab) -> None:
    script = (
        "import signal; from tests.real.lab.hosts import Lab\n"
        "with Lab('killed', hosts=1): print('up', flush=True); signal.pause()"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
    )
    with owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "up\n"
        outer = ROOT / "killed/init.pid"
        host = ROOT / "killed/hosts/a/init.pid"
        assert first_process(outer)
        assert first_process(host)
        os.kill(owner.pid, signal.SIGKILL)
    wait_until(lambda: not first_process(outer) and not first_process(host), 10, "end of the lab")
    with Lab("other", hosts=0):
        assert not (ROOT / "killed").exists()

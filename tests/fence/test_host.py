"""The smaller parts of the host agent."""

from __future__ import annotations

import io
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from frota.drivers.fence.host.disk import Disk, Errand
from frota.drivers.fence.host.domains import CannotTell, Domains, Running
from frota.drivers.fence.host.machine import BootClock, boot_id, machine_id
from frota.drivers.fence.host.notify import Notify
from frota.drivers.fence.host.reaper import UNKNOWN, Reaper
from frota.drivers.fence.host.virt import Libvirt
from frota.drivers.fence.host.voice import Voice
from frota.drivers.fence.host.watchdog import Watchdog, WatchdogError, open_watchdog
from frota.drivers.fence.lease.records import Terms
from frota.drivers.fence.lease.space import Space

# libvirt


class LibvirtError(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(f"libvirt error {code}")
        self.code = code

    def get_error_code(self) -> int:
        return self.code


class Domain:
    def __init__(self, name: str, *, marked: bool = True, fault: int = 0) -> None:
        self._name, self.marked, self.fault, self.ended = name, marked, fault, False

    def name(self) -> str:
        return self._name

    def metadata(self, kind: int, uri: str, flags: int) -> str:
        if not self.marked:
            raise LibvirtError(80)
        return "<vm/>"

    def destroy(self) -> None:
        if self.fault:
            raise LibvirtError(self.fault)
        self.ended = True


class Connection:
    def __init__(self, domains: Sequence[Domain]) -> None:
        self.domains, self.closed = domains, False

    def listAllDomains(self, flags: int) -> Sequence[Domain]:  # noqa: N802 - libvirt's name
        assert flags == 1
        return self.domains

    def close(self) -> None:
        self.closed = True


def test_libvirt_ends_frotas_domains_and_names_what_is_left() -> None:
    mine, other = Domain("v1"), Domain("v2", marked=False)
    gone, stuck = Domain("v3", fault=55), Domain("v4", fault=38)
    connection = Connection([mine, other, gone, stuck])
    libvirt = Libvirt("qemu:///system", lambda _: connection)
    assert libvirt.end_all() == ["v4"]
    assert (mine.ended, other.ended, connection.closed) == (True, False, True)


def test_libvirt_that_is_not_there_is_told() -> None:
    def refuse(_: str) -> Connection:
        raise ImportError("No module named 'libvirt'")

    libvirt = Libvirt("qemu:///system", refuse)
    assert libvirt.end_all() is None
    assert libvirt.error == "libvirt: No module named 'libvirt'"


def test_libvirt_that_hangs_is_left_hanging_but_once() -> None:
    hang = threading.Event()
    calls = []

    def connect(_: str) -> Connection:
        calls.append(1)
        hang.wait(30)
        return Connection([])

    libvirt = Libvirt("qemu:///system", connect)
    for _ in range(3):
        assert libvirt.end_all() is None
        assert libvirt.error == "libvirt does not answer"
    assert len(calls) == 1
    hang.set()


# The reaper


class FakeDomains(Domains):
    def __init__(self, left: Sequence[str] | None) -> None:
        super().__init__()
        self.left = left

    def find(self) -> Sequence[Running]:
        if self.left is None:
            raise CannotTell("status files")
        return ()

    def end(self) -> Sequence[str]:
        self.find()
        return self.left or ()


@pytest.mark.parametrize(
    ("processes", "libvirt", "left"),
    [
        ([], [], []),
        (["v1"], [], ["v1"]),
        ([], [Domain("v2", fault=1)], ["v2"]),
        (["v1"], [Domain("v1", fault=1)], ["v1"]),
        ([], None, []),
        (["v1"], None, ["v1"]),
        (None, [], []),
        (None, [Domain("v2", fault=1)], ["v2"]),
        (None, None, [UNKNOWN]),
    ],
)
def test_nothing_is_called_gone_that_anybody_shows(
    processes: list[str] | None, libvirt: list[Domain] | None, left: list[str]
) -> None:
    def connect(_: str) -> Connection:
        if libvirt is None:
            raise LibvirtError(38)
        return Connection(libvirt)

    said: list[str] = []
    reaper = Reaper(FakeDomains(processes), Libvirt("x", connect), said.append)
    assert list(reaper.sweep(thorough=True)) == left
    assert bool(said) == (processes is None or libvirt is None)


def test_a_fenced_host_is_swept_without_libvirt() -> None:
    def connect(_: str) -> Connection:
        raise AssertionError("not to be asked")

    reaper = Reaper(FakeDomains([]), Libvirt("x", connect), lambda _: None)
    reaper.look()
    assert not reaper.sweep(thorough=False)


# The watchdog


class Timer:
    """The driver behind a watchdog device."""

    def __init__(self, fixed: int = 0) -> None:
        self.timeout = fixed
        self.fixed = bool(fixed)

    def __call__(self, _: int, request: int, argument: bytes) -> bytes:
        if request == 0xC0045706:
            if self.fixed:
                raise OSError(22, "Invalid argument")
            self.timeout = struct.unpack("i", argument)[0]
        return struct.pack("i", self.timeout)


def test_the_watchdog_is_petted_and_disarmed(tmp_path: Path) -> None:
    device = tmp_path / "watchdog"
    device.touch()
    timer = Timer()
    watchdog = Watchdog(device, 15, timer)
    watchdog.pet()
    watchdog.disarm()
    assert timer.timeout == 15
    assert device.read_bytes() == b"\0V"


@pytest.mark.parametrize("timeout", [1, 16, 60])
def test_a_watchdog_with_another_timeout_is_left_disarmed(tmp_path: Path, timeout: int) -> None:
    device = tmp_path / "watchdog"
    device.touch()
    with pytest.raises(WatchdogError, match="expected 2 to 15 s"):
        Watchdog(device, 15, Timer(fixed=timeout))
    assert device.read_bytes() == b"V"


def test_what_is_no_watchdog_is_not_used(tmp_path: Path) -> None:
    with pytest.raises(WatchdogError, match="No such file"):
        Watchdog(tmp_path / "none", 15)
    (tmp_path / "file").touch()
    with pytest.raises(WatchdogError, match="is no watchdog"):
        Watchdog(tmp_path / "file", 15)


def test_one_that_could_not_be_switched_off_is_not_used(tmp_path: Path) -> None:
    known = tmp_path / "classes" / "watchdog0"
    known.mkdir(parents=True)
    (known / "nowayout").write_text("1\n")
    (tmp_path / "watchdog").touch()
    with pytest.raises(WatchdogError, match="nowayout"):
        open_watchdog(tmp_path / "watchdog", 15, tmp_path / "classes")


# The disk thread


def test_a_round_that_hangs_hangs_nobody_else(tmp_path: Path) -> None:
    space = Space(tmp_path)
    marker = space.make(Terms())
    disk = Disk(space)
    held, go = threading.Event(), threading.Event()

    def owns(_: object) -> bool:
        held.set()
        go.wait(30)
        return True

    from tests.fence.test_records import SLOT

    errand = Errand("a", marker.space, SLOT, owns)
    disk.submit(errand)
    held.wait(5)
    assert disk.wait(0) is None
    assert not disk.idle
    go.set()
    report = disk.wait(5)
    assert report is not None
    assert report.wrote == SLOT
    assert disk.idle


# Voice, notify, machine


def test_the_voice_never_blocks_and_does_not_repeat() -> None:
    out = io.StringIO()
    voice = Voice(out)
    for line in ("one", "one", "two", "two", "one"):
        voice.say(line)
    voice.finish()
    assert out.getvalue() == "one\ntwo\none\n"


def test_a_reader_that_went_away_does_no_harm() -> None:
    out = io.StringIO()
    out.close()
    voice = Voice(out)
    voice.say("one")
    voice.finish()


def test_a_full_voice_drops_lines() -> None:
    class Stuck(io.StringIO):
        def write(self, text: str) -> int:
            go.wait(30)
            return len(text)

    go = threading.Event()
    voice = Voice(Stuck())
    for number in range(1000):
        voice.say(str(number))
    go.set()


def test_the_service_manager_is_told(tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(path)
        notify = Notify(path)
        notify.send(READY="1", STATUS="guarding")
        assert listener.recv(100) == b"READY=1\nSTATUS=guarding"
        notify.close()
        notify.send(READY="1")
    gone = Notify(path)
    gone.send(WATCHDOG="1")
    gone.close()
    Notify("").send(READY="1")


def test_this_machine_has_names_and_a_clock() -> None:
    assert len(boot_id()) == 36
    assert machine_id()
    clock = BootClock()
    assert 0 < clock.now() <= clock.now()


def test_the_command_line() -> None:
    def frota(*words: str) -> subprocess.CompletedProcess[str]:
        code = "import sys; from frota.cli.main import main; sys.exit(main())"
        argv = [sys.executable, "-c", code, "host-agent", *words]
        return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)

    assert "--watchdog" in frota("--help").stdout
    bad = frota("--host", "../a", "--leases", "/nowhere")
    assert bad.returncode == 2
    assert "--host: host name '../a'" in bad.stderr
    assert frota("--host", "a").returncode == 2

"""Processes that outlive their starter are found again, and nothing else is ever ended."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from frota.drivers.devfleet.addresses import LOOPBACK, free_ports
from frota.drivers.devfleet.processes import Process, command_line, kill_all

ENDLESS = "import sys, signal; print('begun', flush=True); signal.pause()"


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    process = Process("sleeper", tmp_path / "sleeper.pid", tmp_path)
    yield process
    process.kill()


def start(process: Process, home: Path) -> int:
    process.start([sys.executable, "-c", ENDLESS, str(home)], home / "log")
    pid = process.pid()
    assert pid is not None
    return pid


def test_once_started_it_is_the_program_and_no_shell(process: Process, tmp_path: Path) -> None:
    """On the way from shell to program a process has no command line, and seemed to have ended."""
    for _ in range(20):
        assert command_line(start(process, tmp_path)).startswith(sys.executable)
        process.kill()


def test_what_ends_at_once_is_not_waited_for(process: Process, tmp_path: Path) -> None:
    """Else it would be a TimeoutError."""
    process.start([sys.executable, "-c", "", str(tmp_path)], tmp_path / "log")
    process.start([str(tmp_path / "no-such-program")], tmp_path / "log")
    assert process.pid() is None


def test_it_is_found_by_its_file_and_ended(process: Process, tmp_path: Path) -> None:
    assert process.pid() is None
    pid = start(process, tmp_path)
    again = Process("sleeper", tmp_path / "sleeper.pid", tmp_path)
    assert again.pid() == pid
    again.kill()
    assert process.pid() is None
    assert str(tmp_path) not in command_line(pid)
    again.kill()  # a second time does nothing


def test_it_lives_on_when_its_starter_is_killed(process: Process, tmp_path: Path) -> None:
    starter = (
        "import os, signal, sys; from pathlib import Path;"
        "from frota.drivers.devfleet.processes import Process; home = Path(sys.argv[1]);"
        "process = Process('sleeper', home / 'sleeper.pid', home);"
        f"process.start([sys.executable, '-c', {ENDLESS!r}, str(home)], home / 'log');"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", starter, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert process.pid() is not None


def test_a_process_with_a_number_used_again_is_left_alone(tmp_path: Path) -> None:
    stranger = Process("sleeper", tmp_path / "sleeper.pid", tmp_path)
    (tmp_path / "sleeper.pid").write_text(str(os.getpid()), encoding="ascii")
    assert stranger.pid() is None
    stranger.kill()  # we are still here


@pytest.mark.parametrize("text", ["", "no number", "-1"])
def test_a_damaged_file_is_no_process(text: str, tmp_path: Path) -> None:
    (tmp_path / "sleeper.pid").write_text(text, encoding="ascii")
    assert Process("sleeper", tmp_path / "sleeper.pid", tmp_path).pid() is None


def test_many_are_ended_at_once(tmp_path: Path) -> None:
    many = [Process(f"{n}", tmp_path / f"{n}.pid", tmp_path) for n in range(3)]
    for process in many:
        start(process, tmp_path)
    kill_all(many)
    assert [process.pid() for process in many] == [None, None, None]


def test_what_it_says_is_kept(process: Process, tmp_path: Path) -> None:
    process.start(
        [sys.executable, "-c", "print('nothing to do here')", str(tmp_path)], tmp_path / "log"
    )
    process.start(["/bin/sh", "-c", f"echo and here; : {tmp_path}; exec cat"], tmp_path / "log")
    for word in ("nothing to do here", "and here"):
        for _ in range(1000):
            if word in (tmp_path / "log").read_text(encoding="utf-8"):
                break
            subprocess.run(["sleep", "0.01"], check=True)
        else:
            pytest.fail(f"{word} was not said")


def test_ports_are_free_different_and_below_those_of_connections() -> None:
    ports = free_ports(8)
    assert len(set(ports)) == 8
    for port in ports:
        assert 20000 <= port < 32768
        with socket.create_server((LOOPBACK, port)):
            pass

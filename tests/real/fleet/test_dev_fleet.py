"""``frota dev fleet`` as a person uses it, with two programs a cluster."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from frota.drivers.devfleet.fleet import Fleet
from tests.real.fleet import faults
from tests.real.fleet.stage import require_fleet
from tests.waiting import until

pytestmark = [pytest.mark.fleet]
SMALL = ("--without", "kwok", "--without", "scheduler", "--without", "controller-manager")
Command = Callable[..., Any]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    require_fleet()
    yield tmp_path / "fleet"
    Fleet(tmp_path / "fleet").down()


@pytest.fixture
def frota(home: Path) -> Command:
    def run(act: str, *words: str) -> Any:
        command = [sys.executable, "-m", "frota", "dev", "fleet", act, "--state", str(home)]
        done = subprocess.run(
            [*command, "--output", "json", *words], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def runners(home: Path) -> dict[str, int | None]:
    return {
        process.name: process.pid()
        for cluster in Fleet(home).clusters()
        for process in cluster.processes.values()
    }


def test_up_twice_status_and_down(frota: Command, home: Path) -> None:
    kubeconfig = str(home / "member-1/kubeconfig")
    one = [{"name": "member-1", "kubeconfig": kubeconfig}]
    assert frota("up", "--clusters", "1", *SMALL) == one
    before = runners(home)
    assert frota("up", "--clusters", "1", *SMALL) == one
    assert runners(home) == before
    assert home.stat().st_mode & 0o777 == 0o700
    assert Path(kubeconfig).stat().st_mode & 0o777 == 0o600
    (cluster,) = Fleet(home).clusters()
    faults.kill(cluster)
    (status,) = frota("status")
    assert status["ready"] is False
    assert status["programs"] == {"etcd": True, "kube-apiserver": False}
    # What stopped starts again, and a second cluster beside it.
    names = [row["name"] for row in frota("up", "--clusters", "2", *SMALL)]
    assert names == ["member-1", "member-2"]
    assert [row["ready"] for row in frota("status")] == [True, True]
    pids = list(runners(home).values())
    assert frota("down") == {"ended": 2}
    assert not home.exists()
    assert not [pid for pid in pids if pid is not None and _is_program(pid)]


def test_down_ends_what_a_killed_up_left(frota: Command, home: Path) -> None:
    command = [sys.executable, "-m", "frota", "dev", "fleet", "up", "--state", str(home)]
    with subprocess.Popen([*command, *SMALL], stderr=subprocess.DEVNULL) as starting:
        until(lambda: any(pid for pid in runners(home).values()), "the first to start")
        starting.send_signal(signal.SIGKILL)
    pids = [pid for pid in runners(home).values() if pid is not None]
    assert pids
    assert frota("down")["ended"] >= 1
    assert not [pid for pid in pids if _is_program(pid)]
    assert not home.exists()


def test_one_command_at_a_time(frota: Command, home: Path) -> None:
    frota("up", "--clusters", "1", *SMALL)
    command = [sys.executable, "-m", "frota", "dev", "fleet", "down", "--state", str(home)]
    with Fleet(home)._held():
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "another command is at work on the fleet" in done.stderr


def _is_program(pid: int) -> bool:
    """Whether it still runs; one that ended and that nobody waited for does not."""
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return False
    return state != "Z"

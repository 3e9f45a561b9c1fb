"""Programs of others end in time, and with them all that they started."""

from __future__ import annotations

import os
import select
import time
from pathlib import Path

import pytest

from frota.drivers.fence.program import OUTPUT_MOST, TimedOut, run


def shell(script: str, text: str = "", timeout: float = 20.0) -> tuple[int, str]:
    ended = run(["/bin/sh", "-c", script], text, timeout)
    return ended.code, ended.output


def test_input_output_and_code() -> None:
    assert shell("cat; echo said >&2; exit 3", "a=b\n") == (3, "a=b\nsaid\n")


def test_it_sees_nothing_of_our_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_IPMI", "hunter2")
    _, output = shell("env")
    assert "hunter2" not in output
    assert "LC_ALL=C" in output


def test_one_that_does_not_read_its_input_does_no_harm() -> None:
    assert shell("exec <&-; echo done", "a=b\n" * 1000) == (0, "done\n")


def test_what_it_says_is_bounded() -> None:
    _, output = shell("head -c 1000000 /dev/zero | tr '\\0' x")
    assert len(output) == OUTPUT_MOST


@pytest.mark.parametrize(
    "script",
    [
        "sleep 60 & echo $! > pid; wait",
        "sleep 60 & echo $! > pid; exec >/dev/null 2>&1; sleep 60",
        "trap '' TERM; sleep 60 & echo $! > pid; while :; do sleep 1; done",
    ],
)
def test_one_that_does_not_end_is_ended_with_its_children(tmp_path: Path, script: str) -> None:
    began = time.perf_counter()
    with pytest.raises(TimedOut):
        shell(f"cd {tmp_path}; {script}", timeout=0.5)
    assert time.perf_counter() - began < 5
    assert ended(tmp_path / "pid")


def test_children_left_behind_are_ended(tmp_path: Path) -> None:
    shell(f"cd {tmp_path}; sleep 60 >/dev/null 2>&1 & echo $! > {tmp_path}/pid")
    assert ended(tmp_path / "pid")


def ended(pid_file: Path) -> bool:
    """Whether the process ends, or has."""
    try:
        handle = os.pidfd_open(int(pid_file.read_text()))
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], 5.0)[0])
    finally:
        os.close(handle)


def test_one_that_is_not_there() -> None:
    with pytest.raises(FileNotFoundError):
        run(["/no/such/program"], "", 1)

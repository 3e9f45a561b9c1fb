from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from threading import Event, Thread

import pytest

from frota.ports.store import StoreError
from frota.store.guard import Guard, Guarded, holder_of

HOLD = """
import sys
from pathlib import Path
from threading import Event, Thread
from frota.store.guard import Guard
guard = Guard(Path(sys.argv[1]), "frota up", 1_700_000_000.0)
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_one_is_told_who_holds_it(tmp_path: Path) -> None:
    store = tmp_path / "frota.db"
    with Guard(store, "frota up", 1_700_000_000.0):
        with pytest.raises(Guarded) as refused:
            Guard(store, "frota up", 1_700_000_100.0)
        message = str(refused.value)
        assert str(store) in message
        assert f"process {os.getpid()} on {socket.gethostname()} (frota up)" in message
        assert "since 2023-11-14 22:13:20 UTC" in message
        assert "Stop it first" in message
    Guard(store, "frota up", 0.0).release()


def test_asking_who_holds_it_disturbs_nobody(tmp_path: Path) -> None:
    store = tmp_path / "frota.db"
    assert holder_of(store) == ""
    with Guard(store, "frota up", 1_700_000_000.0):
        assert holder_of(store).startswith(f"process {os.getpid()} on ")
        with pytest.raises(Guarded):
            Guard(store, "frota up", 0.0)
    assert holder_of(store) == "", "what the side file still says counts for nothing"


def test_the_guard_is_taken_while_others_ask(tmp_path: Path) -> None:
    store = tmp_path / "frota.db"
    Guard(store, "frota up", 0.0).release()
    enough = Event()

    def ask() -> None:
        while not enough.is_set():
            holder_of(store)

    asker = Thread(target=ask)
    asker.start()
    try:
        for _ in range(100):
            Guard(store, "frota up", 0.0).release()
    finally:
        enough.set()
        asker.join()


def test_release_twice_is_harmless(tmp_path: Path) -> None:
    guard = Guard(tmp_path / "frota.db", "frota up", 0.0)
    guard.release()
    guard.release()


def test_two_names_of_one_file_meet_at_one_lock(tmp_path: Path) -> None:
    store = tmp_path / "frota.db"
    store.touch()
    (tmp_path / "alias.db").symlink_to(store)
    with Guard(store, "frota up", 0.0), pytest.raises(Guarded):
        Guard(tmp_path / "alias.db", "frota up", 0.0)


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"pid": 1}', '{"pid":1,"host":"h","command":"c","since":1e99}']
)
def test_an_unreadable_side_file_still_guards(tmp_path: Path, content: str) -> None:
    with Guard(tmp_path / "frota.db", "frota up", 0.0) as guard:
        guard.path.write_text(content)
        with pytest.raises(Guarded, match="has not written its name yet"):
            Guard(tmp_path / "frota.db", "frota up", 0.0)


def test_a_killed_holder_is_no_obstacle(tmp_path: Path) -> None:
    store = tmp_path / "frota.db"
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(store)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        with pytest.raises(Guarded, match=f"process {child.pid} "):
            Guard(store, "frota up", 0.0)
        child.kill()
        child.wait(60)
        Guard(store, "frota up", 0.0).release()


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"nowhere/frota\.db\.guard: cannot be made"):
        Guard(tmp_path / "nowhere" / "frota.db", "frota up", 0.0)

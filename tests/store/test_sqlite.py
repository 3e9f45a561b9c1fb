from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from frota.model.decision import Decision, Stage
from frota.model.host import HostState
from frota.ports.store import Conflict, StoreError, Write
from frota.store.bell import bell_of
from frota.store.sqlite import SqliteStore, stored_time
from tests.contract.store import delete, host, line, put

Open = Callable[..., SqliteStore]


class At:
    """A clock that stands where it is put."""

    def __init__(self, time: float) -> None:
        self.time = time

    def now(self) -> float:
        return self.time


def test_everything_is_there_after_a_restart(sqlite_store: Open) -> None:
    first = sqlite_store()
    revision = first.commit([put("a"), put("b")], [line(1)])
    first.commit([delete("b")])
    first.close()
    again = sqlite_store()
    assert [(entry.value, entry.revision) for entry in again.list("Host")] == [
        (host("a"), revision)
    ]
    assert list(again.journal()) == [line(1)]
    assert list(again.changes(revision)[0]) == [("Host", "b")]
    assert again.commit([put("c")]) == revision + 2


def test_two_processes_see_each_other(sqlite_store: Open) -> None:
    controller, command = sqlite_store(), sqlite_store()
    start = controller.commit([put("a"), put("b")])
    assert len(controller.list("Host")) == 2
    assert command.list("Host")[0].revision == start
    command.commit([put("a", start, HostState.DRAINING), delete("b"), put("c")])
    found, reached = controller.changes(start)
    assert {name for _, name in found} == {"a", "b", "c"}
    assert [entry.name for entry in controller.list("Host")] == ["a", "c"]
    assert controller.list("Host")[0].value.state is HostState.DRAINING
    with pytest.raises(Conflict):
        controller.commit([put("a", start)])
    assert controller.commit([put("a", reached)]) == reached + 1
    entry = command.get("Host", "a")
    assert entry is not None
    assert entry.revision == reached + 1


def test_unchanged_state_is_read_from_memory(sqlite_store: Open) -> None:
    store = sqlite_store()
    revision = store.commit([put("a")])
    first = store.list("Host")
    assert store.list("Host")[0] is first[0]
    store.commit([put("b")])
    assert store.list("Host")[0] is first[0]
    assert store.get("Host", "a") is first[0]
    assert store.changes(revision)[1] == revision + 1


def test_a_mapping_changed_after_the_commit_is_not_changed_in_the_store(
    sqlite_store: Open,
) -> None:
    store = sqlite_store()
    assert list(store.list("HostGroup")) == []
    value = {"spec": {"hosts": ["a"]}}
    store.commit([Write("HostGroup", "g", value, None)])
    value["spec"]["hosts"].append("b")
    assert store.list("HostGroup")[0].value == {"spec": {"hosts": ["a"]}}


def test_raw_entries_are_the_stored_json(sqlite_store: Open) -> None:
    store = sqlite_store()
    store.commit([put("a"), put("b")])
    store.commit([delete("b")])
    (entry,) = store.raw("Host")
    assert entry.value["state"] == "Up"
    assert entry.value["capacity"]["gpus"] == [["A100", 2]]
    assert store.raw_get("Host", "a") == entry
    assert store.raw_get("Host", "b") is None
    assert store.raw_get("Host", "c") is None


def test_commits_are_dated_by_the_clock(sqlite_store: Open, tmp_path: Path) -> None:
    assert stored_time(tmp_path / "frota.db") == 0.0
    clock = At(100.0)
    store = sqlite_store(clock=clock)
    store.commit([put("a")])
    assert stored_time(store.path) == 100.0
    clock.time = 101.0
    store.commit([], [line(1)])
    assert stored_time(store.path) == 101.0
    clock.time = 50.0  # a second process whose clock is behind
    store.commit([put("b")])
    assert store.latest() == 101.0
    sqlite_store().commit([put("c")])  # a writer without a clock
    assert store.latest() == 101.0


def test_directories_are_made(sqlite_store: Open, tmp_path: Path) -> None:
    sqlite_store("deep/down/frota.db").commit([put("a")])
    assert (tmp_path / "deep/down/frota.db").exists()


def test_a_short_command_makes_no_file(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"frota\.db: there is no store yet\. `frota apply"):
        SqliteStore(tmp_path / "frota.db", create=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a b#c?d%e.db", "ümläut.db"])
def test_any_file_name_will_do(sqlite_store: Open, tmp_path: Path, name: str) -> None:
    sqlite_store(name).commit([put("a")])
    assert (tmp_path / name).exists()


def test_a_place_that_is_no_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"file: cannot be made"):
        SqliteStore(tmp_path / "file" / "frota.db")
    with pytest.raises(StoreError, match=r"cannot be opened"):
        SqliteStore(tmp_path)


def test_a_text_that_is_no_unicode_is_refused(sqlite_store: Open) -> None:
    store = sqlite_store()
    bad = Decision(1.0, "g", "c", Stage.CAUSE, "Host/a", "R", "\ud800")
    with pytest.raises(StoreError, match="not valid Unicode"):
        store.commit([put("a")], [bad])
    assert store.get("Host", "a") is None
    store.commit([put("a")])


def test_a_time_that_is_no_number_is_refused(sqlite_store: Open) -> None:
    store = sqlite_store()
    with pytest.raises(StoreError, match="nothing was changed"):
        store.commit([put("a")], [line(1), Decision(float("nan"), "", "", Stage.CAUSE, "", "", "")])
    assert list(store.list("Host")) == []
    assert list(store.journal()) == []


OPEN_AND_COUNT = """
import sys
from pathlib import Path
from frota.ports.store import Conflict, Write
from frota.store.sqlite import SqliteStore
store = SqliteStore(Path(sys.argv[1]))
done = 0
while done < 40:
    entry = store.get("Counter", "n")
    value = {"n": entry.value["n"] + 1 if entry else 1}
    try:
        store.commit([Write("Counter", "n", value, entry.revision if entry else 0)])
    except Conflict:
        continue
    done += 1
store.close()
"""


def test_processes_that_start_together_lose_no_update(sqlite_store: Open, tmp_path: Path) -> None:
    children = [
        subprocess.Popen([sys.executable, "-c", OPEN_AND_COUNT, str(tmp_path / "frota.db")])
        for _ in range(4)
    ]
    assert [child.wait(120) for child in children] == [0, 0, 0, 0]
    entry = sqlite_store().get("Counter", "n")
    assert entry is not None
    assert entry.value == {"n": 160}


def test_a_reader_goes_on_while_another_process_writes(sqlite_store: Open) -> None:
    store = sqlite_store()
    store.commit([put("a")])
    writer = sqlite3.connect(store.path, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("DELETE FROM entries")
    assert sqlite_store().get("Host", "a") is not None
    writer.execute("ROLLBACK")
    writer.close()


def test_whoever_listens_is_told_of_commits_of_entries(sqlite_store: Open) -> None:
    store = sqlite_store()
    bell = bell_of(store.path)
    store.commit([put("a")])  # nobody listens yet
    os.mkfifo(bell)
    end = os.open(bell, os.O_RDONLY | os.O_NONBLOCK)
    try:
        store.commit([put("b")])
        assert os.read(end, 10) == b"!"
        store.commit([], [line(1)])
        assert os.read(end, 10) == b""
    finally:
        os.close(end)


def test_what_is_no_bell_is_not_written_to(sqlite_store: Open) -> None:
    store = sqlite_store()
    bell = bell_of(store.path)
    bell.write_text("mine")
    store.commit([put("a")])
    assert bell.read_text() == "mine"


def test_following_the_journal_shows_each_line_once(sqlite_store: Open) -> None:
    store = sqlite_store()
    assert store.written_after(0) == ((), 0)
    store.commit([], [line(1), line(2)])
    lines, newest = store.written_after(0)
    assert list(lines) == [line(1), line(2)]
    assert store.written_after(newest) == ((), newest)
    sqlite_store().commit([], [line(3), line(4)])
    lines, last = store.written_after(newest, last=1)
    assert list(lines) == [line(4)]
    assert store.written_after(newest, group="other") == ([], last)

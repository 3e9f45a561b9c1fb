from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from frota.model.host import HostState
from frota.ports.store import Compacted, StoreError, Write
from frota.store.guard import Guard
from frota.store.migrate import prepare
from frota.store.schema import APPLICATION_ID, STEPS, VERSION
from frota.store.sqlite import SqliteStore, stored_time

LAYOUTS = Path(__file__).parent / "layouts"


def of_layout(path: Path, number: int) -> Path:
    connection = sqlite3.connect(path)
    connection.executescript((LAYOUTS / f"{number}.sql").read_text())
    connection.close()
    return path


def tables(path: Path) -> list[tuple[str, ...]]:
    connection = sqlite3.connect(path)
    found = []
    for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'"):
        columns = connection.execute(f"PRAGMA table_info({table})").fetchall()
        found.append((table, *(f"{name} {kind} {null}" for _, name, kind, null, *_ in columns)))
    found += connection.execute(
        "SELECT name, tbl_name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    ).fetchall()
    connection.close()
    return sorted(found)


def fingerprint(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("number", sorted(STEPS))
def test_every_older_layout_is_migrated(
    number: int, tmp_path: Path, sqlite_store: Callable[..., SqliteStore]
) -> None:
    of_layout(tmp_path / "old.db", number)
    old, new = sqlite_store("old.db"), sqlite_store("new.db")
    assert tables(old.path) == tables(new.path)
    assert [entry.name for entry in old.list("Host")] == ["a", "b"]
    assert old.list("Host")[1].value.state is HostState.DOWN
    group = old.get("HostGroup", "plant-east")
    assert group is not None
    assert group.value["spec"] == {"provider": "twin"}
    assert [line.reason for line in old.journal()] == ["HostSilent", "Fence"]
    assert old.journal()[1].rejected == ("wait: the grace is over",)
    revision = old.commit([Write("HostGroup", "plant-east", {}, group.revision)])
    assert revision == 8
    assert stored_time(old.path) == 12.5


def test_nobody_may_rely_on_deletions_before_the_migration(
    tmp_path: Path, sqlite_store: Callable[..., SqliteStore]
) -> None:
    store = sqlite_store(of_layout(tmp_path / "old.db", 1).name)
    with pytest.raises(Compacted):
        store.changes(3)
    assert len(store.changes(0)[0]) == 3


def test_a_migration_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = of_layout(tmp_path / "old.db", 1)
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE entries_1 (n)")  # stands in the way of a later statement
    connection.commit()
    connection.close()
    before = tables(path)
    with pytest.raises(StoreError, match="entries_1"):
        SqliteStore(path)
    assert tables(path) == before


def test_a_newer_layout_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "newer.db"
    SqliteStore(path).close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    connection.close()
    before = fingerprint(path)
    expected = (
        rf"newer\.db: .* newer Frota \(layout {VERSION + 1}, this one knows up to {VERSION}\)"
    )
    with pytest.raises(StoreError, match=expected):
        SqliteStore(path)
    assert fingerprint(path) == before


def test_another_programs_file_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "music.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE songs (name)")
    connection.close()
    before = fingerprint(path)
    with pytest.raises(StoreError, match=r"music\.db: this is an SQLite file of another program"):
        SqliteStore(path)
    assert fingerprint(path) == before


def test_a_layout_that_never_was_is_refused(tmp_path: Path) -> None:
    path = of_layout(tmp_path / "old.db", 1)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 0")
    connection.close()
    with pytest.raises(StoreError, match="no Frota ever wrote layout 0"):
        SqliteStore(path)


def test_an_older_store_in_use_is_not_migrated(tmp_path: Path) -> None:
    path = of_layout(tmp_path / "old.db", 1)
    with (
        Guard(path, "frota up", 0.0),
        pytest.raises(StoreError, match="another Frota works on this store"),
    ):
        SqliteStore(path)
    SqliteStore(path).close()


def test_an_empty_file_becomes_a_store(tmp_path: Path) -> None:
    path = tmp_path / "empty.db"
    path.touch()
    SqliteStore(path).close()
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
    prepare(connection, path, 0.0)  # once more changes nothing
    connection.close()

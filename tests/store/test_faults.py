"""Full disks, files that cannot be written, damage, and stuck neighbours."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from frota.ports.store import StoreError, StoreFull, Write
from frota.store.faults import explained
from frota.store.sqlite import SqliteStore
from tests.contract.store import line, put

Open = Callable[..., SqliteStore]
ROOT = os.geteuid() == 0


def big(name: str, size: int) -> Write:
    return Write("HostGroup", name, {"text": "x" * size}, None)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        pytest.skip(f"cannot mount a small disk here: {made.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


@pytest.mark.skipif(not ROOT, reason="only root can mount a small disk")
def test_a_full_disk_loses_nothing_and_heals_by_itself(small_disk: Path) -> None:
    store = SqliteStore(small_disk / "frota.db")
    revision = store.commit([put("a"), big("g", 1000)], [line(1)])
    ballast = small_disk / "ballast"
    fill(ballast)
    with pytest.raises(StoreFull, match=r"frota\.db: the disk under the store is full.*Make room"):
        store.commit([put("b"), big("g", 200_000)], [line(2)])
    assert store.get("Host", "b") is None
    assert list(store.journal()) == [line(1)]
    assert store.changes(revision)[1] == revision
    with pytest.raises(StoreFull):
        store.commit([put("c"), big("g", 200_000)])
    ballast.unlink()
    assert store.commit([put("c")]) == revision + 1
    store.close()

    again = SqliteStore(small_disk / "frota.db")
    again.verify()
    assert [entry.name for entry in again.list("Host")] == ["a", "c"]
    assert list(again.journal()) == [line(1)]
    again.close()


@pytest.mark.skipif(not ROOT, reason="only root can mount a small disk")
def test_opening_on_a_full_disk_says_so(small_disk: Path) -> None:
    store = SqliteStore(small_disk / "frota.db")
    store.commit([put("a")])
    store.close()
    fill(small_disk / "ballast")
    with pytest.raises(StoreFull, match="the disk under the store is full"):
        SqliteStore(small_disk / "frota.db").commit([big("g", 100_000)])
    with pytest.raises(StoreFull, match="the disk under the store is full"):
        SqliteStore(small_disk / "new.db")
    (small_disk / "ballast").unlink()
    healed = SqliteStore(small_disk / "frota.db")
    assert healed.get("Host", "a") is not None
    healed.close()


def test_a_store_at_its_page_limit_heals_too(sqlite_store: Open) -> None:
    """The same without root: SQLite itself is told that there is no more room."""
    store = sqlite_store()
    revision = store.commit([put("a")])
    pages = store._sql.execute("PRAGMA page_count").fetchone()[0]
    store._sql.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(StoreFull):
        store.commit([put("b"), big("g", 100_000)], [line(1)])
    assert store.get("Host", "b") is None
    assert list(store.journal()) == []
    assert store.changes(revision) == ((), revision)
    store._sql.execute("PRAGMA max_page_count = 100000")
    assert store.commit([put("b"), big("g", 100_000)]) == revision + 1


def test_a_file_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    path = tmp_path / "frota.db"
    SqliteStore(path).close()
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    with (
        pytest.raises(StoreFull, match=r"frota\.db: the store cannot be written"),
        explained(path, 1.0),
    ):
        connection.execute("CREATE TABLE t (n)")
    connection.close()


def test_text_instead_of_a_store_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "frota.db"
    path.write_text("apiVersion: frota.dev/v1alpha1\n" * 100)
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"frota\.db: the file is damaged .*last copy"):
        SqliteStore(path)
    assert path.read_bytes() == before


def test_damaged_pages_are_found(tmp_path: Path) -> None:
    path = tmp_path / "frota.db"
    store = SqliteStore(path)
    store.commit([put(f"h{number}") for number in range(500)])
    store.verify()
    store.close()
    content = bytearray(path.read_bytes())
    for page in range(4096 * 2, len(content), 4096):
        content[page : page + 2048] = os.urandom(2048)
    path.write_bytes(content)
    store = SqliteStore(path)
    with pytest.raises(StoreError, match="damaged"):
        store.verify()
    with pytest.raises(StoreError, match="damaged"):
        store.list("Host")
    store.close()


def test_a_damaged_entry_is_named(sqlite_store: Open) -> None:
    store = sqlite_store()
    store.commit([put("a"), put("b")])
    store._sql.execute("UPDATE entries SET value = substr(value, 1, 20) WHERE name = 'a'")
    with pytest.raises(StoreError, match="Host/a: the stored value cannot be read"):
        store.get("Host", "a")
    with pytest.raises(StoreError, match="Host/a"):
        store.raw("Host")
    assert store.get("Host", "b") is not None


def test_a_store_whose_tables_were_emptied_says_so(sqlite_store: Open) -> None:
    store = sqlite_store()
    store._sql.execute("DELETE FROM state")
    with pytest.raises(StoreError, match=r"damaged .*table state"):
        sqlite_store().list("Host")


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "frota.db"
    store = SqliteStore(path)
    store.commit([put(f"h{number}") for number in range(500)])
    store.close()
    path.write_bytes(path.read_bytes()[:6000])
    with pytest.raises(StoreError, match="damaged"):
        SqliteStore(path)


def test_a_stuck_neighbour_is_waited_for_with_a_bound(sqlite_store: Open) -> None:
    store = sqlite_store()
    store.commit([put("a")])
    store._sql.execute("PRAGMA busy_timeout = 50")
    neighbour = sqlite3.connect(store.path, isolation_level=None)
    neighbour.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="another process kept the store locked"):
        store.commit([put("b")])
    neighbour.execute("ROLLBACK")
    neighbour.close()
    store.commit([put("b")])


def fill(ballast: Path) -> None:
    """Write until the disk is full."""
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            return

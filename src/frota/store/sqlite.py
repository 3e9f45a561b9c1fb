"""The store of one machine: one SQLite file, shared by any number of processes.

Write-ahead logging lets readers go on while one process writes; a commit is one
transaction, so a process killed at any instruction leaves all of it or nothing. Entries
that were listed are kept in memory and brought up to date when SQLite says that somebody
else wrote (``PRAGMA data_version``), so that reading unchanged state touches no disk.
See designs/0002-store.md.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import RLock
from typing import Any

from frota.model.decision import Decision, Stage
from frota.ports.clock import Clock
from frota.ports.store import Entry, StoreError, Write
from frota.store import codec
from frota.store.bell import bell_of, ring
from frota.store.faults import damaged, explained
from frota.store.migrate import prepare
from frota.store.rules import (
    JOURNAL_LINES,
    TOMBSTONES,
    check_expected,
    check_remembered,
    check_writes,
)
from frota.store.shelf import Shelf

_BUSY_S = 10.0  # a commit takes milliseconds; a process that takes longer is stuck
_LOG_BYTES_MAX = 16 * 1024 * 1024
_LOOKS_MOST = 10  # for a list: each but the second begins anew after others forgot old entries
_JOURNAL = "SELECT at, grp, cause_id, stage, subject, reason, message, rejected FROM journal"


class SqliteStore:
    """A Store in one SQLite file.

    ``clock`` dates the commits, for ``stored_time``; without it they are not dated. With
    ``create`` false a missing file is a StoreError. Raises StoreError when the file is of
    another program, of a newer Frota, damaged, or cannot be opened.
    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Clock | None = None,
        create: bool = True,
        journal_lines: int = JOURNAL_LINES,
        tombstones: int = TOMBSTONES,
    ) -> None:
        self.path = path
        self._bell = bell_of(path)
        self._clock = clock
        self._journal_lines = journal_lines
        self._tombstones = tombstones
        self._lock = RLock()
        self._closed = False
        self._synchronous = ""
        self._shelf = Shelf()
        self._listed: set[str] = set()
        self._seen = -1  # SQLite's count of other connections' commits, as last read
        self._revision = 0
        self._compacted = 0
        with explained(path, _BUSY_S):
            self._sql = _connect(path, create=create)
            try:
                prepare(self._sql, path, 0.0 if clock is None else clock.now())
                _use_log(self._sql, path)
            except BaseException:
                self._sql.close()
                raise

    def get(self, kind: str, name: str) -> Entry | None:
        """See ``ports.store.Store``."""
        with self._use():
            self._catch_up()
            if kind in self._listed:
                return self._shelf.get(kind, name)
            row = self._row(kind, name)
            if row is None or row[0] is None:
                return None
            return Entry(kind, name, codec.decode(kind, name, row[0]), row[1])

    def list(self, *kinds: str) -> Sequence[Entry]:
        """See ``ports.store.Store``."""
        with self._use():
            for _ in range(_LOOKS_MOST):
                self._catch_up()
                missing = [kind for kind in kinds if kind not in self._listed]
                if not missing:
                    return [entry for kind in kinds for entry in self._shelf.list(kind)]
                for kind in missing:  # they are newer than the others, so look once more
                    self._read_in(kind)
            raise StoreError(f"{self.path}: it is written faster than it can be read")

    def raw(self, kind: str) -> Sequence[Entry]:
        """As ``list``, with every value as the JSON mapping that is stored: for showing."""
        with self._use():
            return [
                Entry(kind, name, codec.raw(kind, name, value), revision)
                for name, value, revision in self._rows(kind)
            ]

    def raw_get(self, kind: str, name: str) -> Entry | None:
        """As ``get``, with the value as the JSON mapping that is stored."""
        with self._use():
            row = self._row(kind, name)
            if row is None or row[0] is None:
                return None
            return Entry(kind, name, codec.raw(kind, name, row[0]), row[1])

    def commit(self, writes: Sequence[Write], decisions: Sequence[Decision] = ()) -> int:
        """See ``ports.store.Store``."""
        check_writes(writes)
        texts = [
            None if item.value is None else codec.encode(item.kind, item.name, item.value)
            for item in writes
        ]
        lines = [_line(decision) for decision in decisions]
        with self._use():
            if not writes and not lines:
                self._catch_up()
                return self._revision
            # What was decided must outlive a power cut; the story alone need only outlive
            # this process, and the next commit of entries makes it as durable.
            self._set_synchronous("FULL" if writes else "NORMAL")
            with self._transaction():
                self._catch_up()
                revision, compacted = self._write(writes, texts)
                self._append(lines)
            self._revision, self._compacted = revision, compacted
            self._remember(writes, texts)
        if writes:
            ring(self._bell)
        return revision

    def changes(self, since: int) -> tuple[Sequence[tuple[str, str]], int]:
        """See ``ports.store.Store``."""
        with self._use():
            self._catch_up()
            check_remembered(since, self._compacted)
            if since >= self._revision:
                return (), self._revision
            rows = self._sql.execute(
                "SELECT kind, name FROM entries WHERE revision > ? AND revision <= ? "
                "ORDER BY revision, kind, name",
                (since, self._revision),
            )
            return rows.fetchall(), self._revision

    def journal(
        self, *, group: str = "", subject: str = "", cause_id: str = "", last: int = 200
    ) -> Sequence[Decision]:
        """See ``ports.store.Store``."""
        filters = {"grp": group, "subject": subject, "cause_id": cause_id}
        used = {column: text for column, text in filters.items() if text}
        where = " AND ".join(f"{column} = ?" for column in used) or "1"
        with self._use():
            query = f"{_JOURNAL} WHERE {where} ORDER BY id DESC LIMIT ?"
            rows = self._sql.execute(query, (*used.values(), max(0, last))).fetchall()
        return [_decision(self.path, row) for row in reversed(rows)]

    def written_after(
        self, line: int, *, group: str = "", last: int = 1000
    ) -> tuple[Sequence[Decision], int]:
        """The newest ``last`` journal lines behind the one of this number, oldest first, and
        the number of the newest line of all. Cheap when there are none; 0 is before all."""
        with self._use():
            newest = self._sql.execute("SELECT coalesce(max(id), 0) FROM journal").fetchone()[0]
            if newest <= line:
                return (), newest
            rows = self._sql.execute(
                f"{_JOURNAL} WHERE id > ? AND id <= ? AND ? IN (grp, '') ORDER BY id DESC LIMIT ?",
                (line, newest, group, max(0, last)),
            ).fetchall()
        return [_decision(self.path, row) for row in reversed(rows)], newest

    def latest(self) -> float:
        """The latest time, by the writers' clocks, at which entries were committed."""
        with self._use():
            return float(self._sql.execute("SELECT latest FROM state").fetchone()[0])

    def verify(self) -> None:
        """Read the whole file and raise StoreError if it is damaged (seconds per GiB)."""
        with self._use():
            found = self._sql.execute("PRAGMA quick_check(1)").fetchone()[0]
            if found != "ok":
                raise damaged(self.path, str(found))

    def close(self) -> None:
        """See ``ports.store.Store``."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._sql.close()

    @contextmanager
    def _use(self) -> Iterator[None]:
        with self._lock:
            if self._closed:
                raise StoreError(f"{self.path}: the store was closed before this call")
            with explained(self.path, _BUSY_S):
                yield

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._sql.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._sql.execute("COMMIT")
        finally:
            if self._sql.in_transaction:
                with suppress(sqlite3.Error):  # SQLite may have rolled back by itself
                    self._sql.execute("ROLLBACK")

    def _row(self, kind: str, name: str) -> tuple[Any, ...] | None:
        row: tuple[Any, ...] | None = self._sql.execute(
            "SELECT value, revision FROM entries WHERE kind = ? AND name = ?", (kind, name)
        ).fetchone()
        return row

    def _rows(self, kind: str) -> Sequence[tuple[str, str, int]]:
        return self._sql.execute(
            "SELECT name, value, revision FROM entries "
            "WHERE kind = ? AND value IS NOT NULL ORDER BY name",
            (kind,),
        ).fetchall()

    def _catch_up(self) -> None:
        """Take in what other processes wrote since the last look."""
        seen = self._sql.execute("PRAGMA data_version").fetchone()[0]
        if seen == self._seen:
            return
        row = self._sql.execute("SELECT revision, compacted FROM state").fetchone()
        if row is None:
            raise damaged(self.path, "the row of table state is missing")
        revision, compacted = row
        if compacted > self._revision or revision < self._revision:
            self._shelf, self._listed = Shelf(), set()
        if self._listed:
            rows = self._sql.execute(
                "SELECT kind, name, value, revision FROM entries WHERE revision > ?",
                (self._revision,),
            )
            for kind, name, value, written in rows:
                self._take_in(kind, name, value, written)
        # Rows may already be newer than ``revision``; they are then read once more.
        self._revision, self._compacted, self._seen = revision, compacted, seen

    def _read_in(self, kind: str) -> None:
        """Take in all entries of a kind."""
        for name, value, revision in self._rows(kind):
            self._shelf.put(Entry(kind, name, codec.decode(kind, name, value), revision))
        self._listed.add(kind)

    def _take_in(self, kind: str, name: str, text: str | None, revision: int) -> None:
        if kind not in self._listed:
            return
        if text is None:
            self._shelf.drop(kind, name)
        else:
            self._shelf.put(Entry(kind, name, codec.decode(kind, name, text), revision))

    def _write(self, writes: Sequence[Write], texts: Sequence[str | None]) -> tuple[int, int]:
        """Write the entries inside the transaction; the revision and compaction reached."""
        revision = self._revision + 1 if writes else self._revision
        compacted = self._compacted
        deleted = False
        for write, text in zip(writes, texts, strict=True):
            row = self._row(write.kind, write.name)
            present = row is not None and row[0] is not None
            check_expected(write, row[1] if row is not None and present else 0)
            if text is None and not present:
                continue
            deleted = deleted or text is None
            self._sql.execute(
                "INSERT INTO entries VALUES (?, ?, ?, ?) ON CONFLICT (kind, name) "
                "DO UPDATE SET value = excluded.value, revision = excluded.revision",
                (write.kind, write.name, text, revision),
            )
        if deleted:
            compacted = self._forget_deleted(compacted)
        now = 0.0 if self._clock is None else self._clock.now()
        self._sql.execute(
            "UPDATE state SET revision = ?, compacted = ?, latest = max(latest, ?)",
            (revision, compacted, now),
        )
        return revision, compacted

    def _forget_deleted(self, compacted: int) -> int:
        rows = self._sql.execute(
            "SELECT kind, name, revision FROM entries WHERE value IS NULL "
            "ORDER BY revision DESC LIMIT -1 OFFSET ?",
            (self._tombstones,),
        ).fetchall()
        for kind, name, _revision in rows:
            self._sql.execute("DELETE FROM entries WHERE kind = ? AND name = ?", (kind, name))
        return max([compacted, *(int(revision) for _kind, _name, revision in rows)])

    def _append(self, lines: Sequence[tuple[Any, ...]]) -> None:
        if not lines:
            return
        self._sql.executemany("INSERT INTO journal VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)", lines)
        # Numbers have no gaps: only the oldest lines are ever deleted.
        self._sql.execute(
            "DELETE FROM journal WHERE id <= (SELECT max(id) FROM journal) - ?",
            (self._journal_lines,),
        )

    def _remember(self, writes: Sequence[Write], texts: Sequence[str | None]) -> None:
        """Put what was committed into the cache; frozen values as the objects they are."""
        for write, text in zip(writes, texts, strict=True):
            if write.kind in codec.KINDS and write.kind in self._listed and text is not None:
                self._shelf.put(Entry(write.kind, write.name, write.value, self._revision))
            else:
                self._take_in(write.kind, write.name, text, self._revision)

    def _set_synchronous(self, level: str) -> None:
        if level != self._synchronous:
            self._sql.execute(f"PRAGMA synchronous = {level}")
            self._synchronous = level


def stored_time(path: Path) -> float:
    """The latest time, by Frota's clock, at which anything was committed to a store file.

    0 when there is no file yet. A clock that starts here never goes back over a restart.
    """
    if not path.exists():
        return 0.0
    store = SqliteStore(path, create=False)
    try:
        return store.latest()
    finally:
        store.close()


def _connect(path: Path, *, create: bool) -> sqlite3.Connection:
    if create:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"{path.parent}: cannot be made ({error.strerror}). Expected a path where this "
                "user may make a directory"
            ) from error
    elif not path.exists():
        raise StoreError(f"{path}: there is no store yet. `frota apply FILE` makes one")
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={'rwc' if create else 'rw'}",
        uri=True,
        timeout=_BUSY_S,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


def _use_log(connection: sqlite3.Connection, path: Path) -> None:
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise StoreError(
            f"{path}: this file system cannot hold a store (SQLite's write-ahead log is refused). "
            "Expected a local file system, not one shared over a network"
        )
    connection.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES_MAX}")


def _line(decision: Decision) -> tuple[Any, ...]:
    return (
        decision.at,
        decision.group,
        decision.cause_id,
        decision.stage.value,
        decision.subject,
        decision.reason,
        decision.message,
        json.dumps(decision.rejected),
    )


def _decision(path: Path, row: Sequence[Any]) -> Decision:
    at, group, cause_id, stage, subject, reason, message, rejected = row
    try:
        turned_down = tuple(json.loads(rejected))
        return Decision(at, group, cause_id, Stage(stage), subject, reason, message, turned_down)
    except (ValueError, TypeError) as error:
        raise damaged(path, f"a journal line cannot be read: {error}") from error

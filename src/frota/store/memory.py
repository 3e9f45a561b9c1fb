"""The store of simulations and tests: fast, in one process, gone with it.

Values are kept as the very objects that were handed over.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence
from threading import RLock

from frota.model.decision import Decision
from frota.ports.store import Entry, StoreError, Write
from frota.store.rules import (
    JOURNAL_LINES,
    TOMBSTONES,
    check_expected,
    check_remembered,
    check_writes,
)
from frota.store.shelf import Shelf


class MemoryStore:
    """A Store in memory. ``journal_lines`` and ``tombstones`` bound what is remembered."""

    def __init__(self, *, journal_lines: int = JOURNAL_LINES, tombstones: int = TOMBSTONES) -> None:
        self._lock = RLock()
        self._shelf = Shelf()
        self._revision = 0
        # Latest change last, so that ``changes`` walks back over the new ones only.
        self._changed: dict[tuple[str, str], int] = {}
        self._deleted: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._tombstones = tombstones
        self._compacted = 0
        self._journal: deque[Decision] = deque(maxlen=journal_lines)
        self._closed = False

    def get(self, kind: str, name: str) -> Entry | None:
        """See ``ports.store.Store``."""
        with self._lock:
            self._open()
            return self._shelf.get(kind, name)

    def list(self, *kinds: str) -> Sequence[Entry]:
        """See ``ports.store.Store``."""
        with self._lock:
            self._open()
            return [entry for kind in kinds for entry in self._shelf.list(kind)]

    def commit(self, writes: Sequence[Write], decisions: Sequence[Decision] = ()) -> int:
        """See ``ports.store.Store``."""
        with self._lock:
            self._open()
            check_writes(writes)
            for write in writes:
                found = self._shelf.get(write.kind, write.name)
                check_expected(write, 0 if found is None else found.revision)
            if writes:
                self._revision += 1
                for write in writes:
                    self._write(write)
                self._forget_deleted()
            self._journal.extend(decisions)
            return self._revision

    def changes(self, since: int) -> tuple[Sequence[tuple[str, str]], int]:
        """See ``ports.store.Store``."""
        with self._lock:
            self._open()
            check_remembered(since, self._compacted)
            found: list[tuple[str, str]] = []
            for key, revision in reversed(self._changed.items()):
                if revision <= since:
                    break
                found.append(key)
            found.reverse()
            return found, self._revision

    def journal(
        self, *, group: str = "", subject: str = "", cause_id: str = "", last: int = 200
    ) -> Sequence[Decision]:
        """See ``ports.store.Store``."""
        with self._lock:
            self._open()
            found: list[Decision] = []
            for line in reversed(self._journal):
                if len(found) >= last:
                    break
                if (
                    (not group or line.group == group)
                    and (not subject or line.subject == subject)
                    and (not cause_id or line.cause_id == cause_id)
                ):
                    found.append(line)
            found.reverse()
            return found

    def close(self) -> None:
        """See ``ports.store.Store``."""
        self._closed = True

    def _open(self) -> None:
        if self._closed:
            raise StoreError("the store was closed before this call")

    def _write(self, write: Write) -> None:
        key = (write.kind, write.name)
        if write.value is None:
            if self._shelf.get(*key) is None:
                return
            self._shelf.drop(*key)
            self._deleted[key] = self._revision
        else:
            self._shelf.put(Entry(write.kind, write.name, write.value, self._revision))
            self._deleted.pop(key, None)
        self._changed.pop(key, None)
        self._changed[key] = self._revision

    def _forget_deleted(self) -> None:
        while len(self._deleted) > self._tombstones:
            key, self._compacted = self._deleted.popitem(last=False)
            del self._changed[key]

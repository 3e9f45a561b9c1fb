"""Entries in memory, indexed by kind and by revision.

The memory store is a shelf with a journal; the SQLite store keeps one of what it read.
Not safe for threads: its owner locks.
"""

from __future__ import annotations

from collections.abc import Sequence

from frota.ports.store import Entry


class Shelf:
    """A mapping of (kind, name) to Entry. Listing a kind costs one pass, not a sort."""

    def __init__(self) -> None:
        self._kinds: dict[str, dict[str, Entry]] = {}
        self._names: dict[str, list[str]] = {}  # sorted; dropped when the names change

    def get(self, kind: str, name: str) -> Entry | None:
        """The entry, or None."""
        entries = self._kinds.get(kind)
        return None if entries is None else entries.get(name)

    def put(self, entry: Entry) -> None:
        """Add or replace one entry."""
        entries = self._kinds.setdefault(entry.kind, {})
        if entry.name not in entries:
            self._names.pop(entry.kind, None)
        entries[entry.name] = entry

    def drop(self, kind: str, name: str) -> None:
        """Remove one entry, if it is there."""
        if self._kinds.get(kind, {}).pop(name, None) is not None:
            self._names.pop(kind, None)

    def list(self, kind: str) -> Sequence[Entry]:
        """All entries of a kind, by name."""
        entries = self._kinds.get(kind)
        if not entries:
            return ()
        names = self._names.get(kind)
        if names is None:
            names = self._names[kind] = sorted(entries)
        return [entries[name] for name in names]

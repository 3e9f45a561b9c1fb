"""Where Frota keeps what is wanted and what it has done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from frota.model.decision import Decision


class StoreError(Exception):
    """The store cannot do what was asked; nothing was changed."""


class Conflict(StoreError):
    """Somebody else wrote the entry first; read again and decide again."""


class StoreFull(StoreError):
    """The disk under the store is full or read-only."""


class Compacted(StoreError):
    """So many entries were deleted since the revision asked for that not all are
    remembered. Forget what was read before and read everything anew, from revision 0."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One stored value. ``revision`` grows over the whole store with every commit; all
    writes of one commit share theirs, the number that ``commit`` returned."""

    kind: str
    name: str
    value: Any
    revision: int


@dataclass(frozen=True, slots=True)
class Write:
    """One change. ``value`` None deletes. ``expected`` is the revision that must be
    there now (0: the entry must not exist); None writes whatever is there."""

    kind: str
    name: str
    value: Any
    expected: int | None


class Store(Protocol):
    """A small database of typed values with compare-and-set.

    Values are either plain JSON mappings (what people wrote) or the frozen dataclasses
    of ``frota.model``. A value handed over or received must not be changed afterwards.
    Every method is safe to call from any thread and may raise StoreError.
    """

    def get(self, kind: str, name: str) -> Entry | None:
        """The entry, or None."""
        ...

    def list(self, *kinds: str) -> Sequence[Entry]:
        """All entries of these kinds, by kind as named and then by name, as they stood at one
        moment: never some from before a commit and some from after it."""
        ...

    def commit(self, writes: Sequence[Write], decisions: Sequence[Decision] = ()) -> int:
        """Make all writes and journal lines durable, or none; return the revision reached
        (unchanged when there was nothing to write but journal lines).

        Deleting what is not there does nothing. Two writes of one entry in one commit are
        a StoreError. Raises Conflict when an expectation fails, StoreFull when the disk
        is full. When it returns, a ``kill -9`` loses nothing of it.
        """
        ...

    def changes(self, since: int) -> tuple[Sequence[tuple[str, str]], int]:
        """The (kind, name) pairs written or deleted after revision ``since``, each once,
        by whichever process, oldest first, and the revision reached. Cheap when nothing
        changed. Raises Compacted when ``since`` is too old; 0 never is."""
        ...

    def journal(
        self, *, group: str = "", subject: str = "", cause_id: str = "", last: int = 200
    ) -> Sequence[Decision]:
        """The newest ``last`` journal lines that match all filters given, oldest first."""
        ...

    def close(self) -> None:
        """Release the store. Calling it twice is harmless."""
        ...

"""What every store refuses, in the same words, and the bounds that every store keeps."""

from __future__ import annotations

from collections.abc import Sequence

from frota.ports.store import Compacted, Conflict, StoreError, Write
from frota.store.codec import check

# At one decision a second this is a day; a line is about 400 bytes, so 40 MB at most.
JOURNAL_LINES = 100_000
# A reader is rarely more than seconds behind; one that missed this many deletions re-reads.
TOMBSTONES = 10_000


def check_writes(writes: Sequence[Write]) -> None:
    """Raise StoreError for values of the wrong type and for entries written twice."""
    seen: set[tuple[str, str]] = set()
    for write in writes:
        if write.value is not None:
            check(write.kind, write.name, write.value)
        if (write.kind, write.name) in seen:
            raise StoreError(f"{write.kind}/{write.name} is written twice in one commit")
        seen.add((write.kind, write.name))


def check_expected(write: Write, present: int) -> None:
    """Raise Conflict unless the entry's present revision (0: none) is the expected one."""
    if write.expected is None or write.expected == present:
        return
    stands = f"is at revision {present}" if present else "does not exist"
    wanted = f"revision {write.expected}" if write.expected else "no such entry"
    raise Conflict(f"{write.kind}/{write.name} {stands}, but {wanted} was expected")


def check_remembered(since: int, compacted: int) -> None:
    """Raise Compacted when deletions after ``since`` are already forgotten."""
    if 0 < since < compacted:
        raise Compacted(
            f"changes since revision {since} were asked for, but deletions up to revision "
            f"{compacted} are no longer remembered: read everything anew"
        )

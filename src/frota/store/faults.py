"""SQLite's errors in words that say where, what was expected and how to mend it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from frota.ports.store import StoreError, StoreFull

# SQLite needs a few pages for a commit and 32 KiB for the index of its log.
_ROOM_BYTES = 128 * 1024


@contextmanager
def explained(path: Path, wait_s: float) -> Iterator[None]:
    """Turn every SQLite error of the block into a StoreError about ``path``."""
    try:
        yield
    except sqlite3.Error as error:
        raise _explain(error, path, wait_s) from error
    except UnicodeEncodeError as error:
        raise StoreError(f"{path}: a text to be stored is not valid Unicode: {error}") from error


def damaged(path: Path, detail: str) -> StoreError:
    """The error for a file whose content cannot be trusted."""
    return StoreError(
        f"{path}: the file is damaged ({detail}) and was left as it is. Stop Frota and put your "
        f"last copy in its place; `sqlite3 {path} .recover` can often save what is in it"
    )


def _explain(error: sqlite3.Error, path: Path, wait_s: float) -> StoreError:
    name = getattr(error, "sqlite_errorname", "")
    if name == "SQLITE_FULL" or (_about_files(name) and _no_room(path)):
        return StoreFull(
            f"{path}: the disk under the store is full; nothing was changed. Make room on its "
            "file system: work goes on by itself"
        )
    if name.startswith("SQLITE_READONLY"):
        return StoreFull(
            f"{path}: the store cannot be written; nothing was changed. Expected a file and a "
            "directory that this user may write, on a file system mounted read-write"
        )
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return damaged(path, str(error))
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return StoreError(
            f"{path}: another process kept the store locked for {wait_s:g} s; try again, or find "
            f"it with: fuser {path}"
        )
    if name.startswith("SQLITE_CANTOPEN"):
        return StoreError(
            f"{path}: cannot be opened. Expected a file that this user may read and write, in a "
            "directory where files may be made"
        )
    return StoreError(f"{path}: {error}{f' ({name})' if name else ''}; nothing was changed")


def _about_files(name: str) -> bool:
    return name.startswith(("SQLITE_IOERR", "SQLITE_CANTOPEN"))


def _no_room(path: Path) -> bool:
    try:
        room = os.statvfs(path.parent)
    except OSError:
        return False
    return room.f_bavail * room.f_frsize < _ROOM_BYTES

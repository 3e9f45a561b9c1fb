"""Bringing a store file to the present layout, or refusing it without touching it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from frota.ports.store import StoreError
from frota.store.schema import APPLICATION_ID, STEPS, TABLES, VERSION


def inspect(connection: sqlite3.Connection, path: Path) -> int:
    """The layout of the file, 0 for an empty one. Changes nothing.

    Raises StoreError for a file of another program or of a newer Frota.
    """
    application, version = (
        _number(connection, "application_id"),
        _number(connection, "user_version"),
    )
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if not tables and not application and not version:
        return 0
    if application != APPLICATION_ID:
        raise StoreError(
            f"{path}: this is an SQLite file of another program. Expected a store made by Frota, "
            "or a path where there is no file yet"
        )
    if version > VERSION:
        raise StoreError(
            f"{path}: the store was written by a newer Frota (layout {version}, this one knows "
            f"up to {VERSION}); nothing was changed. Use that Frota or a newer one"
        )
    if version not in STEPS and version != VERSION:
        raise StoreError(f"{path}: no Frota ever wrote layout {version}: the file is damaged")
    return version


def prepare(connection: sqlite3.Connection, path: Path, now: float) -> None:
    """Make the tables, or migrate those of an older layout, in one transaction.

    An older file is migrated only while no controller (which would be of an older Frota)
    works on it. A process killed on the way leaves the file as it was.
    """
    version = inspect(connection, path)
    if version == VERSION:
        return
    if version == 0:
        _upgrade(connection, path)
        return
    from frota.store.guard import Guard

    with Guard(path, f"migration of the store from layout {version}", now):
        _upgrade(connection, path)


def _upgrade(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("BEGIN EXCLUSIVE")
    try:
        version = inspect(connection, path)  # another process may have been faster
        if version == 0:
            _run(connection, TABLES)
        for layout in range(version or VERSION, VERSION):
            _run(connection, STEPS[layout])
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _run(connection: sqlite3.Connection, statements: Sequence[str]) -> None:
    for statement in statements:
        connection.execute(statement)


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    return int(connection.execute(f"PRAGMA {pragma}").fetchone()[0])

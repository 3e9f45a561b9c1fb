from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from frota.store.sqlite import SqliteStore


@pytest.fixture
def sqlite_store(tmp_path: Path) -> Iterator[Callable[..., SqliteStore]]:
    """Opens stores on files in the test's directory and closes them afterwards."""
    with ExitStack() as stack:

        def open_one(name: str = "frota.db", **options: Any) -> SqliteStore:
            store = SqliteStore(tmp_path / name, **options)
            stack.callback(store.close)
            return store

        yield open_one

from __future__ import annotations

from collections.abc import Callable

import pytest

from frota.ports.store import Store
from frota.store.memory import MemoryStore
from frota.store.sqlite import SqliteStore
from tests.contract.store import OpenStore, StoreContract


class TestMemory(StoreContract):
    @pytest.fixture
    def open_store(self) -> OpenStore:
        def make(*, journal_lines: int = 1000, tombstones: int = 1000) -> Store:
            return MemoryStore(journal_lines=journal_lines, tombstones=tombstones)

        return make


class TestSqlite(StoreContract):
    @pytest.fixture
    def open_store(self, sqlite_store: Callable[..., SqliteStore]) -> OpenStore:
        def make(*, journal_lines: int = 1000, tombstones: int = 1000) -> Store:
            return sqlite_store(journal_lines=journal_lines, tombstones=tombstones)

        return make

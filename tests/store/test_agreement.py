"""The memory store and the SQLite store, compared step by step under random use."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from frota.model.decision import Decision, Stage
from frota.ports.store import Compacted, Conflict, Store, Write
from frota.store.memory import MemoryStore
from frota.store.sqlite import SqliteStore
from tests.contract.store import host

NAMES = st.sampled_from("abcdef")
KINDS = st.sampled_from(["Host", "HostGroup"])
JOURNAL_LINES, TOMBSTONES = 7, 3


class Agreement(RuleBasedStateMachine):
    """Two SQLite connections to one file stand for two processes."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="frota-agreement-"))
        self.model = MemoryStore(journal_lines=JOURNAL_LINES, tombstones=TOMBSTONES)
        self.stores = [self.open(), self.open()]
        self.count = 0

    def open(self) -> SqliteStore:
        return SqliteStore(
            self.directory / "frota.db", journal_lines=JOURNAL_LINES, tombstones=TOMBSTONES
        )

    def teardown(self) -> None:
        for store in self.stores:
            store.close()
        shutil.rmtree(self.directory)

    @rule(
        side=st.integers(0, 1),
        changes=st.lists(
            st.tuples(KINDS, NAMES, st.booleans(), st.sampled_from(["any", "new", "known", "old"])),
            max_size=4,
            unique_by=lambda change: change[:2],
        ),
        lines=st.integers(0, 3),
    )
    def commit(self, side: int, changes: list[tuple[str, str, bool, str]], lines: int) -> None:
        writes = [self.write(*change) for change in changes]
        story = [self.line(number) for number in range(lines)]
        assert self.outcome(self.stores[side], writes, story) == self.outcome(
            self.model, writes, story
        )

    @rule(side=st.integers(0, 1), since=st.integers(0, 40))
    def changes(self, side: int, since: int) -> None:
        assert self.seen(self.stores[side], since) == self.seen(self.model, since)

    @rule(side=st.integers(0, 1), kind=KINDS)
    def lists(self, side: int, kind: str) -> None:
        assert list(self.stores[side].list(kind)) == list(self.model.list(kind))

    @rule(side=st.integers(0, 1), group=st.sampled_from(["", "g", "h"]), last=st.integers(0, 9))
    def story(self, side: int, group: str, last: int) -> None:
        found = self.stores[side].journal(group=group, last=last)
        assert list(found) == list(self.model.journal(group=group, last=last))

    @rule(side=st.integers(0, 1))
    def opens_again(self, side: int) -> None:
        self.stores[side].close()
        self.stores[side] = self.open()

    @invariant()
    def entries_agree(self) -> None:
        for name in "abc":
            for store in self.stores:
                assert store.get("Host", name) == self.model.get("Host", name)

    def write(self, kind: str, name: str, gone: bool, expecting: str) -> Write:
        self.count += 1
        value: Any = {"n": self.count} if kind == "HostGroup" else host(f"{name}{self.count}")
        entry = self.model.get(kind, name)
        known = 0 if entry is None else entry.revision
        expected = {"any": None, "new": 0, "known": known, "old": max(1, known - 1)}[expecting]
        return Write(kind, name, None if gone else value, expected)

    def line(self, number: int) -> Decision:
        group = "gh"[number % 2]
        return Decision(float(self.count), group, "c", Stage.CAUSE, f"Host/{number}", "R", "m")

    @staticmethod
    def outcome(store: Store, writes: list[Write], lines: list[Decision]) -> str:
        try:
            return str(store.commit(writes, lines))
        except Conflict as conflict:
            return str(conflict)

    @staticmethod
    def seen(store: Store, since: int) -> object:
        try:
            found, reached = store.changes(since)
        except Compacted as error:
            return str(error)
        # From 0 a store may tell of deletions or not: there is nothing to forget yet.
        return {key for key in found if since or store.get(*key)}, reached


TestAgreement = Agreement.TestCase
TestAgreement.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)

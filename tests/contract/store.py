"""What every implementation of ``frota.ports.store.Store`` must do.

Subclass ``StoreContract`` and give an ``open_store`` fixture: a function that makes an
empty store with the bounds it is given.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import Protocol

import pytest

from frota.model.decision import Decision, Stage
from frota.model.host import Capacity, Host, HostState
from frota.ports.store import Compacted, Conflict, Store, StoreError, Write


class OpenStore(Protocol):
    """Makes an empty store; the fixture closes it."""

    def __call__(self, *, journal_lines: int = 1000, tombstones: int = 1000) -> Store: ...


def host(name: str, state: HostState = HostState.UP) -> Host:
    return Host(name, "r1", Capacity(1024, 4, 10, (("A100", 2),)), state)


def put(name: str, expected: int | None = None, state: HostState = HostState.UP) -> Write:
    return Write("Host", name, host(name, state), expected)


def delete(name: str, expected: int | None = None) -> Write:
    return Write("Host", name, None, expected)


def line(number: int, group: str = "g", subject: str = "Host/a", cause: str = "c") -> Decision:
    return Decision(float(number), group, cause, Stage.ACTION, subject, "Because", "text", ("x",))


class StoreContract:
    """Subclassed per store."""

    @pytest.fixture
    def store(self, open_store: OpenStore) -> Store:
        return open_store()

    def test_starts_empty(self, store: Store) -> None:
        assert store.get("Host", "a") is None
        assert list(store.list("Host")) == []
        assert store.changes(0) == ([], 0) or store.changes(0) == ((), 0)
        assert list(store.journal()) == []

    def test_gives_back_what_was_written(self, store: Store) -> None:
        revision = store.commit([put("a"), Write("HostGroup", "g", {"spec": {"n": [1]}}, None)])
        entry = store.get("Host", "a")
        assert entry is not None
        assert (entry.kind, entry.name, entry.value) == ("Host", "a", host("a"))
        assert entry.revision == revision
        group = store.get("HostGroup", "g")
        assert group is not None
        assert group.value == {"spec": {"n": [1]}}

    def test_kinds_do_not_mix(self, store: Store) -> None:
        store.commit([put("a"), Write("HostGroup", "a", {}, None)])
        assert [entry.value for entry in store.list("HostGroup")] == [{}]
        store.commit([delete("a")])
        assert store.get("HostGroup", "a") is not None

    def test_lists_by_name(self, store: Store) -> None:
        store.commit([put("b"), put("c")])
        store.commit([put("a")])
        assert [entry.name for entry in store.list("Host")] == ["a", "b", "c"]
        store.commit([delete("b"), put("d"), put("a", state=HostState.DOWN)])
        assert [entry.name for entry in store.list("Host")] == ["a", "c", "d"]
        assert store.list("Host")[0].value == host("a", HostState.DOWN)

    def test_several_kinds_are_listed_as_of_one_moment(self, store: Store) -> None:
        store.commit([put("b"), put("a"), Write("HostGroup", "g", {"spec": {"n": 0}}, None)])
        assert [e.name for e in store.list("HostGroup", "Host")] == ["g", "a", "b"]

        def write() -> None:
            for number in range(1, 200):
                state = {"spec": {"n": number}}
                store.commit([Write(kind, "n", state, None) for kind in ("HostGroup", "Cluster")])

        writer = Thread(target=write)
        writer.start()
        while writer.is_alive():
            found = [e.value for e in store.list("HostGroup", "Cluster") if e.name == "n"]
            assert found[:1] == found[1:]
        writer.join()

    def test_revisions_grow_and_are_shared_in_a_commit(self, store: Store) -> None:
        first = store.commit([put("a"), put("b")])
        second = store.commit([put("b")])
        assert 0 < first < second
        assert [entry.revision for entry in store.list("Host")] == [first, second]

    @pytest.mark.parametrize("expected", [1, 99])
    def test_expecting_what_is_not_there_conflicts(self, store: Store, expected: int) -> None:
        with pytest.raises(Conflict, match=r"Host/a does not exist.*revision \d+ was expected"):
            store.commit([put("a", expected)])
        assert store.get("Host", "a") is None

    def test_expecting_nothing_where_something_is_conflicts(self, store: Store) -> None:
        revision = store.commit([put("a", 0)])
        with pytest.raises(Conflict, match=f"Host/a is at revision {revision}, but no such entry"):
            store.commit([put("a", 0)])

    def test_an_old_revision_conflicts(self, store: Store) -> None:
        old = store.commit([put("a")])
        new = store.commit([put("a", old, HostState.DOWN)])
        with pytest.raises(Conflict):
            store.commit([put("a", old)])
        with pytest.raises(Conflict):
            store.commit([delete("a", old)])
        entry = store.get("Host", "a")
        assert entry is not None
        assert (entry.value.state, entry.revision) == (HostState.DOWN, new)

    def test_a_conflict_undoes_the_whole_commit(self, store: Store) -> None:
        revision = store.commit([put("a")])
        with pytest.raises(Conflict):
            store.commit([put("b"), delete("a"), put("c", 7)], [line(1)])
        assert [entry.name for entry in store.list("Host")] == ["a"]
        assert list(store.journal()) == []
        assert store.changes(revision)[1] == revision

    def test_a_deleted_entry_counts_as_absent(self, store: Store) -> None:
        revision = store.commit([put("a")])
        store.commit([delete("a", revision)])
        assert store.get("Host", "a") is None
        assert list(store.list("Host")) == []
        with pytest.raises(Conflict):
            store.commit([put("a", revision)])
        store.commit([put("a", 0)])
        assert store.get("Host", "a") is not None

    def test_deleting_what_is_not_there_does_nothing(self, store: Store) -> None:
        revision = store.commit([delete("a"), delete("b", 0)])
        assert list(store.changes(0)[0]) == []
        assert store.changes(revision)[1] == revision

    def test_an_entry_twice_in_a_commit_is_refused(self, store: Store) -> None:
        with pytest.raises(StoreError, match="Host/a is written twice"):
            store.commit([put("a"), delete("a")])
        assert store.get("Host", "a") is None

    def test_the_wrong_type_is_refused(self, store: Store) -> None:
        with pytest.raises(StoreError, match=r"Host/a: .* dict .* Host was expected"):
            store.commit([put("b"), Write("Host", "a", {"name": "a"}, None)])
        with pytest.raises(StoreError, match=r"HostGroup/g: .* Host .* dict was expected"):
            store.commit([Write("HostGroup", "g", host("a"), None)])
        assert list(store.list("Host")) == []

    def test_changes_tell_each_entry_once(self, store: Store) -> None:
        start = store.commit([put("a"), put("b"), put("c")])
        store.commit([put("b")])
        store.commit([put("b"), delete("c")])
        last = store.commit([put("d")])
        found, reached = store.changes(start)
        assert sorted(found) == [("Host", "b"), ("Host", "c"), ("Host", "d")]
        assert found[-1] == ("Host", "d")
        assert reached == last
        found, reached = store.changes(last)
        assert (list(found), reached) == ([], last)
        assert {name for _, name in store.changes(0)[0]} >= {"a", "b", "d"}

    def test_an_entry_made_again_is_a_change(self, store: Store) -> None:
        store.commit([put("a")])
        gone = store.commit([delete("a")])
        store.commit([put("a")])
        assert list(store.changes(gone)[0]) == [("Host", "a")]
        assert list(store.changes(0)[0]) == [("Host", "a")]

    def test_deletions_are_remembered_up_to_the_bound(self, open_store: OpenStore) -> None:
        store = open_store(tombstones=2)
        start = store.commit([put(name) for name in "abcd"])
        first = store.commit([delete("a")])
        store.commit([delete("b")])
        assert len(store.changes(start)[0]) == 2
        store.commit([delete("c")])
        with pytest.raises(Compacted, match="read everything anew"):
            store.changes(start)
        assert list(store.changes(first)[0]) == [("Host", "b"), ("Host", "c")]
        assert ("Host", "d") in store.changes(0)[0]

    def test_journal_lines_alone_change_no_revision(self, store: Store) -> None:
        revision = store.commit([put("a")])
        assert store.commit([], [line(1)]) == revision
        assert store.commit([]) == revision
        assert list(store.journal()) == [line(1)]

    def test_journal_filters_add_up(self, store: Store) -> None:
        lines = [
            line(1, "g", "Host/a", "c1"),
            line(2, "g", "Host/b", "c1"),
            line(3, "h", "Host/a", "c2"),
            line(4, "g", "Host/a", "c2"),
        ]
        store.commit([], lines[:2])
        store.commit([put("a")], lines[2:])
        assert list(store.journal()) == lines
        assert list(store.journal(group="g")) == [lines[0], lines[1], lines[3]]
        assert list(store.journal(subject="Host/a")) == [lines[0], lines[2], lines[3]]
        assert list(store.journal(cause_id="c2")) == lines[2:]
        assert list(store.journal(group="g", subject="Host/a", cause_id="c2")) == [lines[3]]
        assert list(store.journal(group="g", last=2)) == [lines[1], lines[3]]
        assert list(store.journal(last=0)) == []
        assert list(store.journal(cause_id="' OR 1 --")) == []

    def test_the_journal_keeps_the_newest(self, open_store: OpenStore) -> None:
        store = open_store(journal_lines=3)
        for number in range(5):
            store.commit([], [line(number)])
        assert [item.at for item in store.journal()] == [2.0, 3.0, 4.0]
        store.commit([], [line(number) for number in range(10, 20)])
        assert [item.at for item in store.journal(last=100)] == [17.0, 18.0, 19.0]

    def test_threads_lose_no_update(self, store: Store) -> None:
        store.commit([Write("Counter", "n", {"n": 0}, 0)])

        def count() -> None:
            done = 0
            while done < 25:
                entry = store.get("Counter", "n")
                assert entry is not None
                value = {"n": entry.value["n"] + 1}
                try:
                    store.commit([Write("Counter", "n", value, entry.revision)])
                except Conflict:
                    continue
                done += 1

        self.together([count] * 4)
        entry = store.get("Counter", "n")
        assert entry is not None
        assert entry.value == {"n": 100}

    def test_a_closed_store_says_so(self, store: Store) -> None:
        store.close()
        store.close()
        with pytest.raises(StoreError, match="was closed"):
            store.get("Host", "a")
        with pytest.raises(StoreError, match="was closed"):
            store.commit([put("a")])

    @staticmethod
    def together(works: list[Callable[[], None]]) -> None:
        """Run in threads; an error in any of them fails the test (warnings are errors)."""
        threads = [Thread(target=work) for work in works]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive()

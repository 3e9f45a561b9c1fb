"""Contents in parts: they come back, and a change of one object touches few of them."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from frota.controllers.contents import PART, Contents, content_writes, in_parts, read_bundle
from frota.model.objects import MEMBERSHIP_LABEL
from frota.planners.delivery import Wanted, prepare
from frota.store.memory import MemoryStore

SET = "applyset-1"


def item(number: int, value: int = 0) -> dict[str, Any]:
    metadata = {"name": f"c-{number}", "namespace": "a", "labels": {MEMBERSHIP_LABEL: SET}}
    return {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"k": str(value)},
    }  # fmt: skip


def content(values: dict[int, int], known: Wanted | None = None) -> Wanted:
    return prepare([item(*pair) for pair in sorted(values.items())], SET, known)


@given(st.dictionaries(st.integers(0, 99), st.integers(0, 9)))
def test_a_content_comes_back_whole_and_in_order(values: dict[int, int]) -> None:
    store, wanted = MemoryStore(), content(values)
    store.commit(list(content_writes("east", wanted, ())))
    assert read_bundle(store, "east", wanted.digest) == tuple(wanted.objects.values())
    assert read_bundle(store, "west", wanted.digest) is None


@given(st.integers(0, 99), st.sampled_from(["change", "add", "drop"]))
def test_one_object_touches_few_parts(number: int, what: str) -> None:
    values = dict.fromkeys(range(0, 200, 2), 0)
    before = in_parts("east", content(values))
    if what == "add":
        values[2 * number + 1] = 0
    elif what == "drop":
        del values[2 * number]
    else:
        values[2 * number] = 1
    after = in_parts("east", content(values))
    assert 0 <= len(after.keys() - before.keys()) <= 2
    assert len(before) > 4


def test_a_part_that_is_missing_is_no_content() -> None:
    store, wanted = MemoryStore(), content({1: 1, 2: 2})
    store.commit(list(content_writes("east", wanted, {next(iter(in_parts("east", wanted)))})))
    assert read_bundle(store, "east", wanted.digest) is None


def test_what_is_declared_is_held_once() -> None:
    store, wanted, other = MemoryStore(), content({1: 1}), content({1: 2})
    store.commit([*content_writes("east", other, ())])
    contents = Contents(store)
    contents.declare("acme", {"east": wanted})
    assert contents.find("acme", "east", wanted.digest, SET, None) is wanted
    assert contents.find("acme", "east", other.digest, SET, None) == other
    assert contents.find("acme", "east", other.digest, SET, other) is other
    contents.declare("acme", {})
    assert contents.find("acme", "east", wanted.digest, SET, None) is None
    assert len(store.list(PART)) == 1


@given(
    st.dictionaries(st.integers(0, 9), st.integers(0, 2)),
    st.dictionaries(st.integers(0, 9), st.integers(0, 2)),
)
def test_what_was_known_changes_no_content(old: dict[int, int], new: dict[int, int]) -> None:
    assert content(new, content(old)) == content(new)

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields, is_dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frota.model.availability import AvailabilitySet, Level
from frota.ports.store import StoreError
from frota.store import codec

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | FLOATS | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def values(kind: type) -> st.SearchStrategy[Any]:
    """Any value of a registered type whose numbers are finite, those within it too."""
    return st.from_type(kind).map(_finite)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if isfinite(value) else 0.0
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: _finite(getattr(value, f.name)) for f in fields(value)})
    return tuple(map(_finite, value)) if type(value) is tuple else value


@pytest.mark.parametrize("kind", sorted(codec.KINDS))
@given(data=st.data())
def test_every_kind_comes_back_equal_and_of_the_same_types(kind: str, data: st.DataObject) -> None:
    value = data.draw(values(codec.type_of(kind)))
    text = codec.encode(kind, "x", value)
    found = codec.decode(kind, "x", text)
    assert found == value
    assert repr(found) == repr(value) or "frozenset" in repr(value)
    assert codec.encode(kind, "x", found) == text
    assert set(codec.raw(kind, "x", text)) == {item.name for item in fields(value)}


@given(st.dictionaries(st.text(), JSON))
def test_plain_mappings_come_back_equal(value: dict[str, Any]) -> None:
    text = codec.encode("HostGroup", "x", value)
    assert codec.decode("HostGroup", "x", text) == value == codec.raw("HostGroup", "x", text)


def test_sets_enums_and_tuples_keep_their_types() -> None:
    value = AvailabilitySet(
        "s", "c", "r", (Level.RACK, Level.HOST), (frozenset({"b", "a"}), frozenset())
    )
    text = codec.encode("AvailabilitySet", "s", value)
    found = codec.decode("AvailabilitySet", "s", text)
    assert '"generations":[["a","b"],[]]' in text
    assert isinstance(found.generations[0], frozenset)
    assert isinstance(found.levels, tuple)
    assert found.levels[0] is Level.RACK


@pytest.mark.parametrize(
    "value",
    [
        {"a": float("nan")},
        {"a": float("inf")},
        {"a": (1, 2)},
        {"a": {1: 2}},
        {"a": {1, 2}},
        {"a": object()},
    ],
)
def test_what_json_would_change_is_refused(value: dict[str, Any]) -> None:
    with pytest.raises(StoreError, match=r"^Cluster/east: the value (cannot|would)"):
        codec.encode("Cluster", "east", value)


def test_a_number_without_end_is_refused_in_a_typed_value() -> None:
    value = codec.decode(
        "Lease", "g", '{"holder":"a","term":1,"acquired":0,"renewed":0,"duration":1}'
    )
    assert value.duration == 1.0
    for bad in (float("inf"), float("nan")):
        with pytest.raises(StoreError, match="Lease/g"):
            codec.encode("Lease", "g", type(value)("a", 1, 0.0, 0.0, bad))


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"holder": 1}', '{"holder":"a","term":"x"}']
)
def test_damaged_text_names_the_entry(text: str) -> None:
    with pytest.raises(StoreError, match="Lease/g: the stored value cannot be read"):
        codec.decode("Lease", "g", text)


def test_a_field_with_a_default_may_be_missing() -> None:
    found = codec.decode("Operation", "o", '{"id":"o","verb":"start","vm":"v","later":true}')
    assert (found.id, found.dst, found.epoch) == ("o", "", 0)


def test_showing_entries_loads_no_msgspec(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from frota.store.sqlite import SqliteStore\n"
        "s = SqliteStore(Path(sys.argv[1])); s.raw('Host'); s.raw_get('Host', 'a'); s.close()\n"
        "assert 'msgspec' not in sys.modules and 'pydantic' not in sys.modules"
    )
    subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "frota.db")], check=True, timeout=60
    )

"""YAML to values with positions: what is refused, in which words, and where."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from frota.resources.building import ALIASED_MOST, DEPTH_MOST
from frota.resources.errors import in_order
from frota.resources.reading import TEXT_MOST, read

CASES: dict[str, list[dict[str, str]]] = yaml.safe_load(
    Path(__file__).with_name("bad_yaml.yaml").read_text(encoding="utf-8")
)


def lines(text: str) -> list[str]:
    return [
        str(problem).removeprefix("f.yaml:") for problem in in_order(read("f.yaml", text).problems)
    ]


@pytest.mark.parametrize("case", CASES["syntax"], ids=lambda case: repr(case["text"]))
def test_what_is_not_yaml(case: dict[str, str]) -> None:
    assert lines(case["text"])[0] == case["says"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: \x07", "1:4: expected UTF-8 text; found the character U+0007 (take it out)"),
        ("a: 1\nb: \udcff", "2:4: expected UTF-8 text; found the character U+DCFF (take it out)"),
    ],
)
def test_what_is_not_text(text: str, line: str) -> None:
    assert lines(text) == [line]


@pytest.mark.parametrize("case", CASES["words"], ids=lambda case: case["word"])
def test_words_that_depend_on_the_yaml_version(case: dict[str, str]) -> None:
    word = case["word"]
    assert lines(f"a:\n  - b: {word}") == [f"2:8: a[0].b: expected {case['says']}"]
    quoted = read("f.yaml", f'a: "{word}"')
    assert not quoted.problems
    assert quoted.documents[0].value == {"a": word}


@pytest.mark.parametrize(
    ("word", "value"),
    [("true", True), ("False", False), ("", None), ("~", None), ("null", None), ("12", 12),
     ("-3", -3), ("0x1F", 31), ("0", 0), ("1.5", 1.5), (".5", 0.5), ("1e3", 1000.0),
     ("y", "y"), ("2026-01-02", "2026-01-02"), ("10.0.0.1:53", "10.0.0.1:53"), ("1.2.3", "1.2.3"),
     ("10de:20b0", "10de:20b0"), ("64Gi", "64Gi"), ("=", "="), ("Yesterday", "Yesterday")],
)  # fmt: skip
def test_plain_words(word: str, value: object) -> None:
    assert read("f.yaml", f"a: {word}\n").documents[0].value == {"a": value}


def test_every_document_is_reported() -> None:
    text = "a: [\n---\nb: on\n---\nc: {]\n---\nd: 1\n"
    reading = read("f.yaml", text)
    assert [line.split(" ")[0] for line in lines(text)] == ["2:1:", "3:4:", "5:5:"]
    assert [document.value for document in reading.documents] == [{"b": None}, {"d": 1}]
    assert not reading.complete
    assert reading.documents[1].mark == (7, 1)


def test_positions() -> None:
    (document,) = read(
        "f.yaml", "spec:\n  hosts:\n    - name: a\n      x: {y: [1, two]}\n"
    ).documents
    assert document.locate(()) == (1, 1)
    assert document.locate(("spec", "hosts", 0, "name")) == (3, 13)
    assert document.locate(("spec", "hosts", 0, "name"), key=True) == (3, 7)
    assert document.locate(("spec", "hosts", 0, "x", "y", 1)) == (4, 18)
    assert document.locate(("spec", "hosts", 0, "rack")) == (3, 7), "the host it is missing from"
    assert document.locate(("spec", "storage")) == (1, 1), "the key it is missing under"
    assert document.locate(("spec", "hosts", 7)) == (2, 3)


def test_columns_count_characters() -> None:
    (document,) = read("f.yaml", "\ufeffé: {ü😀: on-call, b: 1}").documents
    assert document.locate(("é", "b")) == (1, 21)


def test_aliases_are_shared_and_bounded() -> None:
    (document,) = read("f.yaml", "a: &x {b: 1}\nc: [*x, *x]\n").documents
    assert document.value == {"a": {"b": 1}, "c": [{"b": 1}, {"b": 1}]}
    assert document.locate(("c", 1)) == (2, 9)
    assert document.locate(("c", 1, "b")) == (1, 11)

    laughs = ["a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha, ha]"]
    laughs += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 40)]
    reading = read("f.yaml", "\n".join(laughs))
    assert not reading.documents
    assert not reading.complete
    assert [problem.message for problem in reading.problems] == [
        f"expected aliases that add at most {ALIASED_MOST} values; found more: aliases of aliases"
    ]


@pytest.mark.parametrize("opening", ["[", "- ", "{a: ", "? "])
def test_deep_nesting_ends_nothing(opening: str) -> None:
    reading = read("f.yaml", opening * 20_000)
    assert not reading.documents
    assert f"expected at most {DEPTH_MOST} levels of nesting; found more" in [
        problem.message for problem in reading.problems
    ]


def test_many_broken_documents_are_bounded() -> None:
    reading = read("f.yaml", "---\na: @\n" * 5000)
    assert len(reading.problems) == 101
    assert "the rest of the file was not read" in str(reading.problems[-1])


def test_a_file_may_be_too_large() -> None:
    reading = read("f.yaml", "#" * (TEXT_MOST + 1))
    assert [problem.hint for problem in reading.problems] == ["split the file"]


def test_a_secret_word_is_not_shown() -> None:
    (line,) = lines("fence: {password: 1:30}")
    assert line == (
        "1:19: fence.password: expected a plain number, or text in quotes; "
        "found a value (not shown: it may be secret) (put it in quotes)"
    )


MARKS = st.sampled_from(
    [*"abk01 \n\t:-[]{},#&*!|>'\"%@`?<~.\\", "---\n", "\n  ", ": ", "- ", "yes"]
)


@given(st.one_of(st.text(), st.lists(MARKS, max_size=60).map("".join)))
def test_no_text_raises(text: str) -> None:
    reading = read("f.yaml", text)
    assert reading.documents or reading.problems
    end = text.count("\n") + text.count("\r") + sum(text.count(c) for c in "\x85\u2028\u2029") + 2
    for problem in reading.problems:
        assert 1 <= problem.line <= end
        assert problem.column >= 1
        assert str(problem).isprintable()
    for document in reading.documents:
        json.dumps(document.value, allow_nan=False)


# Beyond the first plane json.dumps writes halves of a pair, which YAML does not know.
WORDS = st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"]), max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**17), 10**17) | WORDS
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(st.dictionaries(WORDS, JSON, min_size=1, max_size=4))
def test_json_is_read_as_it_is(value: dict[str, Any]) -> None:
    reading = read("f.json", json.dumps(value))
    assert not reading.problems
    assert reading.documents[0].value == value

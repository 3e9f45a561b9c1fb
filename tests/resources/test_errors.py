"""Problems: one line each, in order, bounded, with the nearest right word."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frota.resources.errors import (
    Path,
    Problem,
    in_order,
    listed,
    nearest,
    one_of,
    path_text,
    quoted,
    report,
    secret_word,
    shown,
)


def problem(line: int, column: int = 1, file: str = "f.yaml", found: str = "x") -> Problem:
    return Problem(file, line, column, "spec", "y", found)


def test_one_line() -> None:
    line = Problem(
        "fleet.yaml", 7, 9, "spec.hosts[2].rack", one_of(["r1", "r2"]), quoted("r9"),
        word="r9", choices=("r1", "r2"),
    )  # fmt: skip
    assert str(line) == (
        'fleet.yaml:7:9: spec.hosts[2].rack: expected one of r1, r2; found "r9" (did you mean r1?)'
    )


def test_order_and_repetition() -> None:
    first = problem(2, 5, found="first")
    said = [problem(10), first, problem(2, 5, found="again"), problem(9, file="a.yaml")]
    assert in_order(said) == (problem(9, file="a.yaml"), first, problem(10))


def test_report_is_bounded() -> None:
    lines = report([problem(n + 1) for n in range(250)])
    assert len(lines) == 101
    assert lines[-1] == "and 150 more; mend these first"
    assert report([problem(1)]) == [str(problem(1))]


@pytest.mark.parametrize(
    ("word", "choices", "near"),
    [
        ("hsots", ("racks", "hosts"), "hosts"),
        ("vm_size", ("count", "vmSize"), "vmSize"),
        ("LIBVIRT", ("libvirt", "twin"), "libvirt"),
        ("r9", ("r1", "r2"), "r1"),
        ("zzz", ("racks", "hosts"), ""),
        ("", ("racks",), ""),
        ("x", (), ""),
    ],
)
def test_nearest(word: str, choices: tuple[str, ...], near: str) -> None:
    assert nearest(word, choices) == near


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), ""),
        (("spec", "hosts", 2, "rack"), "spec.hosts[2].rack"),
        (("metadata", "labels", "a/b c"), 'metadata.labels["a/b c"]'),
        (("a", "\x1b[31m"), 'a["\\u001b[31m"]'),
    ],
)
def test_path(path: Path, text: str) -> None:
    assert path_text(path) == text


def test_lists_are_shortened() -> None:
    assert one_of(["a"]) == "a"
    assert listed([str(n) for n in range(14)]) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, … (2 more)"
    assert quoted("x" * 100) == '"' + "x" * 60 + '…"'


@pytest.mark.parametrize(
    "name",
    ["password", "passwd", "snmp-priv-passwd", "PASSWORD", "token", "client_secret", "community",
     "apikey", "api-key", "private_key", "passphrase"],
)  # fmt: skip
def test_secret_words(name: str) -> None:
    assert secret_word(name)


@pytest.mark.parametrize(
    "name", ["password_script", "passwd-script", "identity_file", "username", "ip", "ssh_path",
             "key", "compass"],
)  # fmt: skip
def test_words_that_are_no_secrets(name: str) -> None:
    assert not secret_word(name)


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "nothing"), (True, "true"), (1.5, "1.5"), ("a", '"a"'), ({}, "an empty mapping"),
     ({"a": 1}, "a mapping"), ([1], "a list"), ([], "an empty list")],
)  # fmt: skip
def test_what_was_found(value: object, text: str) -> None:
    assert shown(value) == text


@given(st.text())
def test_what_is_shown_is_printable(text: str) -> None:
    assert quoted(text).isprintable()
    assert path_text((text, 1, text)).isprintable()

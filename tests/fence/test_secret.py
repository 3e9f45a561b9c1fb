"""Secrets are read when they are used and shown nowhere."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frota.drivers.fence.secret import HIDDEN, SIZE_MOST, Secret, SecretError, scrub


def test_a_file_holds_one_line(tmp_path: Path) -> None:
    file = tmp_path / "a.ipmi"
    file.write_text("  hunter2 \n")
    assert Secret(file=str(file)).read() == "  hunter2 "
    file.write_text("changed")
    assert Secret(file=str(file)).read() == "changed"


def test_a_variable_holds_one_line() -> None:
    assert Secret(env="A_IPMI").read({"A_IPMI": "hunter2"}) == "hunter2"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "empty"),
        (b"\n", "empty"),
        (b"hunter2\nsecond\n", "single line"),
        (b"hunter2\x00second", "single line"),
        (b"\xff\xfe", "UTF-8"),
        (b"x" * (SIZE_MOST + 1), "more than"),
    ],
)
def test_anything_else_is_refused_without_being_shown(
    tmp_path: Path, content: bytes, complaint: str
) -> None:
    file = tmp_path / "a.ipmi"
    file.write_bytes(content)
    with pytest.raises(SecretError, match=complaint) as refused:
        Secret(file=str(file)).read()
    assert str(file) in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SecretError, match=r"none.ipmi: No such file"):
        Secret(file=str(tmp_path / "none.ipmi")).read()
    with pytest.raises(SecretError, match="variable A_IPMI: it is not set where Frota runs"):
        Secret(env="A_IPMI").read({})


@given(
    secret=st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=6, max_size=30),
    before=st.text("xyz \n", max_size=20),
)
def test_no_form_of_a_secret_survives(secret: str, before: str) -> None:
    said = f"{before}{secret} {shlex.quote(secret)} {secret!r} {before}"
    shown = scrub(said, [secret])
    assert secret not in shown.replace(HIDDEN, "")


def test_a_secret_within_another_is_hidden_too() -> None:
    assert scrub("abcdef abc", ["abc", "abcdef"]) == f"{HIDDEN} {HIDDEN}"

"""Quantities: what is read, what is written, what is refused and how it is mended."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frota.resources.quantity import (
    BYTES_MAX,
    GIB,
    MIB,
    SECONDS_MAX,
    QuantityError,
    cpus_left,
    format_bytes,
    format_duration,
    format_share,
    memory_left,
    parse_bytes,
    parse_duration,
    parse_share,
    whole_units,
)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("1", 1),
        (1024, 1024),
        ("1Ki", 1 << 10),
        ("256Mi", 256 << 20),
        ("64Gi", 64 << 30),
        ("2Ti", 2 << 40),
        ("1048576Ti", BYTES_MAX),
    ],
)
def test_bytes(text: str | int, number: int) -> None:
    assert parse_bytes(text) == number


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("8G", "write 8Gi"),
        ("8GB", "write 8Gi"),
        ("8 GiB", "write 8Gi"),
        ("512mb", "write 512Mi"),
        ("64k", "write 64Ki"),
        ("1.5Gi", "write 1536Mi"),
        ("0.5Ti", "write 512Gi"),
        ("-1Gi", ""),
        ("", ""),
        ("lots", ""),
        ("8Gi\n", "write 8Gi"),
        ("٨Gi", ""),
        ("9999999999999Ti", ""),
        ("1e3", ""),
    ],
)
def test_bytes_refused(text: str, hint: str) -> None:
    with pytest.raises(QuantityError) as caught:
        parse_bytes(text)
    assert caught.value.hint == hint


def test_whole_units() -> None:
    assert whole_units("3Gi", MIB) == 3072
    with pytest.raises(QuantityError, match="a whole number of Mi") as caught:
        whole_units("1000000", MIB)
    assert caught.value.hint == "write 1Mi"
    with pytest.raises(QuantityError, match="a whole number of Gi") as caught:
        whole_units("1536Mi", GIB)
    assert caught.value.hint == "write 2Gi"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("30s", 30), ("10m", 600), ("2h", 7200), ("1h30m", 5400), ("0s", 0)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("30", "write 30s"),
        ("5 min", "write 5m"),
        ("2d", "write 48h"),
        ("10S", "write 10s"),
        ("3 hours", "write 3h"),
        ("1.5h", ""),
        ("-1s", ""),
        ("", ""),
        ("soon", ""),
        ("9000h", ""),
    ],
)
def test_durations_refused(text: str, hint: str) -> None:
    with pytest.raises(QuantityError) as caught:
        parse_duration(text)
    assert caught.value.hint == hint


@pytest.mark.parametrize(("text", "share"), [("0%", 0), ("30%", 0.3), ("100%", 1)])
def test_shares(text: str, share: float) -> None:
    assert parse_share(text) == share


@pytest.mark.parametrize(
    ("text", "hint"),
    [("0.5", "write 50%"), ("30", "write 30%"), ("12.5%", "write 12%"), ("101%", ""),
     ("-1%", ""), ("half", ""), ("nan", ""), ("inf", "")],
)  # fmt: skip
def test_shares_refused(text: str, hint: str) -> None:
    with pytest.raises(QuantityError) as caught:
        parse_share(text)
    assert caught.value.hint == hint


@given(st.integers(0, BYTES_MAX))
def test_bytes_round_trip(number: int) -> None:
    assert parse_bytes(format_bytes(number)) == number


@given(st.integers(0, SECONDS_MAX * 1000))
def test_durations_round_trip(milliseconds: int) -> None:
    seconds = milliseconds / 1000
    assert parse_duration(format_duration(seconds)) == seconds


@given(st.integers(0, 100))
def test_shares_round_trip(percent: int) -> None:
    assert format_share(parse_share(f"{percent}%")) == f"{percent}%"


@given(st.text())
def test_any_text_is_a_quantity_or_refused(text: str) -> None:
    forms: list[Callable[[str], str]] = [
        lambda written: format_bytes(parse_bytes(written)),
        lambda written: format_duration(parse_duration(written)),
        lambda written: format_share(parse_share(written)),
    ]
    for again in forms:
        shortest = ""
        with contextlib.suppress(QuantityError):
            shortest = again(text)
        assert not shortest or again(shortest) == shortest


def test_room_after_reserve() -> None:
    assert memory_left(10, 4) == 6
    assert memory_left(4, 10) == 0
    assert cpus_left(64, 4, 4) == 240
    assert cpus_left(100, 0, 1.15) == 115  # 114.99999999999999 in binary
    assert cpus_left(2, 4, 4) == 0

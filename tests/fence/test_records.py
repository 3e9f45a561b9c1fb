"""What is read from the shared directory is a record or an error, never anything else."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frota.drivers.fence.lease.records import (
    SIZE_MOST,
    Cause,
    Garbled,
    Marker,
    Order,
    Slot,
    Standing,
    Terms,
    Verb,
    decode,
    encode,
    host_name,
)

SLOT = Slot(
    host="a",
    space="s",
    machine="m",
    boot="b",
    incarnation="b.1",
    counter=1,
    standing=Standing.GUARDING,
    cause=Cause.NONE,
    watchdog=False,
)


def changed(**fields: object) -> bytes:
    document = {**json.loads(encode(SLOT)), **fields}
    return json.dumps({name: value for name, value in document.items() if value != "gone"}).encode()


def test_what_is_written_is_read_back() -> None:
    order, marker = Order("a", "s", "b.1", Verb.FENCE, 7), Marker("s", Terms())
    assert decode(encode(SLOT), Slot) == SLOT
    assert decode(encode(order), Order) == order
    assert decode(encode(marker), Marker) == marker


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"null",
        b"[" * 3000,
        b"\xff\xfe",
        encode(SLOT)[:-20],
        encode(SLOT) * 2,
        changed(counter=-1),
        changed(counter=1.5),
        changed(counter="1"),
        changed(counter=10**30),
        changed(counter=True),
        changed(standing="well"),
        changed(cause="gone"),
        changed(host=""),
        changed(host="x" * 300),
        changed(incarnation=None),
        changed(extra=1),
        encode(SLOT) + b" " * SIZE_MOST,
    ],
)
def test_anything_else_is_garbled(content: bytes) -> None:
    with pytest.raises(Garbled):
        decode(content, Slot)


@given(content=st.binary(max_size=400))
def test_no_content_does_harm(content: bytes) -> None:
    with pytest.raises(Garbled):
        decode(content, Slot)


@given(cut=st.integers(0, len(encode(SLOT)) - 2))
def test_a_torn_slot_is_garbled(cut: int) -> None:
    with pytest.raises(Garbled):
        decode(encode(SLOT)[:cut], Slot)


@pytest.mark.parametrize("terms", [{"lease": 0}, {"lease": -1}, {"lease": 1e9}, {"margin": "5"}])
def test_terms_that_make_no_sense_are_refused(terms: dict[str, object]) -> None:
    document = {"space": "s", "terms": {"lease": 20, "renew": 5, "margin": 5, **terms}}
    with pytest.raises(Garbled):
        decode(json.dumps(document).encode(), Marker)


def test_a_marker_of_a_later_version_is_refused() -> None:
    document = {"space": "s", "terms": {}, "version": 2}
    with pytest.raises(Garbled):
        decode(json.dumps(document).encode(), Marker)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../a", "-a", "a b", "a\n", "x" * 300])
def test_host_names_that_are_no_file_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="host name"):
        host_name(name)


def test_a_frozen_host_is_reset_before_the_proof() -> None:
    terms = Terms()
    assert (terms.pet + terms.watchdog) * 1.01 < terms.proof * 0.99

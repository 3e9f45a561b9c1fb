"""Which envelopes and bundles are followed, and which are refused with which words."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frota.model.bundle import (
    BUNDLE_MOST,
    ENVELOPE_MOST,
    NOTHING,
    Envelope,
    Position,
    Refusal,
    Refused,
)
from frota.planners.bundles import Expected, accept, opened, pack, seal, unpack
from tests.pull.doubles import bundle, config_map, signer

PACKED = pack(bundle("a", "b", text="ü€ \n"))
ENVELOPE = Envelope("acme", "east", 7, PACKED.digest, len(PACKED.text), 1_700_000_000)
TRUSTED = signer(1).public
EXPECTED = Expected("acme", "east", (TRUSTED,), Position(0, 6))


def refusal(text: bytes, expected: Expected = EXPECTED) -> Refused:
    with pytest.raises(Refused) as caught:
        accept(text, expected)
    return caught.value


def forged(change: Callable[[dict[str, Any]], None], inside: bool = False) -> bytes:
    """A good envelope, changed by somebody without the key."""
    outer = json.loads(seal(ENVELOPE, signer(1)))
    if not inside:
        change(outer)
        return json.dumps(outer).encode()
    payload = json.loads(base64.b64decode(outer["payload"]))
    change(payload)
    outer["payload"] = base64.b64encode(json.dumps(payload).encode()).decode()
    return json.dumps(outer).encode()


def test_what_was_sealed_is_followed() -> None:
    assert accept(seal(ENVELOPE, signer(1)), EXPECTED) == ENVELOPE
    found = unpack(PACKED.text, ENVELOPE)
    assert list(found.objects) == [config_map("a", text="ü€ \n"), config_map("b", text="ü€ \n")]


@pytest.mark.parametrize(
    ("text", "expected", "why", "words"),
    [
        (b"", EXPECTED, Refusal.UNREADABLE, "damaged"),
        (b"[]", EXPECTED, Refusal.UNREADABLE, "damaged"),
        (b"\xff\xfe{}", EXPECTED, Refusal.UNREADABLE, "damaged"),
        (b"[" * 9000, EXPECTED, Refusal.UNREADABLE, "damaged"),
        (b" " * (ENVELOPE_MOST + 1), EXPECTED, Refusal.TOO_LARGE, "at most"),
        (b"{}", EXPECTED, Refusal.UNKNOWN_KEY, "no key"),
        (seal(ENVELOPE, signer(2)), EXPECTED, Refusal.UNKNOWN_KEY, signer(2).public.id),
        (seal(ENVELOPE, signer(1)), replace(EXPECTED, keys=()), Refusal.UNKNOWN_KEY, "none"),
        (
            forged(lambda e: e.update(sequence=8), inside=True),
            EXPECTED,
            Refusal.WRONG_SIGNATURE,
            "changed after",
        ),
        (forged(lambda e: e.update(signature="")), EXPECTED, Refusal.WRONG_SIGNATURE, "signature"),
        (forged(lambda e: e.update(signature=7)), EXPECTED, Refusal.WRONG_SIGNATURE, "signature"),
        (forged(lambda e: e.update(payload="?")), EXPECTED, Refusal.WRONG_SIGNATURE, "signature"),
        (
            seal(replace(ENVELOPE, cluster="west"), signer(1)),
            EXPECTED,
            Refusal.OTHER_CLUSTER,
            "cluster west of fleet acme; expected east of acme",
        ),
        (
            seal(replace(ENVELOPE, fleet="other"), signer(1)),
            EXPECTED,
            Refusal.OTHER_CLUSTER,
            "fleet other",
        ),
        (
            seal(replace(ENVELOPE, sequence=5), signer(1)),
            EXPECTED,
            Refusal.OLD,
            "number 0.5, and 0.6",
        ),
        (
            seal(ENVELOPE, signer(1)),
            replace(EXPECTED, last=Position(1, 1)),
            Refusal.OLD,
            "rollback order",
        ),
        (
            seal(ENVELOPE, signer(1)),
            replace(EXPECTED, last=Position(0, 7), digest="f" * 64),
            Refusal.FORKED,
            "two control planes",
        ),
        (
            seal(replace(ENVELOPE, size=BUNDLE_MOST + 1), signer(1)),
            EXPECTED,
            Refusal.TOO_LARGE,
            "at most",
        ),
        (
            seal(replace(ENVELOPE, digest="../../head"), signer(1)),
            EXPECTED,
            Refusal.UNREADABLE,
            "renew the agent",
        ),
    ],
)
def test_refusals(text: bytes, expected: Expected, why: Refusal, words: str) -> None:
    refused = refusal(text, expected)
    assert refused.refusal is why
    assert words in refused.message


def test_a_form_of_the_future_is_refused() -> None:
    text = json.dumps({"form": 2}).encode()
    payload = base64.b64encode(text).decode()
    signature = signer(1).key.sign(b"frota.dev/envelope/v1\n" + text)
    outer = {
        "key": TRUSTED.id,
        "payload": payload,
        "signature": base64.b64encode(signature).decode(),
    }
    assert refusal(json.dumps(outer).encode()).refusal is Refusal.UNREADABLE


def test_the_present_one_again_is_no_rollback() -> None:
    expected = replace(EXPECTED, last=Position(0, 7), digest=PACKED.digest)
    assert accept(seal(ENVELOPE, signer(1)), expected) == ENVELOPE


def test_a_rollback_order_begins_a_new_count_and_ends_the_old_for_good() -> None:
    order = replace(ENVELOPE, sequence=1, order=1, reason="the control plane lost its store")
    high = replace(EXPECTED, last=Position(0, 900))
    assert accept(seal(order, signer(1)), high).position == Position(1, 1)
    after = replace(high, last=Position(1, 1))
    old = replace(ENVELOPE, sequence=901)
    assert refusal(seal(old, signer(1)), after).refusal is Refusal.OLD
    missed = replace(order, sequence=5)  # an agent that was away sees only a later one
    assert accept(seal(missed, signer(1)), high).position == Position(1, 5)


@pytest.mark.parametrize(
    "envelope",
    [
        replace(ENVELOPE, sequence=0),
        replace(ENVELOPE, order=1),
        replace(ENVELOPE, reason="for nothing"),
        replace(ENVELOPE, order=1, reason="x" * 501),
    ],
)
def test_what_is_never_sealed(envelope: Envelope) -> None:
    with pytest.raises(ValueError, match=r"expected 1|needs a reason"):
        seal(envelope, signer(1))


def test_keys_overlap_while_one_is_changed() -> None:
    old, new = signer(1), signer(2)
    both = (old.public, new.public)
    for used in (old, new):
        assert opened(seal(ENVELOPE, used), both) == (ENVELOPE, used.public.id)
    with pytest.raises(Refused):
        opened(seal(ENVELOPE, old), (new.public,))


@pytest.mark.parametrize(
    ("text", "envelope", "why"),
    [
        (PACKED.text + b" ", ENVELOPE, Refusal.WRONG_DIGEST),
        (PACKED.text[:-1] + b" ", ENVELOPE, Refusal.WRONG_DIGEST),
        (b"", ENVELOPE, Refusal.WRONG_DIGEST),
        (PACKED.text, replace(ENVELOPE, cluster="west"), Refusal.OTHER_CLUSTER),
    ],
)
def test_bundles_that_are_not_followed(text: bytes, envelope: Envelope, why: Refusal) -> None:
    with pytest.raises(Refused) as caught:
        unpack(text, envelope)
    assert caught.value.refusal is why


def test_two_objects_of_one_name_are_no_bundle() -> None:
    with pytest.raises(ValueError, match="ConfigMap team-a/a is there twice"):
        pack(bundle("a", "a"))


def test_no_text_shows_a_private_key() -> None:
    secret = signer(9)
    raw = secret.key.private_bytes_raw()
    for text in (repr(secret), str(secret)):
        assert raw.hex() not in text
        assert base64.b64encode(raw).decode() not in text
        assert "PrivateKey" not in text


_TEXT = st.text(st.characters(codec="utf-8"), max_size=9)
_NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
_JSON = st.recursive(
    st.none() | st.booleans() | _TEXT | _NUMBERS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.from_regex(r"[a-z]{1,5}", fullmatch=True), _JSON, max_size=5),
    st.randoms(use_true_random=False),
)
def test_packing_is_canonical_and_faithful(specs: dict[str, Any], order: Any) -> None:
    objects = [{**config_map(name), "spec": spec} for name, spec in specs.items()]
    shuffled = [dict(order.sample(list(item.items()), len(item))) for item in objects]
    order.shuffle(shuffled)
    one = pack(replace(bundle(), objects=tuple(objects)))
    two = pack(replace(bundle(), objects=tuple(shuffled)))
    assert one == two
    envelope = replace(ENVELOPE, digest=one.digest, size=len(one.text))
    found = {item["metadata"]["name"]: item for item in unpack(one.text, envelope).objects}
    assert found == {item["metadata"]["name"]: item for item in objects}


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 6), st.sampled_from("ab")), max_size=20)
)
def test_no_stream_of_signed_envelopes_ever_goes_back(stream: list[tuple[int, int, str]]) -> None:
    last, digest = NOTHING, ""
    for order, sequence, letter in stream:
        envelope = replace(
            ENVELOPE,
            sequence=sequence,
            order=order,
            reason="x" if order else "",
            digest=letter * 64,
        )
        try:
            found = accept(seal(envelope, signer(1)), replace(EXPECTED, last=last, digest=digest))
        except Refused:
            continue
        assert found.position > last or (found.position == last and found.digest == digest)
        last, digest = found.position, found.digest


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 255))
def test_no_changed_byte_is_followed(place: int, flip: int) -> None:
    """Every byte counts, but for those that mean the same to a reader of JSON."""
    text = bytearray(seal(ENVELOPE, signer(1)))
    text[place % len(text)] ^= flip
    try:
        found = accept(bytes(text), EXPECTED)
    except Refused:
        return
    assert found == ENVELOPE

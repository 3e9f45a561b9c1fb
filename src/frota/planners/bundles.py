"""Bundles: packing, signing, and deciding whether to follow one. Pure.

The signature (Ed25519, RFC 8032: no randomness, so the same envelope has the same one) is
over a fixed prefix and the very bytes that are stored, never over a re-encoding of them.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from frota.model.bundle import (
    BUNDLE_MOST,
    ENVELOPE_MOST,
    NUMBER_MOST,
    OBJECTS_MOST,
    REASON_MOST,
    Bundle,
    Envelope,
    Packed,
    Position,
    Refusal,
    Refused,
)
from frota.model.objects import Object, ObjectKey, key_of

_PREFIX = b"frota.dev/envelope/v1\n"  # nothing else that is signed begins so
_BUNDLE_FORM = "frota.dev/bundle/v1"
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A public key; its id is the beginning of the SHA-256 of its 32 bytes."""

    raw: bytes

    @property
    def id(self) -> str:
        """What envelopes and people call it: 16 hexadecimal digits."""
        return sha256(self.raw).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key. It is never shown, not even by ``repr``."""

    key: Ed25519PrivateKey = field(repr=False)

    @property
    def public(self) -> TrustedKey:
        """What those who verify need."""
        return TrustedKey(self.key.public_key().public_bytes_raw())


@dataclass(frozen=True, slots=True)
class Expected:
    """What an agent holds an envelope against: whose it must be, whom it trusts, and the
    last position it followed, with that envelope's digest (empty: not known)."""

    fleet: str
    cluster: str
    keys: tuple[TrustedKey, ...]
    last: Position
    digest: str = ""


def pack(bundle: Bundle) -> Packed:
    """A bundle as it is stored. Raises ValueError for objects that are no plain JSON, two
    with one key, and more than ``BUNDLE_MOST`` bytes."""
    keyed: dict[ObjectKey, Object] = {}
    for item in bundle.objects:
        if keyed.setdefault(key_of(item), item) is not item:
            raise ValueError(f"cluster {bundle.cluster}: {key_of(item)} is there twice")
    objects = [keyed[key] for key in sorted(keyed)]
    text = _canonical(
        {
            "form": _BUNDLE_FORM,
            "fleet": bundle.fleet,
            "cluster": bundle.cluster,
            "terms": bundle.terms,
            "objects": objects,
        }
    )
    if len(text) > BUNDLE_MOST or len(objects) > OBJECTS_MOST:
        raise ValueError(
            f"cluster {bundle.cluster}: {len(objects)} objects of {len(text)} bytes; expected "
            f"at most {OBJECTS_MOST} of {BUNDLE_MOST}"
        )
    return Packed(sha256(text).hexdigest(), text)


def seal(envelope: Envelope, signer: Signer) -> bytes:
    """An envelope, signed, as it is stored. Raises ValueError when a part of it is out of
    its bounds."""
    if not (0 < envelope.sequence <= NUMBER_MOST and 0 <= envelope.order <= NUMBER_MOST):
        raise ValueError(f"position {envelope.position}: expected 1 to {NUMBER_MOST}")
    if len(envelope.reason) > REASON_MOST or bool(envelope.order) != bool(envelope.reason):
        raise ValueError(
            f"a rollback order needs a reason of at most {REASON_MOST} characters; nothing else "
            "has one"
        )
    payload = _canonical(asdict(envelope))
    signature = signer.key.sign(_PREFIX + payload)
    return _canonical(
        {
            "key": signer.public.id,
            "payload": base64.b64encode(payload).decode(),
            "signature": base64.b64encode(signature).decode(),
        }
    )


def opened(text: bytes, keys: Iterable[TrustedKey]) -> tuple[Envelope, str]:
    """An envelope that one of these keys signed, and the key's id. Whose it is and whether
    it is new is not looked at. Raises Refused."""
    if len(text) > ENVELOPE_MOST:
        raise Refused(
            Refusal.TOO_LARGE,
            f"the envelope has {len(text)} bytes; expected at most {ENVELOPE_MOST}",
        )
    outer = _document(text, "the envelope")
    known = {key.id: key for key in keys}
    named = outer.get("key")
    key = known.get(named) if isinstance(named, str) else None
    if key is None:
        shown = named if isinstance(named, str) and len(named) <= 64 else "no key"
        raise Refused(
            Refusal.UNKNOWN_KEY,
            f"the envelope is signed by {shown!r}; trusted: {', '.join(sorted(known)) or 'none'}. "
            "If the key was changed, give its public key to the agent first",
        )
    payload = _bytes(outer.get("payload"))
    try:
        Ed25519PublicKey.from_public_bytes(key.raw).verify(
            _bytes(outer.get("signature")), _PREFIX + payload
        )
    except (InvalidSignature, ValueError):
        raise Refused(
            Refusal.WRONG_SIGNATURE,
            f"the signature is not one of key {key.id}: the envelope was changed after it was "
            "signed, or not signed by Frota",
        ) from None
    return _envelope(_document(payload, "the envelope")), key.id


def accept(text: bytes, expected: Expected) -> Envelope:
    """The envelope to follow: a later one, or the present one again. Raises Refused."""
    envelope, _ = opened(text, expected.keys)
    whose = (envelope.fleet, envelope.cluster)
    if whose != (expected.fleet, expected.cluster):
        raise Refused(
            Refusal.OTHER_CLUSTER,
            f"the envelope is for cluster {envelope.cluster} of fleet {envelope.fleet}; expected "
            f"{expected.cluster} of {expected.fleet}. Somebody put it into the wrong place",
        )
    found, last = envelope.position, expected.last
    if found < last:
        raise Refused(
            Refusal.OLD,
            f"the envelope is number {found}, and {last} was followed already. Going back needs "
            "a signed rollback order; without one, somebody put an old envelope back",
        )
    if found == last and expected.digest not in ("", envelope.digest):
        raise Refused(
            Refusal.FORKED,
            f"there are two envelopes with number {found}: two control planes sign for this "
            "cluster with one key. Stop one; the next number settles it",
        )
    if envelope.size > BUNDLE_MOST:
        raise Refused(
            Refusal.TOO_LARGE,
            f"the bundle has {envelope.size} bytes; expected at most {BUNDLE_MOST}",
        )
    return envelope


def unpack(text: bytes, envelope: Envelope) -> Bundle:
    """The bundle that an envelope names. Raises Refused."""
    if len(text) != envelope.size or sha256(text).hexdigest() != envelope.digest:
        raise Refused(
            Refusal.WRONG_DIGEST,
            f"the bundle is not the one that was signed: {len(text)} bytes, expected "
            f"{envelope.size} with SHA-256 {envelope.digest}",
        )
    document = _document(text, "the bundle")
    whose = (document.get("fleet"), document.get("cluster"))
    if whose != (envelope.fleet, envelope.cluster):
        raise Refused(
            Refusal.OTHER_CLUSTER,
            f"the bundle is not for cluster {envelope.cluster} of fleet {envelope.fleet}, as its "
            "envelope says",
        )
    objects, terms = document.get("objects"), document.get("terms")
    known = document.get("form") == _BUNDLE_FORM
    if not (known and isinstance(objects, list) and isinstance(terms, dict)):
        raise Refused(
            Refusal.UNREADABLE,
            f"the bundle has not the form {_BUNDLE_FORM}; a newer Frota wrote it: renew the agent",
        )
    try:
        for item in objects:
            key_of(item)
    except (KeyError, TypeError, AttributeError):
        raise Refused(Refusal.UNREADABLE, "the bundle has an object without a name") from None
    return Bundle(envelope.fleet, envelope.cluster, tuple(objects), terms)


def _canonical(value: Mapping[str, Any]) -> bytes:
    """JSON with sorted keys and nothing between: one text for one value."""
    text = json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode()


def _document(text: bytes, what: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Refused(Refusal.UNREADABLE, f"{what} is no object of JSON: it is damaged")
    return found


def _bytes(value: object) -> bytes:
    try:
        return base64.b64decode(value, validate=True) if isinstance(value, str) else b""
    except (binascii.Error, ValueError):
        return b""


def _envelope(document: dict[str, Any]) -> Envelope:
    try:
        envelope = Envelope(**document)
    except TypeError:
        envelope = None
    if envelope is None or not _sound(envelope):
        raise Refused(
            Refusal.UNREADABLE,
            "the envelope has not the form that this agent knows; a newer Frota wrote it: renew "
            "the agent",
        )
    return envelope


def _sound(envelope: Envelope) -> bool:
    numbers = (envelope.sequence, envelope.size, envelope.made, envelope.order)
    words = (envelope.fleet, envelope.cluster, envelope.digest, envelope.reason)
    return (
        all(type(number) is int and 0 <= number <= NUMBER_MOST for number in numbers)
        and all(isinstance(word, str) for word in words)
        and envelope.sequence > 0
        and _DIGEST.fullmatch(envelope.digest) is not None
    )

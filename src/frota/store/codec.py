"""How values become stored text and come back the same.

Kinds that Frota makes are frozen dataclasses of ``frota.model``, by the registry below.
Every other kind is a plain JSON mapping, as people wrote it. A value whose text would not
come back equal (NaN, a tuple in a mapping) is refused when it is written, not when it is
needed. msgspec is imported at the first typed value: commands that only show entries do
well without it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from importlib import import_module
from typing import Any

from frota.ports.store import StoreError

# By name, so that a command that only shows entries does not load them.
KINDS: Mapping[str, str] = {
    "AvailabilitySet": "frota.model.availability:AvailabilitySet",
    "ClusterStatus": "frota.model.release:ClusterStatus",
    "Condition": "frota.model.condition:Condition",
    "Definition": "frota.model.definition:Definition",
    "Host": "frota.model.host:Host",
    "Lease": "frota.model.lease:Lease",
    "Operation": "frota.model.vm:Operation",
    "PruneApproval": "frota.model.deliveryplan:PruneApproval",
    "Release": "frota.model.release:Release",
    "Rollout": "frota.model.rollout:Rollout",
    "Verdict": "frota.model.availability:Verdict",
    "VirtualMachine": "frota.model.vm:Vm",
}


@cache
def type_of(kind: str) -> type:
    """The type of a kind's values."""
    if kind not in KINDS:
        return dict
    module, _, name = KINDS[kind].partition(":")
    found: type = getattr(import_module(module), name)
    return found


def check(kind: str, name: str, value: object) -> None:
    """Raise StoreError unless the value is of the type that its kind asks for."""
    expected = type_of(kind)
    if type(value) is not expected:
        raise StoreError(
            f"{kind}/{name}: a value of {type(value).__name__} was handed to the store where "
            f"{expected.__name__} was expected"
        )


def encode(kind: str, name: str, value: object) -> str:
    """The stored text of a value. Raises StoreError when it would not come back equal."""
    check(kind, name, value)
    quick = _quick_text(value) if kind not in KINDS else ""
    if quick:
        return quick
    try:
        text = _typed_text(value) if kind in KINDS else json.dumps(value, allow_nan=False)
        faithful = decode(kind, name, text) == value
    except (TypeError, ValueError, OverflowError, RecursionError, StoreError) as error:
        raise StoreError(f"{kind}/{name}: the value cannot be stored as JSON: {error}") from error
    if not faithful:
        raise StoreError(
            f"{kind}/{name}: the value would change on its way through JSON; expected only "
            "finite numbers, text, lists, and mappings with text keys"
        )
    return text


def decode(kind: str, name: str, text: str) -> Any:
    """The value behind stored text. Raises StoreError when it is no value of its kind."""
    try:
        return _decoder(kind)(text)
    except ValueError as error:  # msgspec's and json's errors are both ValueErrors
        raise StoreError(
            f"{kind}/{name}: the stored value cannot be read ({error}); the file is damaged or "
            "was written by another program: put a copy in its place"
        ) from error


def raw(kind: str, name: str, text: str) -> dict[str, Any]:
    """The stored text as a JSON mapping, whatever the kind, without loading msgspec."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise StoreError(f"{kind}/{name}: the stored value cannot be read ({error})") from error
    if not isinstance(value, dict):
        raise StoreError(f"{kind}/{name}: the stored value is not a mapping")
    return value


@cache
def _encoder() -> Callable[[object], bytes]:
    import msgspec

    # Sets have no order of their own; sorted, the same value always gives the same text.
    return msgspec.json.Encoder(order="deterministic").encode


def _quick_text(value: object) -> str:
    """A plain value as text, in a fifth of the time that ``json`` takes; empty where it would
    not come back equal."""
    import msgspec

    with suppress(msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError):
        text = msgspec.json.encode(value)
        if msgspec.json.decode(text) == value:
            return text.decode()
    return ""


def _typed_text(value: object) -> str:
    return _encoder()(value).decode()


@cache
def _decoder(kind: str) -> Callable[[str], Any]:
    if kind not in KINDS:
        return json.loads
    import msgspec

    return msgspec.json.Decoder(type_of(kind)).decode

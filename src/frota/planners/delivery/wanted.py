"""What one cluster should have, made ready for comparing: done once for each content."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

import msgspec

from frota.compile.kubernetes import applyset
from frota.compile.kubernetes.applyset import ID
from frota.model.objects import MEMBERSHIP_LABEL, Object, ObjectKey, key_of

# The digest of what was sent last, on the object itself. What the API server stores differs
# from what was sent (defaults, other forms of quantities, admission): only this says whether
# the content changed, or was only written in another way.
APPLIED = "frota.dev/applied"
APPLY = "frota.dev/apply"
ONCE = "once"  # written at its creation, then left to the controllers that run it
_DIGEST_LENGTH = 32


@dataclass(frozen=True, slots=True)
class Altered:
    """A content that was made from another one of the same keys: the digest of that one, and
    the keys of what is other than there."""

    digest: str
    keys: frozenset[ObjectKey]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Objects by key in the order they came, with the digest of each and of all."""

    objects: Mapping[ObjectKey, Object]
    digests: Mapping[ObjectKey, str]
    digest: str
    altered: Altered | None = field(default=None, compare=False)


def prepare(objects: Sequence[Object], membership: str, known: Wanted | None = None) -> Wanted:
    """Objects ready for comparing. ``known``: made ready before with the same membership; what
    is the very same object there is not looked at again. Raises ValueError for two of one key,
    and for one that does not carry the membership label: it could never be pruned."""
    altered = _altered(objects, membership, known) if known is not None else None
    if altered is not None:
        return altered
    by_key: dict[ObjectKey, Object] = {}
    for item in objects:
        key = key_of(item)
        if key in by_key:
            raise ValueError(f"{key} is there twice; every object has one source")
        by_key[key] = item
    digests = {key: _checked(item, membership) for key, item in by_key.items()}
    return Wanted(by_key, digests, _digest_of_all(digests))


def _altered(objects: Sequence[Object], membership: str, known: Wanted) -> Wanted | None:
    """The same where all but a few objects are as they were; None: it is another list."""
    if len(objects) != len(known.objects):
        return None
    by_key, digests = dict(known.objects), dict(known.digests)
    keys = set()
    for item, (key, old) in zip(objects, known.objects.items(), strict=True):
        if item is not old:
            if key_of(item) != key:
                return None
            by_key[key], digests[key] = item, _checked(item, membership)
            keys.add(key)
    altered = Altered(known.digest, frozenset(keys))
    return Wanted(by_key, digests, _digest_of_all(digests), altered)


def _digest_of_all(digests: Mapping[ObjectKey, str]) -> str:
    return digest(sorted(digests.values()))


def _checked(item: Object, membership: str) -> str:
    """The digest of an object of this set."""
    if labels_of(item).get(MEMBERSHIP_LABEL) != membership:
        raise ValueError(f"{key_of(item)} does not carry {MEMBERSHIP_LABEL}: {membership}")
    return digest(item)


def covering(wanted: Wanted, surplus: Iterable[ObjectKey], membership: str) -> Wanted:
    """With the parent of the set as it must be while ``surplus`` is there too (KEP-3659)."""
    keys = list(surplus)
    objects = wanted.objects
    parent = next((k for k, o in objects.items() if labels_of(o).get(ID) == membership), None)
    if parent is None or not keys:
        return wanted
    wider = applyset.covering(objects[parent], keys)
    return replace(
        wanted,
        objects={**objects, parent: wider},
        digests={**wanted.digests, parent: digest(wider)},
    )


def digest(value: object) -> str:
    """A short name of a JSON value: the same for the same value, whatever its order."""
    text = msgspec.json.encode(value, enc_hook=_plain, order="deterministic")
    return sha256(text).hexdigest()[:_DIGEST_LENGTH]


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


def stamped(item: Object, applied: str) -> Object:
    """The object as it is sent: with the digest of its content."""
    metadata = dict(item["metadata"])
    metadata["annotations"] = {**(metadata.get("annotations") or {}), APPLIED: applied}
    return {**item, "metadata": metadata}


def labels_of(item: Object) -> Mapping[str, Any]:
    """The labels of an object; empty when it has none."""
    return item["metadata"].get("labels") or {}


def annotations_of(item: Object) -> Mapping[str, Any]:
    """The annotations of an object; empty when it has none."""
    return item["metadata"].get("annotations") or {}


def uid_of(item: Object) -> str:
    """The uid that the API server gave an object."""
    return str(item["metadata"].get("uid", ""))


def revision_of(item: Object) -> str:
    """The resourceVersion of an object."""
    return str(item["metadata"].get("resourceVersion", ""))

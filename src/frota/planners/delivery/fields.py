"""Which fields differ, and whose they are: by the managedFields of server-side apply.

A field that Frota sent and that is still Frota's in managedFields has not been changed by
anybody since: the API server takes a field from its managers when another writes another
value. So a difference is first of all a difference of ownership, and needs no schema: the
form of ``fieldsV1`` (structured-merge-diff: ``f:`` a field, ``k:`` an item by its keys, ``v:``
an item by its value, ``.`` the thing itself, ``{}`` a whole value) says which lists are
associative and which are whole values.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from frota.model.objects import FIELD_MANAGER, Object
from frota.planners.delivery.quantity import same_quantity
from frota.planners.delivery.wanted import APPLIED

Path = tuple[str, ...]
_SELF = "."
_TOLD = frozenset({"apiVersion", "kind", "metadata", "status"})
_META = ("labels", "annotations", "finalizers", "ownerReferences")
# Where a number may be written as a quantity; elsewhere "1" and 1 are different things.
_QUANTITIES = frozenset(
    {"limits", "requests", "hard", "capacity", "min", "max", "default", "defaultRequest"}
    | {"maxLimitRequestRatio", "sizeLimit", "averageValue", "value", "nominalQuota"}
    | {"borrowingLimit", "lendingLimit", "minResources", "divisor"}
)
_MISSING = object()


@dataclass(slots=True)
class Differences:
    """``unowned``: wanted, and not Frota's in the cluster. ``surplus``: Frota's in the
    cluster, and not wanted any more. ``other``: Frota's, with another value than wanted."""

    unowned: list[Path] = field(default_factory=list)
    surplus: list[Path] = field(default_factory=list)
    other: list[Path] = field(default_factory=list)

    @property
    def none(self) -> bool:
        """Whether nothing differs."""
        return not (self.unowned or self.surplus or self.other)


def differences(wanted: Object, applied: str, live: Object) -> Differences:
    """Compare an object with the live one, as it would be after it was sent with ``applied``
    as the digest of its content."""
    found = Differences()
    owned = _owned_by_frota(live)
    if owned is None:
        found.unowned.append(())
        return found
    fields = {name: part for name, part in owned.items() if name != "f:metadata"}
    body = {name: value for name, value in wanted.items() if name not in _TOLD}
    _map(body, fields, live, (), found)
    meta = {name: wanted["metadata"].get(name) for name in _META}
    meta["annotations"] = {**(meta["annotations"] or {}), APPLIED: applied}
    owned_meta = owned.get("f:metadata") or {}
    _map(meta, owned_meta, live["metadata"], ("f:metadata",), found)
    return found


def entries(live: Object) -> Sequence[Mapping[str, Any]]:
    """The entries of managedFields; hostile forms are left out."""
    listed = live["metadata"].get("managedFields")
    if not isinstance(listed, list):
        return ()
    return [entry for entry in listed if isinstance(entry, Mapping)]


def is_ours(entry: Mapping[str, Any]) -> bool:
    """Whether an entry of managedFields stands for what Frota applied."""
    return (
        entry.get("manager") == FIELD_MANAGER
        and entry.get("operation") == "Apply"
        and not entry.get("subresource")
    )


def _owned_by_frota(live: Object) -> Mapping[str, Any] | None:
    for entry in entries(live):
        if is_ours(entry):
            owned = entry.get("fieldsV1")
            return owned if isinstance(owned, Mapping) else None
    return None


def _map(
    wanted: Mapping[str, Any],
    owned: Mapping[str, Any],
    live: Mapping[str, Any],
    path: Path,
    found: Differences,
) -> None:
    met = 1 if _SELF in owned else 0
    for name, value in wanted.items():
        label = "f:" + name
        part = owned.get(label)
        if part is None:
            if value is not None and not _nothing(value, live.get(name)):
                found.unowned.append((*path, label))
            continue
        met += 1
        if value is not None:
            _value(value, part, live.get(name, _MISSING), (*path, label), found)
        elif live.get(name) is not None:
            found.surplus.append((*path, label))
    if met != len(owned):
        known = {"f:" + name for name in wanted}
        found.surplus += [(*path, x) for x in owned if x != _SELF and x not in known]


def _nothing(value: object, live: object) -> bool:
    """An empty list, or map, owns no field; it is there when there is nothing else."""
    return not live and isinstance(value, list | Mapping) and not value


def _value(
    value: object, owned: Mapping[str, Any], live: object, path: Path, found: Differences
) -> None:
    whole = not owned or (len(owned) == 1 and _SELF in owned)
    if whole:
        if live != value and not _equal(value, live, path[-1]):
            found.other.append(path)
    elif value.__class__ is dict or isinstance(value, Mapping):  # asking an ABC takes long
        if live.__class__ is dict or isinstance(live, Mapping):
            _quantities_aside(value, owned, live, path, found)
        else:
            found.other.append(path)
    elif isinstance(value, list) and isinstance(live, list):
        _items(value, owned, live, path, found)
    else:
        found.other.append(path)


def _quantities_aside(
    value: Mapping[str, Any],
    owned: Mapping[str, Any],
    live: Mapping[str, Any],
    path: Path,
    found: Differences,
) -> None:
    """A map; where its values are quantities, those that are the same are not different."""
    before = len(found.other)
    _map(value, owned, live, path, found)
    if len(found.other) > before and path[-1].removeprefix("f:") in _QUANTITIES:
        found.other[before:] = [
            p
            for p in found.other[before:]
            if not same_quantity(value.get(p[-1][2:]), live.get(p[-1][2:]))
        ]


def _items(
    wanted: Sequence[Any],
    owned: Mapping[str, Any],
    live: Sequence[Any],
    path: Path,
    found: Differences,
) -> None:
    """A list whose items have owners of their own."""
    met: set[str] = set()
    for item in wanted:
        label = _label(item, owned)
        if label is None:
            found.unowned.append((*path, _shown(item)))
            continue
        met.add(label)
        here = _item(live, label)
        if here is _MISSING:
            found.other.append((*path, label))
        elif isinstance(item, Mapping) and isinstance(here, Mapping):
            inner = owned[label]
            if inner and not (len(inner) == 1 and _SELF in inner):
                # A key that was left out and defaulted is part of the item's name.
                defaulted = {k: v for k, v in _keys(label).items() if k not in item}
                ours = {k: v for k, v in inner.items() if k[2:] not in defaulted}
                _map(item, ours, here, (*path, label), found)
    if len(met) < len(owned):
        found.surplus += [(*path, x) for x in owned if x != _SELF and x not in met]


def _label(item: object, owned: Mapping[str, Any]) -> str | None:
    """Under which name an item is in ``owned``: all keys that it has are the same there."""
    if not isinstance(item, Mapping):
        text = "v:" + json.dumps(item, separators=(",", ":"))
        return text if text in owned else None
    near = None
    for label in owned:
        if label.startswith("k:"):
            keys = _keys(label)
            if all(item.get(name, value) == value for name, value in keys.items()):
                if all(name in item for name in keys):
                    return label
                if near is None or keys.get("protocol") == "TCP":
                    near = label
    return near


def _item(live: Sequence[Any], label: str) -> Any:
    """The item of a live list that a label of ``fieldsV1`` names."""
    if label.startswith("v:"):
        value = _scalar(label)
        return value if value in live else _MISSING
    keys = _keys(label)
    for item in live:
        if isinstance(item, Mapping) and all(item.get(k) == v for k, v in keys.items()):
            return item
    return _MISSING


@lru_cache(maxsize=4096)
def _keys(label: str) -> Mapping[str, Any]:
    """The keys in ``k:{…}``; empty when it cannot be read."""
    parsed = _scalar(label)
    return parsed if isinstance(parsed, dict) else {}


def _scalar(label: str) -> Any:
    try:
        return json.loads(label[2:])
    except ValueError:
        return None


def _shown(item: object) -> str:
    """A name for an item that nobody owns, for messages."""
    if not isinstance(item, Mapping):
        return "v:" + json.dumps(item)
    names = ("name", "key", "type", "port", "containerPort", "mountPath", "topologyKey", "uid")
    keys = {name: item[name] for name in names if name in item}
    return "k:" + json.dumps(dict(list(keys.items())[:1]))


def _equal(value: object, live: object, name: str) -> bool:
    """Whether two values are the same to Kubernetes: what is empty may be left out (its
    owner is known, so nobody took it away), and what is not wanted may be defaulted."""
    if live is _MISSING or live is None:
        return not value
    plain = name.removeprefix("f:")
    if isinstance(value, Mapping):
        return isinstance(live, Mapping) and all(
            v is None or _equal(v, live.get(k), plain if plain in _QUANTITIES else k)
            for k, v in value.items()
        )
    if isinstance(value, list):
        return (
            isinstance(live, list)
            and len(live) == len(value)
            and all(a == b or _equal(a, b, name) for a, b in zip(value, live, strict=True))
        )
    if isinstance(value, bool) or isinstance(live, bool):
        return value is live
    if value == live:
        return True
    return plain in _QUANTITIES and same_quantity(value, live)


def shares_with_frota(live: Object, entry: Mapping[str, Any]) -> bool:
    """Whether another manager's entry and Frota's hold a field together."""
    return _overlap(_owned_by_frota(live) or {}, entry.get("fieldsV1"))


def _overlap(one: Mapping[str, Any], other: object) -> bool:
    if not isinstance(other, Mapping):
        return False
    for label, part in one.items():
        if label in other and label != _SELF:
            inner = other[label]
            if not part or not inner or _overlap(part, inner):
                return True
    return False


def holders(live: Object, path: Path) -> Iterator[Mapping[str, Any]]:
    """The entries of others that hold a field, or something in it."""
    for entry in entries(live):
        if not is_ours(entry) and _holds(entry.get("fieldsV1"), path):
            yield entry


def _holds(owned: object, path: Path) -> bool:
    for depth, label in enumerate(path):
        if not isinstance(owned, Mapping):
            return False
        if not owned and depth:
            return True  # a whole value that the field is in
        part = owned.get(label)
        if part is None and label.startswith("k:"):
            part = next((owned[x] for x in owned if x[:2] == "k:" and _within(label, x)), None)
        if part is None:
            return False
        owned = part
    return bool(path)


def _within(few: str, many: str) -> bool:
    """Whether the keys of one label are all in another, with the same values."""
    keys = _keys(many)
    return bool(_keys(few)) and all(keys.get(k) == v for k, v in _keys(few).items())


def found_at(item: object, path: Path) -> Any:
    """The value at a path of ``fieldsV1``; None when there is none."""
    for label in path:
        if label.startswith("f:") and isinstance(item, Mapping):
            item = item.get(label[2:])
        elif isinstance(item, list):
            item = next((x for x in [_item(item, label)] if x is not _MISSING), None)
        else:
            return None
    return item


def shown(path: Path) -> str:
    """A path for people: ``.spec.containers[name="app"].image``."""
    words = []
    for label in path:
        if label.startswith("f:"):
            name = label[2:]
            words.append(f".{name}" if name.replace("-", "").isalnum() else f'["{name}"]')
        elif label.startswith("k:"):
            keys = _keys(label)
            words.append("[" + ",".join(f"{k}={json.dumps(v)}" for k, v in keys.items()) + "]")
        else:
            words.append(f"[{label[2:]}]")
    return "".join(words) or "."

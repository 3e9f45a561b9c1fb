"""Sets of fields, as managedFields has them: taken from objects, and read and written by."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from frota.twin.clusters.schema import KEY_DEFAULTS, SET, Node, is_whole, list_keys

Path = tuple[str, ...]
SELF = "."
MISSING = object()
_NOBODYS_META = frozenset(
    {"name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp"}
    | {"managedFields", "deletionTimestamp"}
)


def leaves(item: Mapping[str, Any], *, status: bool = False) -> frozenset[Path]:
    """The fields of an object that somebody can own; of its status only when asked."""
    found: set[Path] = set()
    for name, value in item.items():
        if name in ("apiVersion", "kind") or (name == "status") is not status:
            continue
        if name == "metadata":
            kept = {k: v for k, v in value.items() if k not in _NOBODYS_META}
            found.update(_leaves(kept, ("f:metadata",)) if kept else ())
        else:
            found.update(_leaves(value, (f"f:{name}",)))
    return frozenset(found)


def _leaves(value: object, path: Path) -> Iterator[Path]:
    if isinstance(value, dict) and value and not is_whole(path):
        for name, inner in value.items():
            yield from _leaves(inner, (*path, f"f:{name}"))
    elif isinstance(value, list) and list_keys(path):
        for item in value:
            label = _label(item, list_keys(path))
            yield (*path, label, SELF)
            if isinstance(item, dict):
                for name, inner in item.items():
                    yield from _leaves(inner, (*path, label, f"f:{name}"))
    else:
        yield path


def _label(item: Any, keys: tuple[str, ...]) -> str:
    if keys == SET or not isinstance(item, dict):
        return "v:" + json.dumps(item, separators=(",", ":"))
    found = {k: item.get(k, KEY_DEFAULTS.get(k)) for k in sorted(keys)}
    named = {k: v for k, v in found.items() if v is not None}
    return "k:" + json.dumps(named, separators=(",", ":"))


def to_fields_v1(paths: Iterable[Path]) -> Node:
    """The nested form."""
    root: Node = {}
    for path in sorted(paths):
        node = root
        for label in path:
            node = node.setdefault(label, {})
    return root


def value_at(item: Any, path: Path) -> Any:
    """The value at a path; ``MISSING`` when there is none."""
    for label in path:
        if label == SELF:
            return True
        if label.startswith("f:"):
            if not isinstance(item, dict) or label[2:] not in item:
                return MISSING
            item = item[label[2:]]
        else:
            place = _place(item, label)
            if place is None:
                return MISSING
            item = item[place]
    return item


def _place(items: Any, label: str) -> int | None:
    if not isinstance(items, list):
        return None
    wanted = json.loads(label[2:])
    for place, item in enumerate(items):
        if label.startswith("v:"):
            if item == wanted:
                return place
        elif isinstance(item, dict) and all(
            item.get(k, KEY_DEFAULTS.get(k)) == v for k, v in wanted.items()
        ):
            return place
    return None


def put(item: Node, path: Path, value: Any) -> None:
    """Write the value at a path, with all that leads to it."""
    node: Any = item
    for depth, label in enumerate(path):
        last = depth == len(path) - 1
        if label == SELF:
            return
        if label.startswith("f:"):
            if last:
                node[label[2:]] = value
                return
            following = path[depth + 1]
            fresh: Any = [] if following[:2] in ("k:", "v:") else {}
            inner = node.get(label[2:])
            if not isinstance(inner, type(fresh)):
                inner = node[label[2:]] = fresh
            node = inner
        else:
            place = _place(node, label)
            if place is None:
                node.append(json.loads(label[2:]))
                place = len(node) - 1
            node = node[place]


def drop(item: Node, path: Path) -> None:
    """Remove what is at a path, and the maps and lists that are empty after it."""
    trail: list[tuple[Any, Any]] = []
    node: Any = item
    for label in path:
        if label == SELF:
            break
        place = label[2:] if label.startswith("f:") else _place(node, label)
        if place is None or (isinstance(node, dict) and place not in node):
            return
        trail.append((node, place))
        node = node[place]
    holder, place = trail.pop()
    del holder[place]
    while trail and not holder:
        holder, place = trail.pop()
        del holder[place]


def order_as(item: Any, applied: Any, path: Path = ()) -> None:
    """Put the items of associative lists in the order in which they were applied; those
    that were not applied come after them."""
    if isinstance(item, dict) and isinstance(applied, dict):
        for name, inner in applied.items():
            order_as(item.get(name), inner, (*path, f"f:{name}"))
    elif isinstance(item, list) and isinstance(applied, list) and path and list_keys(path):
        keys = list_keys(path)
        labels = [_label(one, keys) for one in applied]
        place = {label: index for index, label in enumerate(labels)}
        item.sort(key=lambda one: place.get(_label(one, keys), len(place)))
        for one in item:
            index = place.get(_label(one, keys))
            if index is not None:
                order_as(one, applied[index], (*path, labels[index]))

"""One object in a simulated API server, and who owns which of its fields."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from frota.twin.clusters.fields import (
    Path,
    drop,
    leaves,
    order_as,
    put,
    to_fields_v1,
    value_at,
)
from frota.twin.clusters.schema import Node, fill_in

_EPOCH = 1_800_000_000  # when the world's clock was 0


class FieldOwner(NamedTuple):
    """Who wrote, as managedFields tells managers apart."""

    name: str
    operation: str  # Apply or Update
    subresource: str = ""


@dataclass(frozen=True, slots=True)
class Owned:
    """The fields of one manager, and when it changed them last."""

    paths: frozenset[Path]
    at: float
    version: str


@dataclass(frozen=True, slots=True)
class Stored:
    """An object as it is kept. Never changed: a write makes another one."""

    item: Node
    owned: Mapping[FieldOwner, Owned] = field(default_factory=dict)

    def shown(self) -> Node:
        """The object as a client sees it."""
        entries = [
            {
                "manager": manager.name,
                "operation": manager.operation,
                "apiVersion": owned.version,
                "time": stamp(owned.at),
                "fieldsType": "FieldsV1",
                "fieldsV1": to_fields_v1(owned.paths),
                **({"subresource": manager.subresource} if manager.subresource else {}),
            }
            for manager, owned in self.owned.items()
            if owned.paths
        ]
        return {**self.item, "metadata": {**self.item["metadata"], "managedFields": entries}}

    def same(self, other: Stored) -> bool:
        """Whether a write changed nothing."""
        ours = {m: o.paths for m, o in self.owned.items() if o.paths}
        theirs = {m: o.paths for m, o in other.owned.items() if o.paths}
        return self.item == other.item and ours == theirs


def stamp(at: float) -> str:
    """A time of the world as API servers write it."""
    return datetime.fromtimestamp(_EPOCH + int(at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def conflicts(
    old: Stored, applied: Node, paths: Iterable[Path], manager: FieldOwner
) -> tuple[tuple[FieldOwner, Path], ...]:
    """The fields that others own and that would get another value."""
    found = []
    changed = [p for p in paths if value_at(applied, p) != value_at(old.item, p)]
    for other, owned in old.owned.items():
        if other != manager:
            found += [(other, path) for path in changed if path in owned.paths]
    return tuple(found)


def applied_to(old: Stored | None, applied: Node, manager: FieldOwner, now: float) -> Stored:
    """The object after a server-side apply that is forced, or has no conflicts."""
    paths = leaves(applied)
    if old is None:
        item = deepcopy(applied)
        before: Mapping[FieldOwner, Owned] = {}
    else:
        item, before = deepcopy(old.item), old.owned
        item["apiVersion"] = applied["apiVersion"]
    others = {m: o for m, o in before.items() if m != manager}
    held = frozenset().union(*(o.paths for o in others.values()))
    mine = before.get(manager)
    given_up = sorted((mine.paths if mine else frozenset()) - paths - held, reverse=True)
    for path in given_up:
        drop(item, path)
    taken = set()
    for path in sorted(paths):
        value = value_at(applied, path)
        if value_at(item, path) != value:
            taken.add(path)
            put(item, path, deepcopy(value))
    order_as(item, applied)
    fill_in(item)
    owned = {m: Owned(o.paths - taken, o.at, o.version) for m, o in others.items()}
    changed = mine is None or mine.paths != paths or bool(taken or given_up)
    at = now if changed or mine is None else mine.at
    owned[manager] = Owned(paths, at, applied["apiVersion"])
    return Stored(item, owned)


def updated(old: Stored, item: Node, manager: FieldOwner, now: float) -> Stored:
    """The object after an update: what changed is the writer's, whoever owned it."""
    fill_in(item)
    status = manager.subresource == "status"
    before, after = leaves(old.item, status=status), leaves(item, status=status)
    changed = {p for p in after if value_at(old.item, p) != value_at(item, p)}
    lost = (before - after) | changed
    owned = {m: Owned(o.paths - lost, o.at, o.version) for m, o in old.owned.items()}
    if changed or lost:
        mine = owned.get(manager)
        kept = mine.paths if mine is not None else frozenset()
        owned[manager] = Owned(kept | changed, now, item["apiVersion"])
    return Stored(item, owned)


def spec_of(item: Mapping[str, Any]) -> Node:
    """What ``generation`` counts changes of."""
    return {k: v for k, v in item.items() if k not in ("metadata", "status")}

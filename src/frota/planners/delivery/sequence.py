"""What comes after something that failed waits for it, as within one delivery: no workload
without its policies, and nothing is deleted before what takes its place is there."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import replace
from math import inf

from frota.compile.kubernetes.order import PARENT, rank
from frota.model.deliveryplan import Action, Item
from frota.model.objects import ObjectKey
from frota.planners.delivery.wanted import Wanted

_FAILED = frozenset({"Refused", "Failed"})
_EVERYWHERE = ""
# What somebody else changed is put right all the same.
_WAITS = frozenset({Action.CREATE, Action.CHANGE, Action.TAKE_OVER})


def in_sequence(
    items: Iterable[Item], wanted: Wanted, *, approved: bool = False
) -> tuple[Item, ...]:
    """The same items; those that must wait have no change any more. What failed holds back
    its own namespace, or all of them when it is in none. Deletions that a person ``approved``
    wait for nothing: they may be what makes room."""
    every = tuple(items)
    first: dict[str, tuple[float, ObjectKey]] = {}
    for item in every:
        if item.reason in _FAILED and item.key in wanted.objects:
            place, at = _place(item.key, wanted)
            first[place] = min(first.get(place, (inf, item.key)), (at, item.key))
    held = _WAITS if approved else _WAITS | {Action.PRUNE}
    return tuple(_held_back(every, first, wanted, held)) if first else every


def _held_back(
    items: Iterable[Item],
    first: Mapping[str, tuple[float, ObjectKey]],
    wanted: Wanted,
    held: Container[Action],
) -> Iterator[Item]:
    for item in items:
        place, at = _place(item.key, wanted)
        before = min(first.get(_EVERYWHERE, (inf, item.key)), first.get(place, (inf, item.key)))
        if before[0] < at and item.action in held:
            why = f"waits for {before[1]}, which failed"
            yield replace(item, action=Action.LEAVE, reason="Waits", message=why, change=None)
        else:
            yield item


def _place(key: ObjectKey, wanted: Wanted) -> tuple[str, float]:
    """Where an object belongs, and when its turn is: last, for what is deleted."""
    found = wanted.objects.get(key)
    at = rank(found) if found is not None else inf
    if at == PARENT:
        return _EVERYWHERE, at
    return (key.name if key.kind == "Namespace" and not key.group else key.namespace), at

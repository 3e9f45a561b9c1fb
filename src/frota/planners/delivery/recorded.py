"""What would change in a cluster that cannot be looked at: against what it was last told to
have. Nobody saw whether it has that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from frota.model.delivery import Change, ClusterView
from frota.model.deliveryplan import (
    Action,
    DeliveryMemory,
    DeliveryPlan,
    DeliveryPolicy,
    FieldDiff,
    Item,
)
from frota.model.objects import Object, ObjectKey
from frota.planners.delivery.diffs import HIDDEN
from frota.planners.delivery.judging import Case, once
from frota.planners.delivery.pruning import prune
from frota.planners.delivery.wanted import APPLIED, Wanted, stamped

_OF_SERVER = frozenset(
    ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink")
)


def plan_recorded(
    cluster: str, before: Wanted, wanted: Wanted, policy: DeliveryPolicy
) -> DeliveryPlan:
    """The changes from one content to another. Deletions that the brake would hold have no
    hash yet: that is of objects which nobody saw."""
    settled, items = {}, []
    for key, digest in wanted.digests.items():
        if before.digests.get(key) == digest:
            settled[key] = ("", digest)
        else:
            items.append(_changed(key, before.objects.get(key), wanted))
    view = ClusterView(cluster, answers=True, last_seen=0.0, complete=True, objects=before.objects)
    gone = {key: item for key, item in before.objects.items() if key not in wanted.objects}
    case = Case(wanted, view, policy, DeliveryMemory(), 0.0)
    pruned = prune(case, gone) if gone else None
    return DeliveryPlan(
        cluster,
        items=(*items, *(pruned.items if pruned else ())),
        held=replace(pruned.held, plan="") if pruned and pruned.held else None,
        settled=settled,
    )


def _changed(key: ObjectKey, old: Object | None, wanted: Wanted) -> Item:
    new = wanted.objects[key]
    change = Change(key, stamped(new, wanted.digests[key]))
    if old is None:
        return Item(key, Action.CREATE, "Missing", "was not there", change)
    diffs = tuple(changed_fields(old, new))
    if once(new):
        return Item(key, Action.LEAVE, "WrittenOnce", "it runs as it was made", diffs=diffs)
    return Item(key, Action.CHANGE, "Changed", "", change, diffs)


def plain(item: Object) -> dict[str, Any]:
    """The object without what only the API server writes, and without secrets."""
    shown = {key: value for key, value in item.items() if key != "status"}
    metadata = {k: v for k, v in item["metadata"].items() if k not in _OF_SERVER}
    notes = {k: v for k, v in (metadata.get("annotations") or {}).items() if k != APPLIED}
    metadata.pop("annotations", None)
    if notes:
        metadata["annotations"] = notes
    shown["metadata"] = metadata
    if item.get("kind") == "Secret":
        for part in ("data", "stringData"):
            if part in shown:
                shown[part] = dict.fromkeys(shown[part] or {}, HIDDEN)
    return shown


def changed_fields(before: Object, after: Object) -> Iterator[FieldDiff]:
    """Every field that would be different."""
    return _different("", plain(before), plain(after))


def _different(path: str, before: Any, after: Any) -> Iterator[FieldDiff]:
    if before == after:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in [*before, *(key for key in after if key not in before)]:
            inner = f"{path}.{key}" if path else str(key)
            yield from _different(inner, before.get(key), after.get(key))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for place, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _different(f"{path}[{place}]", one, other)
    else:
        yield FieldDiff(path, after, before)

"""An object before and after: what would really be different, with defaults and admission."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import unified_diff
from typing import Any

from frota.model.deliveryplan import FieldDiff
from frota.model.objects import Object
from frota.planners.delivery import APPLIED
from frota.planners.delivery.diffs import HIDDEN

_OF_SERVER = frozenset(
    ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink")
)
_CONTEXT = 3


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


def fields(before: Object, after: Object) -> tuple[FieldDiff, ...]:
    """Every field that would be different."""
    return tuple(_different("", plain(before), plain(after)))


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


def lines(before: Object | None, after: Object | None) -> list[str]:
    """The whole object as YAML, line by line: what goes with ``-``, what comes with ``+``."""
    old, new = _yaml(before), _yaml(after)
    return list(unified_diff(old, new, lineterm="", n=max(len(old), len(new), _CONTEXT)))[3:]


def _yaml(item: Object | None) -> list[str]:
    if item is None:
        return []
    from frota.cli.manifests import as_yaml

    return [line for line in as_yaml([plain(item)]).splitlines() if line != "---"]

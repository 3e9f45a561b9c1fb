"""Differences for people: what was wanted, what is there, and who wrote it when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from frota.model.deliveryplan import FieldDiff
from frota.model.objects import Object
from frota.planners.delivery.fields import Differences, Path, entries, found_at, holders, is_ours
from frota.planners.delivery.fields import shown as path_shown
from frota.planners.delivery.wanted import APPLIED

HIDDEN = "(hidden)"
DIFFS_MOST = 64  # of one object: more is not read by anybody
_STAMP = ("f:metadata", "f:annotations", "f:" + APPLIED)


def described(wanted: Object, live: Object, found: Differences) -> tuple[FieldDiff, ...]:
    """At most ``DIFFS_MOST`` differences. Frota's own stamp is not one of them."""
    paths = [p for p in (*found.other, *found.unowned) if p != _STAMP]
    diffs = [_diff(wanted, live, path) for path in paths[:DIFFS_MOST]]
    return (*diffs, *(_diff({}, live, p) for p in found.surplus[: DIFFS_MOST - len(diffs)]))


def _diff(wanted: Object, live: Object, path: Path) -> FieldDiff:
    if not path:
        return FieldDiff("managedFields", "an entry of frota", None)
    manager, at = last_writer(live, path)
    want, have = found_at(wanted, path), found_at(live, path)
    if live.get("kind") == "Secret" and path[0] != "f:metadata":
        want = HIDDEN if want is not None else None
        have = HIDDEN if have is not None else None
    return FieldDiff(path_shown(path), want, have, manager, at)


def last_writer(live: Object, path: Path) -> tuple[str, str]:
    """Who holds a field, and since when; where nobody does (it was taken away), who of the
    others wrote the object last, which is a guess that says so."""
    held = max(holders(live, path), key=_time, default=None)
    if held is not None:
        return str(held.get("manager", "")), _time(held)
    others = (entry for entry in entries(live) if not is_ours(entry) and not _status(entry))
    last = max(others, key=_time, default=None)
    return ("", "") if last is None else (f"{last.get('manager', '')}?", _time(last))


def _time(entry: Mapping[str, Any]) -> str:
    return str(entry.get("time", ""))


def _status(entry: Mapping[str, Any]) -> bool:
    return entry.get("subresource") == "status"


def rivals(wanted: Object, live: Object, found: Differences) -> tuple[tuple[str, str], ...]:
    """(manager, field) for every wanted field that another manager holds with another value:
    what the API server would answer as conflicts."""
    seen: dict[tuple[str, str], None] = {}
    for path in (*found.unowned, *found.other):
        if path and path != _STAMP and found_at(wanted, path) != found_at(live, path):
            for entry in holders(live, path):
                seen[str(entry.get("manager", "")), path_shown(path)] = None
    return tuple(seen)

"""Stored conditions: what a person should know about a host or a host group."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from frota.cli.naming import GROUP, HOST, group_name
from frota.store.sqlite import SqliteStore

CONDITION = "Condition"
Raw = Mapping[str, Any]


def of_group(store: SqliteStore, group: str) -> list[Raw]:
    """All conditions in a host group, those of its hosts included."""
    return [e.value for e in store.raw(CONDITION) if group_name(e.name) == group]


def by_subject(store: SqliteStore) -> dict[str, list[Raw]]:
    """The conditions by the stored name of the host or host group that they are about."""
    found: dict[str, list[Raw]] = {}
    for entry in store.raw(CONDITION):
        kind, _, name = entry.value["subject"].partition("/")
        if kind in (HOST, GROUP):
            full = name if kind == GROUP else f"{group_name(entry.name)}/{name}"
            found.setdefault(full, []).append(entry.value)
    return found


def shaped(conditions: Iterable[Raw]) -> list[dict[str, Any]]:
    """For programs, in the usual form."""
    return [
        {
            "type": condition["type"],
            "status": "True",
            "reason": condition["type"],
            "since": condition["since"],
            "message": condition["message"],
            "causeId": condition["cause_id"],
            **({"plan": condition["plan"]} if condition["plan"] else {}),
        }
        for condition in conditions
    ]


def lines(conditions: Iterable[Raw]) -> list[str]:
    """For people."""
    return [f"{condition['type']}: {condition['message']}" for condition in conditions]

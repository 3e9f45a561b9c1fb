"""How member clusters stand, from stored JSON: cells of tables, and data for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from frota.cli.naming import CLUSTER
from frota.cli.terminal import Cell
from frota.cli.words import age
from frota.ports.store import Entry
from frota.runtime.clock import SystemClock
from frota.store.sqlite import SqliteStore

STATUS = "ClusterStatus"
CONDITIONS = ("Reachable", "Synced", "Drifted", "Degraded", "Stale")
Raw = Mapping[str, Any]
_GOOD = {"Reachable": "True", "Synced": "True"}  # the others are good when they are False
_USUAL = frozenset({"Answers", "AsDeclared", "AsDelivered", "AllHealthy", "UpToDate"})


def statuses(store: SqliteStore) -> dict[str, Raw]:
    """What was seen last of every member cluster, by its name."""
    return {entry.name: entry.value for entry in store.raw(STATUS)}


def well(condition: Raw) -> bool:
    """Whether a condition says nothing bad."""
    good: bool = condition["status"] == _GOOD.get(condition["type"], "False")
    return good


def approve_command(status: Raw) -> str:
    """How held deletions are let go; empty when none are held."""
    held = status.get("held")
    return f"frota approve {status['cluster']} {held['approval']['plan']}" if held else ""


def shaped(status: Raw | None) -> dict[str, Any]:
    """The status of a cluster for programs; empty for one that nobody has looked at."""
    if status is None:
        return {}
    return {
        "conditions": [
            {
                "type": condition["type"],
                "status": condition["status"],
                "reason": condition["reason"],
                "message": condition["message"],
                "since": condition["since"],
                "observedGeneration": condition["observed_generation"],
            }
            for condition in status["conditions"]
        ],
        "generation": status["generation"],
        "digest": status["digest"],
        "version": status.get("version", ""),
        "objects": {"wanted": status.get("wanted", 0), "settled": status.get("settled", 0)},
        "drifts": [drift(item) for item in status.get("drifts", ())],
        "problems": list(status.get("problems", ())),
        **({"heldPrune": _held(status)} if status.get("held") else {}),
    }


def drift(item: Raw) -> dict[str, Any]:
    """One drifted object for programs."""
    return {
        "object": item["object"],
        "reason": item["reason"],
        "message": item["message"],
        "fields": list(item.get("fields", ())),
        "corrected": item.get("corrected", True),
    }


def _held(status: Raw) -> dict[str, Any]:
    held = status["held"]
    return {
        "plan": held["approval"]["plan"],
        "count": held["count"],
        "objects": list(held["objects"]),
        "reasons": list(held["reasons"]),
        "approve": approve_command(status),
    }


def table(entries: Sequence[Entry], store: SqliteStore) -> tuple[Sequence[str], list[Any]]:
    """Members of fleets, with their conditions and since when they hold."""
    known, now = statuses(store), SystemClock(store.latest()).now()
    rows = []
    for entry in entries:
        spec, status = entry.value["spec"], known.get(entry.name)
        rows.append(
            (
                entry.name,
                spec["fleet"],
                spec.get("environment", "-"),
                spec.get("region", "-"),
                spec.get("function", "-"),
                *_cells(status, now),
                _pools(spec),
                "; ".join(told(status)),
            )
        )
    head = ("NAME", "FLEET", "ENVIRONMENT", "REGION", "FUNCTION", *map(str.upper, CONDITIONS))
    return (*head, "GENERATION", "OBJECTS", "VERSION", "POOLS", "MESSAGE"), rows


def _cells(status: Raw | None, now: float) -> Iterator[str | Cell]:
    if status is None:
        yield from (Cell("Unknown", "dim") for _ in CONDITIONS)
        yield from ("-", "-", "-")
        return
    found = {condition["type"]: condition for condition in status["conditions"]}
    for kind in CONDITIONS:
        condition = found.get(kind)
        yield Cell("Unknown", "dim") if condition is None else cell(condition, now)
    yield str(status["generation"])
    yield f"{status.get('settled', 0)}/{status.get('wanted', 0)}"
    yield status.get("version") or "-"


def cell(condition: Raw, now: float) -> Cell:
    """A condition in few words: the reason unless it is the usual one, and since when it
    holds."""
    usual = condition["reason"] in _USUAL
    reason = "" if usual else f" {condition['reason']}"
    style = "dim" if condition["status"] == "Unknown" else "yellow"
    if well(condition):
        style = "green" if usual else "cyan"
    return Cell(f"{condition['status']}{reason} {age(condition['since'], now)}", style)


def _pools(spec: Raw) -> str:
    return " ".join(f"{p['name']}={p.get('count', '?')}" for p in spec["nodePools"]) or "-"


def told(status: Raw | None) -> Iterator[str]:
    """What is not well, and what a person can do about it."""
    if status is None:
        yield "nobody has looked at it yet"
        return
    said: dict[str, list[str]] = {}  # what several conditions say is said once
    for condition in status["conditions"]:
        if not well(condition) and condition["message"]:
            said.setdefault(condition["message"], []).append(condition["type"])
    yield from (f"{', '.join(kinds)}: {message}" for message, kinds in said.items())
    command = approve_command(status)
    if command:
        yield f"to let the deletions go: {command}"


def members(store: SqliteStore, fleet: str = "") -> list[str]:
    """The clusters of one fleet, or of all fleets."""
    return [
        entry.name
        for entry in store.raw(CLUSTER)
        if (of := entry.value["spec"].get("fleet")) and fleet in ("", of)
    ]

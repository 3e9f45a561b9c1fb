"""``frota get``: what the store holds, as a table or as data. Reads stored JSON as it is."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from typing import Any

from frota.cli import listing, shapes
from frota.cli.arguments import Run, describe
from frota.cli.conditions import by_subject
from frota.cli.delivery.standing import STATUS
from frota.cli.naming import (
    CLUSTER,
    DECISION,
    GROUP,
    IN_GROUPS,
    ROLLOUT,
    SET,
    find,
    group_name,
    kind_of,
)
from frota.cli.opening import opened
from frota.cli.outcome import Exit
from frota.cli.terminal import Terminal
from frota.ports.store import Entry
from frota.store.sqlite import SqliteStore

_LINES_MOST = 100_000
_JUDGED = {SET: "Verdict", CLUSTER: STATUS}  # the records that say how things of a kind stand


def get(parser: ArgumentParser) -> Run:
    """The arguments of ``frota get``."""
    describe(
        parser,
        "List what the store holds: hosts, vms, sets, hostgroups, clusters, fleets, teams, "
        "services, jobs, rollouts or decisions; with a NAME, that one alone.",
        "frota get hosts",
        "frota get vms --group plant-east",
        "frota get set plant-east/east-gpu --output json",
    )
    parser.add_argument("kind", metavar="KIND", help="hosts, vms, sets, hostgroups, clusters, …")
    parser.add_argument("name", metavar="NAME", nargs="?", help="one of them")
    parser.add_argument("--group", metavar="GROUP", default="", help="of this host group only")
    parser.add_argument(
        "--last", metavar="N", type=int, default=50, help="the newest N decisions (default: 50)"
    )
    return _run


def _run(args: Namespace, terminal: Terminal) -> int:
    kind = kind_of(args.kind)
    with opened(terminal) as store:
        if kind == DECISION:
            return _decisions(args, terminal, store)
        entries = [e for e in store.raw(kind) if _of_group(e, args.group)]
        one = args.name is not None
        if one:
            name = find(kind, args.name, [entry.name for entry in entries])
            entries = [entry for entry in entries if entry.name == name]
        if terminal.output == "table":
            listing.show(kind, entries, store, terminal)
            return Exit.DONE
        verdicts = _by_name(store.raw(_JUDGED[kind])) if kind in _JUDGED else {}
        conditions = by_subject(store)
    shown = [
        shapes.shaped(kind, e.name, e.value, verdicts.get(e.name), conditions.get(e.name, ()))
        for e in entries
    ]
    terminal.data(shown[0] if one else shown)
    return Exit.DONE


def _of_group(entry: Entry, group: str) -> bool:
    if not group:
        return True
    if entry.kind == ROLLOUT:
        return False
    if entry.kind in IN_GROUPS:
        return group_name(entry.name) == group
    owner: str = entry.name if entry.kind == GROUP else entry.value["spec"].get("hostGroup", "")
    return owner == group


def _by_name(entries: Sequence[Entry]) -> Mapping[str, Any]:
    return {entry.name: entry.value for entry in entries}


def _decisions(args: Namespace, terminal: Terminal, store: SqliteStore) -> int:
    last = max(1, min(args.last, _LINES_MOST))
    lines = store.journal(group=args.group, cause_id=args.name or "", last=last)
    if terminal.output == "table":
        listing.show_journal(lines, terminal)
    else:
        terminal.data([shapes.decision(line) for line in lines])
    return Exit.DONE

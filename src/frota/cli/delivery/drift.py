"""``frota drift``: what others changed in member clusters, and what is done about it."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import Any

from frota.cli import shapes
from frota.cli.arguments import Run, describe
from frota.cli.delivery import standing
from frota.cli.naming import CLUSTER, find
from frota.cli.opening import opened, warn_when_old
from frota.cli.outcome import Exit
from frota.cli.terminal import Cell, Terminal, printable
from frota.cli.words import moment
from frota.model.decision import Decision
from frota.store.sqlite import SqliteStore

_LATELY = 10  # lines of the journal, for each cluster
_LINES_MOST = 500
_CORRECTED = "DriftCorrected"


def drift(parser: ArgumentParser) -> Run:
    """The arguments of ``frota drift``."""
    describe(
        parser,
        "Every object in member clusters that somebody else changed: the fields, who wrote them, "
        "and whether it is put right or only observed; then what was put right lately. The code "
        "is 0 when nothing drifts now, 1 when something does, and 5 when nothing is known to "
        "drift but a cluster is not seen well enough to say.",
        "frota drift",
        "frota drift east-prod --output json",
    )
    parser.add_argument("cluster", metavar="CLUSTER", nargs="?", help="this cluster alone")
    return _run


def _run(args: Namespace, terminal: Terminal) -> int:
    with opened(terminal) as store:
        names = standing.members(store)
        if args.cluster is not None:
            names = [find(CLUSTER, args.cluster, names)]
        known = standing.statuses(store)
        lately = {name: _lately(store, name) for name in names}
    found = {name: known.get(name, {}) for name in names}
    if terminal.output == "table":
        _show(found, lately, terminal)
    else:
        terminal.data([_data(name, found[name], lately[name]) for name in names])
    warn_when_old(terminal)
    if any(status.get("drifts") for status in found.values()):
        return Exit.REFUSED
    return Exit.DONE if all(_judged(status) for status in found.values()) else Exit.OUTSIDE


def _lately(store: SqliteStore, cluster: str) -> list[Decision]:
    lines = store.journal(subject=f"{CLUSTER}/{cluster}", last=_LINES_MOST)
    return [line for line in lines if line.reason == _CORRECTED][-_LATELY:]


def _condition(status: Mapping[str, Any]) -> Mapping[str, Any]:
    unknown = {"type": "Drifted", "status": "Unknown", "reason": "NotSeen", "message": ""}
    every = status.get("conditions", ())
    return next((one for one in every if one["type"] == "Drifted"), unknown)


def _judged(status: Mapping[str, Any]) -> bool:
    """Whether it is known that nothing drifts, or what. Where nothing was released yet
    there is nothing that could."""
    said = _condition(status)
    return bool(said["status"] != "Unknown" or said["reason"] == "NothingReleased")


def _show(
    found: Mapping[str, Mapping[str, Any]],
    lately: Mapping[str, list[Decision]],
    terminal: Terminal,
) -> None:
    rows: list[tuple[str | Cell, ...]] = []
    for name, status in found.items():
        for item in status.get("drifts", ()):
            done = "put right" if item.get("corrected", True) else "observed"
            fields = ", ".join(item.get("fields", ())) or item["message"]
            style = "cyan" if done == "put right" else "yellow"
            rows.append((name, item["object"], item["reason"], Cell(done, style), fields))
    if rows:
        terminal.table(("CLUSTER", "OBJECT", "REASON", "IS", "FIELDS"), rows)
    for name, status in found.items():
        if not _judged(status):
            said = _condition(status)
            terminal.say(f"{name}: not known ({said['reason']}): {said['message']}".rstrip(": "))
    if not rows and all(_judged(status) for status in found.values()):
        terminal.say("nothing drifts")
    corrected = [(name, line) for name, lines in lately.items() for line in lines]
    if corrected:
        terminal.say("\nput right lately:")
        for name, line in corrected:
            terminal.say(f"  {moment(line.at)}  {name}  {printable(line.message)}")


def _data(name: str, status: Mapping[str, Any], lately: list[Decision]) -> dict[str, Any]:
    said = _condition(status)
    return {
        "cluster": name,
        "status": said["status"],
        "reason": said["reason"],
        "message": said["message"],
        "drifts": [standing.drift(item) for item in status.get("drifts", ())],
        "correctedLately": [shapes.decision(line) for line in lately],
    }

"""``frota events``: the journal as it was written, or as it is being written."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator

from frota.cli import shapes
from frota.cli.arguments import Run, describe
from frota.cli.listing import show_journal
from frota.cli.opening import opened
from frota.cli.outcome import Exit
from frota.cli.terminal import Terminal, printable
from frota.cli.words import moment
from frota.model.decision import Decision, Stage
from frota.runtime.alarm import PipeAlarm
from frota.store.sqlite import SqliteStore

_POLL_S = 0.25
_STYLES = {
    Stage.CAUSE: "yellow",
    Stage.DECISION: "cyan",
    Stage.ACTION: "bold",
    Stage.OUTCOME: "green",
}


def events(parser: ArgumentParser) -> Run:
    """The arguments of ``frota events``."""
    describe(
        parser,
        "Print the journal: what happened, what was decided, done, and what came of it. With "
        "--output json, one JSON object on each line when following.",
        "frota events --last 20",
        "frota events --follow --group plant-east",
    )
    parser.add_argument("--follow", "-f", action="store_true", help="go on until Ctrl-C")
    parser.add_argument("--group", metavar="GROUP", default="", help="of this host group only")
    parser.add_argument(
        "--last", metavar="N", type=int, default=50, help="begin N lines back (default: 50)"
    )
    return _run


def _run(args: Namespace, terminal: Terminal) -> int:
    with opened(terminal) as store:
        if args.follow:
            lines, newest = store.written_after(0, group=args.group, last=args.last)
            for line in lines:
                show_line(line, terminal)
            terminal.out.flush()
            for line in news(store, args.group, newest):
                show_line(line, terminal)
                terminal.out.flush()
        lines = store.journal(group=args.group, last=max(0, args.last))
    if terminal.output == "table":
        show_journal(lines, terminal)
    else:
        terminal.data([shapes.decision(line) for line in lines])
    return Exit.DONE


def news(store: SqliteStore, group: str, line: int) -> Iterator[Decision]:
    """Lines that are written after the one of this number; waits for them for ever."""
    alarm = PipeAlarm()
    while True:
        alarm.wait(_POLL_S)
        found, line = store.written_after(line, group=group)
        yield from found


def show_line(line: Decision, terminal: Terminal) -> None:
    """One line of the journal as it comes: a line of text, or one JSON or YAML document."""
    if terminal.output == "json":
        terminal.say(json.dumps(shapes.decision(line), ensure_ascii=False))
        return
    if terminal.output == "yaml":
        terminal.say("---")
        terminal.data(shapes.decision(line))
        return
    stage = terminal.paint(f"{line.stage.value:<8}", _STYLES[line.stage])
    text = printable(f"{line.subject}  {line.reason}  {line.message}")
    terminal.say(f"{moment(line.at)}  {stage}  {text}")

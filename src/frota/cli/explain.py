"""``frota explain``: why something is as it is, told from the journal or from a snapshot."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from frota.cli import conditions, shapes
from frota.cli.arguments import Run, describe
from frota.cli.conditions import by_subject
from frota.cli.naming import (
    CLUSTER,
    FLEET,
    GROUP,
    HOST,
    IN_GROUPS,
    SET,
    VM,
    find,
    group_name,
    missing,
    plain_name,
    split_subject,
)
from frota.cli.opening import opened
from frota.cli.outcome import Exit, Failure
from frota.cli.story import Chapter, chapters
from frota.cli.terminal import Terminal, printable
from frota.cli.words import moment, style_of
from frota.store.sqlite import SqliteStore

_STAGE_WIDTH = 8


def explain(parser: ArgumentParser) -> Run:
    """The arguments of ``frota explain``."""
    describe(
        parser,
        "Tell the story of one thing: what happened, what was decided and what was turned "
        "down, what was done, and what came of it. With --snapshot, say from a snapshot file "
        "how it stands, what would be done about it, and what not and why.",
        "frota explain vm/east-cp-2",
        "frota explain set/plant-east/east-gpu --last 3",
        "frota explain cluster/east-prod",
        "frota explain set/east-gpu --snapshot plant-east.json",
    )
    parser.add_argument("subject", metavar="KIND/NAME", help="such as vm/east-cp-2 or host/a")
    parser.add_argument(
        "--last", metavar="N", type=int, default=10, help="the newest N stories (default: 10)"
    )
    parser.add_argument("--snapshot", metavar="FILE", help="explain from this file")
    return _run


def _run(args: Namespace, terminal: Terminal) -> int:
    kind, name = split_subject(args.subject)
    if args.snapshot:
        from frota.cli.frozen import explain_snapshot

        return explain_snapshot(args.snapshot, kind, name, terminal)
    with opened(terminal) as store:
        if kind in (CLUSTER, FLEET):
            return _delivered(store, kind, name, max(1, args.last), terminal)
        group, subject, related, headline = _known(store, kind, name)
        troubles = by_subject(store).get(_full_name(kind, group, subject), ())
        told = chapters(store, group, subject, related, max(1, args.last))
        if not told and not headline:
            raise missing(kind, name, [entry.name for entry in store.raw(kind)])
    if terminal.output == "table":
        tell(headline or f"{subject} is no more", conditions.lines(troubles), told, terminal)
    else:
        terminal.data(
            {
                "subject": subject,
                "hostGroup": group,
                "conditions": conditions.shaped(troubles),
                "stories": _data(told),
            }
        )
    return Exit.DONE


def _delivered(store: SqliteStore, kind: str, name: str, last: int, terminal: Terminal) -> int:
    """A fleet, or a cluster."""
    from frota.cli.delivery.telling import Account, account

    found: Account = account(store, kind, name, last)
    if not found.told and not found.headline:
        raise missing(kind, name, [entry.name for entry in store.raw(kind)])
    if terminal.output == "table":
        headline = found.headline or f"{found.subject} is no more"
        tell(headline, found.now, found.told, terminal)
    else:
        data = {"subject": found.subject, "now": list(found.now), "stories": _data(found.told)}
        terminal.data({**data, "status": found.status})
    return Exit.DONE


def _known(store: SqliteStore, kind: str, name: str) -> tuple[str, str, tuple[str, ...], str]:
    """The group, the journal's subject, related subjects, and how the thing stands now.

    What was deleted has a story still: its name is then looked up in the journal alone.
    """
    if kind not in (*IN_GROUPS, GROUP):
        raise Failure(Exit.BAD_INPUT, "expected a host, VM, set, host group, cluster or fleet")
    entries = {entry.name: entry.value for entry in store.raw(kind)}
    try:
        full = find(kind, name, list(entries))
    except Failure as failure:
        if failure.code is not Exit.NOT_FOUND:
            raise
        group, _, plain = name.rpartition("/")
        return group, f"{kind}/{plain}", (), ""
    if kind == GROUP:
        return full, f"{kind}/{full}", (), f"{kind}/{full}"
    group, plain = group_name(full), plain_name(full)
    value = entries[full]
    subject = f"{kind}/{plain}"
    if kind == VM:
        where = f" on {value['host']}" if value["host"] else ""
        home = f"; home {value['home']}" if value["home"] not in ("", value["host"]) else ""
        headline = f"{subject}: {value['state']}{where}{home}"
        return group, subject, (f"{SET}/{value['set']}",), _because(headline, value["reason"])
    if kind == HOST:
        return group, subject, (), _because(f"{subject}: {value['state']}", value["reason"])
    verdict = store.raw_get("Verdict", full)
    phase = verdict.value["phase"] if verdict else "not judged yet"
    message = verdict.value["message"] if verdict else ""
    return group, subject, (), _because(f"{subject}: {phase}", message)


def _full_name(kind: str, group: str, subject: str) -> str:
    return group if kind == GROUP else f"{group}/{plain_name(subject)}"


def _because(headline: str, reason: str) -> str:
    return f"{headline} ({reason})" if reason else headline


def tell(
    headline: str, troubles: Sequence[str], told: Sequence[Chapter], terminal: Terminal
) -> None:
    """The stories for people."""
    terminal.say(terminal.paint(printable(headline), "bold"))
    for trouble in troubles:
        terminal.say(f"  now: {printable(trouble)}")
    for chapter in told:
        if not chapter.lines:
            continue
        begun = chapter.lines[0].at
        terminal.say()
        terminal.say(f"{moment(begun)}  {chapter.cause_id or 'no cause'}")
        for line in chapter.lines:
            stage = f"{line.stage.value:<{_STAGE_WIDTH}}"
            reason = terminal.paint(line.reason, style_of(line.reason))
            text = printable(line.message)
            terminal.say(f"  {line.at - begun:+8.1f}s  {stage}  {line.subject}  {reason}  {text}")
            for rejected in line.rejected:
                terminal.say(f"{'':13}not: {printable(rejected)}")
        if chapter.others:
            more = f"frota get decisions {chapter.cause_id} --last 1000"
            terminal.say(f"  ({chapter.others} lines about others: {more})")


def _data(told: Sequence[Chapter]) -> list[dict[str, object]]:
    return [
        {
            "causeId": chapter.cause_id,
            "lines": [shapes.decision(line) for line in chapter.lines],
            "linesAboutOthers": chapter.others,
        }
        for chapter in told
    ]

"""``frota rollout``: how far a change is on its way through a fleet, and what a person wants."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING

from frota.cli.arguments import Parser, Run, add_common, describe
from frota.cli.naming import FLEET
from frota.cli.opening import opened, warn_when_idle, warn_when_old
from frota.cli.outcome import Exit
from frota.cli.terminal import Cell, Terminal, printable
from frota.cli.words import age, state_cell

if TYPE_CHECKING:
    from frota.cli.delivery.progress import Course

_PAUSE = "Begin no further cluster. Clusters that are being changed go on to their end."
_ABORT = (
    "End the rollout where it is: nothing more of it is written, clusters that were being "
    "changed stay part way, and nothing is given back. It does not go on after that."
)
_ROLLBACK = (
    "Give every cluster that the rollout reached or touched what it had before, the last wave "
    "first. Clusters that had nothing before keep what they have."
)
_ACTS = (
    ("pause", "begin nothing new; what has begun goes on", _PAUSE),
    ("resume", "go on after a pause", "Take back `pause`."),
    ("abort", "write nothing more of it, and leave what is there", _ABORT),
    ("rollback", "give every cluster back what it had", _ROLLBACK),
)
_HURTS = ("abort", "rollback")


def rollout(parser: ArgumentParser) -> Run:
    """The arguments of ``frota rollout``."""
    describe(
        parser,
        "A change goes through a fleet in stages and waves, each behind its gates. Say how far "
        "it is and what it waits for; pause it, let a wave begin, go on without a cluster, end "
        "it, or take it back. FLEET may be left out where there is only one.",
        "frota rollout status",
        "frota rollout approve acme 6f0e0b1c9f5d4a7e8d2c3b4a59687f10",
        "frota rollout rollback acme --dry-run",
    )
    acts = parser.add_subparsers(metavar="ACT", required=True, parser_class=Parser, title="acts")

    def act(name: str, line: str, run: Run, text: str, example: str) -> ArgumentParser:
        one: Parser = acts.add_parser(name, help=line)
        add_common(one, nested=True)
        describe(one, text, example)
        one.add_argument("fleet", metavar="FLEET", nargs="?", help="the fleet")
        one.set_defaults(run=run)
        return one

    act("status", "how far it is, and what it waits for", _status,
        "Every wave and cluster: its state, since when, and what is waited for; with the "
        "command that approves what waits for a person.", "frota rollout status acme")  # fmt: skip
    for name, line, text in _ACTS:
        one = act(name, line, _run_of(name), text, f"frota rollout {name} acme")
        if name in _HURTS:
            one.add_argument("--dry-run", action="store_true", help="say what follows; no change")
    _approve_arguments(act)
    _skip_arguments(act)
    return lambda args, terminal: int(args.run(args, terminal))


_Act = Callable[[str, str, Run, str, str], ArgumentParser]


def _approve_arguments(act: _Act) -> None:
    one = act("approve", "let the next wave begin", _run_of("approve"),
        "Let the wave begin that waits for a person. The HASH stands in `frota rollout status`; "
        "it names this content and these clusters, and no other.",
        "frota rollout approve acme 6f0e0b1c9f5d4a7e8d2c3b4a59687f10")  # fmt: skip
    one.add_argument("hash", metavar="HASH", help="of what waits now")


def _skip_arguments(act: _Act) -> None:
    one = act("skip", "go on without a cluster", _run_of("skip"),
        "Go on without a cluster: it is left as it is, and the rollout ends Partial, never "
        "Completed.", "frota rollout skip acme edge-3 --reason 'no power'")  # fmt: skip
    one.add_argument("cluster", metavar="CLUSTER", help="which one")
    one.add_argument("--reason", metavar="TEXT", default="", help="why; shown in the status")
    one.add_argument("--undo", action="store_true", help="take it in again")


def _run_of(name: str) -> Run:
    def run(args: Namespace, terminal: Terminal) -> int:
        from frota.cli.delivery import steering

        acts = {"approve": steering.approve, "skip": steering.skip}
        with opened(terminal) as store:
            acts.get(name, steering.steer(name))(args, store, terminal)
        if not getattr(args, "dry_run", False):
            warn_when_idle(terminal)
        return Exit.DONE

    return run


def _status(args: Namespace, terminal: Terminal) -> int:
    from frota.cli.delivery.progress import course_of, data, fleet_named
    from frota.controllers.clusterrecords import ROLLOUT

    with opened(terminal) as store:
        if args.fleet is not None or len(store.raw(FLEET)) <= 1:
            courses = [course_of(store, fleet_named(store, args.fleet))]
        else:
            courses = [course_of(store, entry.name) for entry in store.raw(ROLLOUT)]
    if terminal.output != "table":
        found = [data(course) for course in courses]
        terminal.data(found[0] if len(found) == 1 else found)
        return Exit.DONE
    for number, course in enumerate(courses):
        if number:
            terminal.say()
        show(course, terminal)
    warn_when_old(terminal)
    return Exit.DONE


def show(course: Course, terminal: Terminal) -> None:
    """One rollout for people: by wave and cluster."""
    from frota.cli.delivery.progress import groups, why

    rollout, now = course.rollout, course.now
    phase = course.step.rollout.phase.value
    wish = f", {rollout.intent.value} was asked for" if rollout.intent != "Run" else ""
    began = age(rollout.began, now)
    terminal.say(
        f"{terminal.paint(rollout.id, 'bold')}: {phase}{wish} "
        f"(generation {rollout.generation}, began {began} ago)"
    )
    rows: list[tuple[str | Cell, ...]] = []
    for wave, parts in groups(course):
        for part in parts:
            state = state_cell(part.state.value)
            since = age(part.since, now)
            rows.append((wave or "-", part.cluster, state, since, printable(why(course, part))))
    terminal.table(("WAVE", "CLUSTER", "STATE", "FOR", "MESSAGE"), rows)
    for wave, _ in groups(course):
        for reason in course.reasons(wave) if wave else ():
            terminal.say(f"{wave}: {reason.reason}: {printable(reason.message)}")
    if course.approve:
        terminal.say(f"to let it begin: {course.approve}")

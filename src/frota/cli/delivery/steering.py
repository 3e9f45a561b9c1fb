"""What a person wants of a rollout: checked against how it stands, written into its record."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from frota.cli.delivery.progress import Course, course, course_of, fleet_named
from frota.cli.naming import FLEET, missing
from frota.cli.outcome import Exit, Failure
from frota.cli.terminal import Terminal
from frota.cli.writing import report, told, written
from frota.controllers.clusterrecords import ROLLOUT
from frota.model.rollout import Intent, Phase, Rollout, Skip
from frota.runtime.clock import SystemClock
from frota.store.sqlite import SqliteStore

_INTENTS = {
    "pause": Intent.PAUSE,
    "resume": Intent.RUN,
    "abort": Intent.ABORT,
    "rollback": Intent.ROLLBACK,
}
_DONE = {
    "pause": "begins nothing new; what has begun goes on",
    "resume": "goes on",
    "abort": "is aborted: nothing more of it is written",
    "rollback": "is taken back: every cluster gets what it had",
}
_BACK = (Phase.ROLLING_BACK, Phase.ROLLED_BACK)
Steer = Callable[[Namespace, SqliteStore, Terminal], None]


def steer(act: str) -> Steer:
    """``pause``, ``resume``, ``abort`` or ``rollback``."""
    return partial(_steer, act)


def _steer(act: str, args: Namespace, store: SqliteStore, terminal: Terminal) -> None:
    fleet = fleet_named(store, args.fleet)
    intent = _INTENTS[act]

    def change(rollout: Rollout) -> Rollout:
        _must_allow(act, rollout)
        return replace(rollout, intent=intent)

    now = course_of(store, fleet)
    if getattr(args, "dry_run", False):
        wished = course(store, change(now.rollout), now.now)
        lines = list(_to_abort(now) if act == "abort" else _to_go_back(wished))
        _foretell(act, now.rollout, lines, terminal)
        return
    changed = _edit(store, fleet, change, f"rollout {act}")
    text = f"rollout {now.rollout.id} {_DONE[act] if changed else 'is so already: ' + act}"
    report(terminal, f"{ROLLOUT}/{fleet}", act, changed, text)


def _must_allow(act: str, rollout: Rollout) -> None:
    """Refuse what would have no effect."""
    name, phase = rollout.id, rollout.phase
    going_back = phase in _BACK or rollout.intent is Intent.ROLLBACK
    if act == "rollback":
        return
    if going_back:
        raise Failure(Exit.REFUSED, f"rollout {name} goes back ({phase}); that cannot be changed")
    if phase is Phase.ABORTED and act != "abort":
        raise Failure(
            Exit.REFUSED,
            f"rollout {name} was aborted and does not go on: apply a change, or take it back "
            f"with: frota rollout rollback {rollout.fleet}",
        )
    if rollout.over and phase is not Phase.ABORTED:
        raise Failure(Exit.REFUSED, f"rollout {name} is over: {phase}")


def _edit(store: SqliteStore, fleet: str, change: Callable[[Rollout], Rollout], asked: str) -> bool:
    return written(
        store,
        (ROLLOUT, fleet),
        change,
        lambda old: told(store, fleet, f"{FLEET}/{fleet}", asked, cause=old.id),
    )


def _to_abort(now: Course) -> Iterator[str]:
    for name, part in now.parts.items():
        if part.begun and not part.reached:
            yield f"{name} ({part.state}) stays part way: nothing more is written to it"
        elif part.reached:
            yield f"{name} keeps what it was given"
        else:
            yield f"{name} keeps what it had, and is not begun"


def _to_go_back(wished: Course) -> Iterator[str]:
    for name, part in wished.parts.items():
        if not part.begun:
            yield f"{name} was not begun, and stays as it is"
        elif not part.before:
            yield f"{name} had nothing before, and keeps what it has"
        else:
            silent = f" ({part.state}: {part.message})" if part.state == "Unreachable" else ""
            yield f"{name} goes back to revision {part.before[:8]}{silent}"


def _foretell(act: str, rollout: Rollout, lines: list[str], terminal: Terminal) -> None:
    if terminal.output == "table":
        terminal.say(f"rollout {act} of {rollout.id} would mean (dry run):")
        for line in lines:
            terminal.say(f"  - {line}")
    else:
        subject = f"{ROLLOUT}/{rollout.fleet}"
        terminal.data({"subject": subject, "action": act, "changed": False, "effects": lines})


def approve(args: Namespace, store: SqliteStore, terminal: Terminal) -> None:
    """Let the wave begin that waits for a person."""
    fleet = fleet_named(store, args.fleet)

    def change(rollout: Rollout) -> Rollout:
        if args.hash in rollout.approvals:
            return rollout
        now = SystemClock(store.latest()).now()
        waits = course(store, rollout, now).step.approve
        if args.hash != waits:
            right = f"what waits now is approved by: frota rollout approve {fleet} {waits}"
            none = f"nothing of rollout {rollout.id} waits for an approval now"
            raise Failure(Exit.REFUSED, f"{args.hash} does not fit; {right if waits else none}")
        return replace(rollout, approvals=(*rollout.approvals, args.hash))

    course_of(store, fleet)
    changed = _edit(store, fleet, change, f"rollout approve {args.hash}")
    text = f"{args.hash} {'is' if changed else 'was already'} approved in fleet {fleet}"
    report(terminal, f"{ROLLOUT}/{fleet}", "approve", changed, text)


def skip(args: Namespace, store: SqliteStore, terminal: Terminal) -> None:
    """Go on without a cluster, or take it in again."""
    fleet, cluster = fleet_named(store, args.fleet), args.cluster

    def change(rollout: Rollout) -> Rollout:
        names = [part.cluster for part in rollout.clusters]
        if cluster not in names:
            raise missing("cluster of this rollout", cluster, names)
        skipped = [one for one in rollout.skips if one.cluster != cluster]
        if not args.undo:
            _must_allow("skip", rollout)
            if len(skipped) < len(rollout.skips):
                return rollout
            skipped.append(Skip(cluster, args.reason or "skipped by a person"))
        return replace(rollout, skips=tuple(skipped))

    course_of(store, fleet)
    asked = f"rollout skip {cluster}{' --undo' if args.undo else ''}"
    changed = _edit(store, fleet, change, asked)
    state = "is taken in again" if args.undo else "is skipped: the rollout goes on without it"
    text = f"cluster {cluster} {state if changed else 'is so already'}"
    report(terminal, f"{ROLLOUT}/{fleet}", "skip", changed, text)

"""Writing one intent into the store: compare-and-set, journalled, said in plain words."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from frota.cli.naming import VM, find, group_name, missing, plain_name
from frota.cli.outcome import Exit, Failure
from frota.cli.terminal import Terminal
from frota.model.decision import ASKED, Decision, Stage
from frota.ports.store import Conflict, Write
from frota.store.sqlite import SqliteStore

_TRIES = 20  # a controller writes a host at most a few times a second
Change = Callable[[Any], Any]


def stored_name(store: SqliteStore, kind: str, word: str) -> str:
    """The stored name of an existing record."""
    return find(kind, word, [entry.name for entry in store.raw(kind)])


def edit(
    store: SqliteStore, kind: str, name: str, change: Change, asked: str, *, joins: bool = False
) -> bool:
    """Replace one record by ``change`` of it; whether that changed anything.

    ``change`` may raise Failure, and is called again when somebody else wrote meanwhile.
    ``asked`` says in the journal what the operator asked for. What follows belongs to the
    same story; with ``joins`` it is the story that the record is part of already.
    """

    def tell(value: Any) -> Decision:
        subject = f"{kind}/{plain_name(name)}"
        cause = value.cause_id if joins else ""
        return told(store, group_name(name), subject, asked, cause=cause)

    return written(store, (kind, name), change, tell)


def written(
    store: SqliteStore, what: tuple[str, str], change: Change, tell: Callable[[Any], Decision]
) -> bool:
    """``edit`` of the record of this kind and name, with the journal line that ``tell`` makes
    of the old value."""
    kind, name = what
    for _ in range(_TRIES):
        entry = store.get(kind, name)
        if entry is None:
            raise missing(kind, name, [item.name for item in store.raw(kind)])
        new = change(entry.value)
        if new == entry.value:
            return False
        line = tell(entry.value)
        if kind == VM:
            new = replace(new, cause_id=line.cause_id)
        try:
            store.commit([Write(kind, name, new, entry.revision)], [line])
        except Conflict:
            continue
        return True
    raise Failure(Exit.BUSY, f"{kind} {name} is written by others all the time; try again")


def told(store: SqliteStore, group: str, subject: str, asked: str, *, cause: str = "") -> Decision:
    """The journal line of what an operator asked for. It begins a story, unless ``cause``
    names one that is going on."""
    from frota.runtime.cause import cause_id
    from frota.runtime.clock import SystemClock

    at = SystemClock(store.latest()).now()
    story = cause or cause_id(random.SystemRandom())
    return Decision(at, group, story, Stage.CAUSE, subject, ASKED, f"{asked}, by {_user()}")


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "an unknown user"


def report(terminal: Terminal, subject: str, action: str, changed: bool, text: str) -> int:
    """Say what was done, or that it was so already."""
    if terminal.output == "table":
        terminal.say(text)
    else:
        terminal.data({"subject": subject, "action": action, "changed": changed})
    return Exit.DONE


def confirm(terminal: Terminal, word: str, *, yes: bool) -> None:
    """Let go on only who typed ``word``, or gave --yes."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise Failure(
            Exit.REFUSED, "this cannot be undone: confirm it with --yes (no terminal to ask on)"
        )
    terminal.err.write(f"To go on, type {word}: ")
    terminal.err.flush()
    if sys.stdin.readline().strip() != word:
        raise Failure(Exit.REFUSED, "not confirmed; nothing was changed")

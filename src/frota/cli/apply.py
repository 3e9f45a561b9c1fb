"""``frota apply``: stores what files declare, all of it or nothing."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from frota.cli.arguments import Run, describe
from frota.cli.changes import Change, changes, refusals, stored_documents
from frota.cli.files import checked, loaded
from frota.cli.naming import GROUP
from frota.cli.opening import warn_when_idle
from frota.cli.outcome import Exit, Failure
from frota.cli.terminal import Terminal
from frota.cli.writing import told
from frota.ports.store import Conflict, Store
from frota.resources.documents import Resource
from frota.store.memory import MemoryStore
from frota.store.sqlite import SqliteStore


def apply(parser: ArgumentParser) -> Run:
    """The arguments of ``frota apply``."""
    describe(
        parser,
        "Store what files declare. They are checked together and against what is stored; then "
        "all are stored, or nothing is. Applying the same files again changes nothing. With "
        "--plan, what a plan said is done exactly: store, clusters and hosts are looked at again, "
        "and when anything else would follow now, nothing is stored and what moved is named.",
        "frota apply plant.yaml",
        "frota apply plant/ --dry-run",
        "frota apply --plan plan.json",
    )
    parser.add_argument(
        "files", metavar="FILE", nargs="*", help="YAML or JSON; a directory; - for standard input"
    )
    parser.add_argument("--plan", metavar="FILE", help="apply what `frota plan -o FILE` wrote")
    parser.add_argument("--dry-run", action="store_true", help="check and say; store nothing")
    return _run


def _run(args: Namespace, terminal: Terminal) -> int:
    if bool(args.plan) is bool(args.files):
        raise Failure(Exit.BAD_INPUT, "apply needs FILEs, or --plan FILE")
    found = _as_planned(args.plan, terminal) if args.plan else examine(args.files, terminal)
    if not args.dry_run:
        store_changes(found, terminal)
    if terminal.output == "table":
        for change in found:
            terminal.say(change.line() + (" (dry run)" if args.dry_run else ""))
    else:
        terminal.data([change.data() for change in found])
    if not args.dry_run and any(change.action != "unchanged" for change in found):
        warn_when_idle(terminal)
    return Exit.DONE


def examine(names: Sequence[str], terminal: Terminal) -> tuple[Change, ...]:
    """The files against the store. Raises Failure for what is wrong or must be refused."""
    with _store(terminal) as store:
        loads = loaded(names, stored_documents(store), terminal)
        return _examined(loads.resources, store, terminal)


def _as_planned(name: str, terminal: Terminal) -> tuple[Change, ...]:
    """The changes of a saved plan, if all that would follow is what was planned."""
    from frota.cli.plan import follow
    from frota.cli.savedplan import moved, read_plan, refused, stored_now

    plan = read_plan(name)
    with _store(terminal) as store:
        before, lines = stored_now(store), plan.moved_in(store)
        if lines:
            raise refused(lines, (), name)
        loads = checked(plan.texts(name), stored_documents(store), terminal)
        found = _examined(loads.resources, store, terminal)
        lines = moved(plan.follows, follow(store, found).marks())
        if lines:
            raise refused(lines, plan.others_in(store), name)
        if stored_now(store) != before:
            raise Failure(Exit.BUSY, "somebody else stored something meanwhile: try again")
    return found


@contextmanager
def _store(terminal: Terminal) -> Iterator[Store]:
    """The store; an empty one where there is none yet."""
    exists = terminal.store.exists()
    store = SqliteStore(terminal.store, create=False) if exists else MemoryStore()
    try:
        yield store
    finally:
        store.close()


def _examined(
    resources: Sequence[Resource], store: Store, terminal: Terminal
) -> tuple[Change, ...]:
    found = changes(resources, store)
    refused = refusals(found, store)
    if refused:
        raise Failure(Exit.REFUSED, "\nfrota: ".join([*refused, "nothing was changed"]))
    for change in found:
        for note in change.notes:
            terminal.note(f"note: {note}")
    return found


def store_changes(found: Sequence[Change], terminal: Terminal) -> None:
    """Write what was examined, unless somebody wrote meanwhile; makes the store if needed."""
    wanted = [change for change in found if change.action != "unchanged"]
    if not wanted:
        return
    store = SqliteStore(terminal.store)
    try:
        lines = [told(store, _group(change), change.subject, "apply") for change in wanted]
        store.commit([change.write() for change in wanted], lines)
    except Conflict as error:
        raise Failure(Exit.BUSY, f"{error}; nothing was changed: apply again") from None
    finally:
        store.close()


def _group(change: Change) -> str:
    """The host group in whose journal it stands; none for what has nothing to do with one."""
    if change.resource.kind == GROUP:
        return change.resource.name
    group: str = change.resource.document["spec"].get("hostGroup", "")
    return group

"""``frota apply``: stores what files declare, all of it or nothing."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from frota.cli.arguments import Run, describe
from frota.cli.changes import Change, changes, refusals, stored_documents
from frota.cli.files import loaded
from frota.cli.naming import GROUP
from frota.cli.opening import warn_when_idle
from frota.cli.outcome import Exit, Failure
from frota.cli.terminal import Terminal
from frota.cli.writing import told
from frota.ports.store import Conflict, Store
from frota.store.memory import MemoryStore
from frota.store.sqlite import SqliteStore


def apply(parser: ArgumentParser) -> Run:
    """The arguments of ``frota apply``."""
    describe(
        parser,
        "Store what files declare. They are checked together and against what is stored; then "
        "all are stored, or nothing is. Applying the same files again changes nothing.",
        "frota apply plant.yaml",
        "frota apply plant/ --dry-run",
    )
    parser.add_argument(
        "files", metavar="FILE", nargs="+", help="YAML or JSON; a directory; - for standard input"
    )
    parser.add_argument("--dry-run", action="store_true", help="check and say; store nothing")
    return _run


def _run(args: Namespace, terminal: Terminal) -> int:
    found = examine(args.files, terminal)
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
    store: Store = MemoryStore()
    if terminal.store.exists():
        store = SqliteStore(terminal.store, create=False)
    try:
        found = changes(loaded(names, stored_documents(store), terminal).resources, store)
        refused = refusals(found, store)
    finally:
        store.close()
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

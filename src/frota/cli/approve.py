"""``frota approve``: letting a plan go that the brake holds."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from frota.cli.arguments import Run, describe
from frota.cli.conditions import of_group
from frota.cli.naming import GROUP
from frota.cli.opening import opened, warn_when_idle
from frota.cli.outcome import Exit, Failure
from frota.cli.terminal import Terminal
from frota.cli.writing import report, stored_name, told
from frota.ports.store import Write
from frota.store.sqlite import SqliteStore

_APPROVAL = "Approval"


def approve(parser: ArgumentParser) -> Run:
    """The arguments of ``frota approve``."""
    describe(
        parser,
        "Let one plan go that would move, or delete, more VMs than the brake of its host group "
        "allows. The HASH stands in the conditions MovesBraked and DeletionsBraked (frota "
        "describe hostgroup) and fits that plan alone, once: when anything changes, the new "
        "plan needs a new approval. One that no plan uses runs out after an hour.",
        "frota approve plant-east 3f9a01c2d4e5",
    )
    parser.add_argument("group", metavar="GROUP", help="the host group")
    parser.add_argument("hash", metavar="HASH", help="as shown in the condition")
    return _run


def _run(args: Namespace, terminal: Terminal) -> int:
    with opened(terminal) as store:
        group = stored_name(store, GROUP, args.group)
        name = f"{group}/{args.hash}"
        held = _held(store, group)
        if args.hash not in held:
            others = f"; held: {', '.join(held)}" if held else "; none is held"
            raise Failure(
                Exit.NOT_FOUND, f"no plan of {group} with hash {args.hash} is held{others}"
            )
        changed = store.get(_APPROVAL, name) is None
        if changed:
            line = told(
                store, group, f"{GROUP}/{group}", f"approve plan {args.hash}", cause=held[args.hash]
            )
            store.commit([Write(_APPROVAL, name, {"at": line.at}, 0)], [line])
        text = f"plan {args.hash} of {group} {'is' if changed else 'was already'} approved"
        report(terminal, f"{_APPROVAL}/{name}", "approve", changed, text)
    warn_when_idle(terminal)
    return Exit.DONE


def _held(store: SqliteStore, group: str) -> dict[str, str]:
    """The hashes of the plans that the brake holds now, each with its story."""
    return {
        condition["plan"]: condition["cause_id"] for condition in of_group(store, group)
        if condition["plan"]
    }  # fmt: skip

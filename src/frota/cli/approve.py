"""``frota approve``: letting a plan go that a brake holds."""

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
        "Let one plan go that a brake holds. Of a host group: moves or deletions of VMs; the "
        "HASH stands in its conditions MovesBraked and DeletionsBraked (frota describe "
        "hostgroup), and runs out after an hour. Of a member cluster: deletions of objects "
        "(frota get clusters); the HASH alone says which cluster, and a CLUSTER alone shows what "
        "is held there and asks. An approval fits that plan alone, once: when anything changes, "
        "the new plan needs a new one.",
        "frota approve plant-east 3f9a01c2d4e5",
        "frota approve 6f0e0b1c9f5d4a7e8d2c3b4a59687f10",
        "frota approve east-prod",
    )
    parser.add_argument(
        "name", metavar="GROUP|CLUSTER|HASH", help="the host group or cluster, or what is held"
    )
    parser.add_argument("hash", metavar="HASH", nargs="?", help="as shown in the condition")
    parser.add_argument("--yes", action="store_true", help="with a CLUSTER alone: do not ask")
    return _run


def _run(args: Namespace, terminal: Terminal) -> int:
    from frota.cli.delivery.prunes import cluster_meant, let_go

    with opened(terminal) as store:
        cluster = cluster_meant(store, args.name)
        if cluster and not _of_group(store, args):
            plan = args.hash or (args.name if args.name != cluster else "")
            let_go(store, cluster, plan, terminal, yes=args.yes)
        elif args.hash is None:
            raise Failure(
                Exit.NOT_FOUND,
                f"{args.name} is neither a member cluster nor the hash of held deletions; for a "
                "host group name the hash too",
            )
        else:
            _approve_group(args, store, terminal)
    warn_when_idle(terminal)
    return Exit.DONE


def _of_group(store: SqliteStore, args: Namespace) -> bool:
    """Whether the hash is of a host group that has the name of a cluster."""
    return args.hash is not None and args.hash in _held(store, args.name)


def _approve_group(args: Namespace, store: SqliteStore, terminal: Terminal) -> None:
    group = stored_name(store, GROUP, args.name)
    name = f"{group}/{args.hash}"
    held = _held(store, group)
    if args.hash not in held:
        others = f"; held: {', '.join(held)}" if held else "; none is held"
        raise Failure(Exit.NOT_FOUND, f"no plan of {group} with hash {args.hash} is held{others}")
    changed = store.get(_APPROVAL, name) is None
    if changed:
        line = told(
            store, group, f"{GROUP}/{group}", f"approve plan {args.hash}", cause=held[args.hash]
        )
        store.commit([Write(_APPROVAL, name, {"at": line.at}, 0)], [line])
    text = f"plan {args.hash} of {group} {'is' if changed else 'was already'} approved"
    report(terminal, f"{_APPROVAL}/{name}", "approve", changed, text)


def _held(store: SqliteStore, group: str) -> dict[str, str]:
    """The hashes of the plans that the brake holds now, each with its story."""
    return {
        condition["plan"]: condition["cause_id"] for condition in of_group(store, group)
        if condition["plan"]
    }  # fmt: skip

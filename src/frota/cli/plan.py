"""``frota plan``: what files would change, and what the controllers would then do."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import inf
from typing import TYPE_CHECKING, Any

from frota.cli.apply import examine
from frota.cli.arguments import Run, describe
from frota.cli.changes import Change, stored_documents
from frota.cli.declared import Situation, as_declared
from frota.cli.naming import CLUSTER, FLEET, GROUP
from frota.cli.opening import opened
from frota.cli.outcome import Exit, Failure
from frota.cli.snapshots import read_snapshot
from frota.cli.stored import records_of
from frota.cli.terminal import Terminal
from frota.ports.store import Store
from frota.runtime.clock import SystemClock
from frota.store.memory import MemoryStore
from frota.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from frota.cli.delivery.planning import FleetPlans
    from frota.cli.foresight import Foresight

    _Sight = tuple[Foresight, Situation]
_LOOK_S = 60.0


def plan(parser: ArgumentParser) -> Run:
    """The arguments of ``frota plan``."""
    describe(
        parser,
        "Show what `apply` would change, and what the controllers would then do with the hosts "
        "as they are recorded: starts, moves, what is refused, each with its reason, and the "
        "proof that there cannot be fewer moves. Hosts that were never seen are taken as there. "
        "With --now-what, what the controllers would do as it stands; with --snapshot, what "
        "they would do in a frozen state. Of a fleet: which rollout would begin, and in each "
        "cluster what its API server says to every change, object by object; unchanged objects "
        "are not asked about. A cluster that cannot be looked at is named, and the code is 5; "
        "it is 1 when a cluster refuses something. Changes nothing.",
        "frota plan examples/three-hosts.yaml",
        "frota plan fleet/ --full",
        "frota plan --now-what",
        "frota plan --snapshot plant-east.json --prove",
    )
    parser.add_argument("files", metavar="FILE", nargs="*", help="as for apply")
    parser.add_argument("--snapshot", metavar="FILE", help="plan for this frozen host group")
    parser.add_argument("--now-what", action="store_true", help="plan for what is stored")
    parser.add_argument(
        "--prove", action="store_true", help="have the moves checked by a second, slower proof"
    )
    parser.add_argument(
        "--full", action="store_true", help="whole objects of a fleet, as they are and would be"
    )
    parser.add_argument(
        "--timeout", metavar="S", type=_seconds, default=_LOOK_S,
        help=f"look at clusters for at most S seconds (default: {_LOOK_S:g})",
    )  # fmt: skip
    return _run


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < inf:
        raise ArgumentTypeError(f"expected a number of seconds above 0; found {text}")
    return seconds


def _run(args: Namespace, terminal: Terminal) -> int:
    if sum(map(bool, (args.files, args.snapshot, args.now_what))) != 1:
        raise Failure(Exit.BAD_INPUT, "plan needs FILEs, or --snapshot FILE, or --now-what")
    changes: Sequence[Change] = ()
    situations: list[Situation]
    fleets: FleetPlans | None = None
    if args.snapshot:
        situations = [Situation(read_snapshot(args.snapshot, terminal))]
    else:
        if args.files:
            changes = examine(args.files, terminal)
        with _store(terminal, needed=args.now_what) as store:
            situations = list(_situations(store, changes))
            fleets = _fleets(store, changes, args.timeout)
    sights = _sights(situations, check=args.prove)
    if terminal.output == "table":
        _show(changes, sights, terminal)
        if fleets is not None:
            fleets.show(terminal, full=args.full)
    else:
        groups = _data(sights)
        shown = {"changes": [change.data() for change in changes], "groups": groups}
        terminal.data({**shown, "fleets": fleets.data(full=args.full) if fleets else []})
    return fleets.code if fleets is not None else Exit.DONE


def _sights(situations: Sequence[Situation], *, check: bool) -> list[_Sight]:
    if not situations:
        return []  # the planners of VMs are not even loaded
    from frota.cli.foresight import foresee

    return [(foresee(one.snapshot, check=check), one) for one in situations]


def _data(sights: Sequence[_Sight]) -> list[dict[str, Any]]:
    from frota.cli import planview

    return [
        {
            **planview.data(sight),
            "deletions": {"heldByBrake": one.held.plan if one.held else ""},
            "notes": list(one.notes),
        }
        for sight, one in sights
    ]


@contextmanager
def _store(terminal: Terminal, *, needed: bool) -> Iterator[Store]:
    """The store; an empty one in memory where there is none yet, unless it is needed."""
    if needed or terminal.store.exists():
        with opened(terminal) as store:
            yield store
    else:
        yield MemoryStore()


def _fleets(store: Store, changes: Sequence[Change], seconds: float) -> FleetPlans | None:
    kinds = {change.resource.kind for change in changes}
    if not (kinds - {GROUP} if changes else store.list(FLEET)):
        return None
    from frota.cli.delivery.planning import FleetPlans

    return FleetPlans(store, changes, seconds)


def _show(changes: Sequence[Change], sights: Sequence[_Sight], terminal: Terminal) -> None:
    for change in changes:
        terminal.say(f"would be: {change.line()}" if change.fields else change.line())
    if not sights:
        return
    from frota.cli import planview

    for sight, one in sights:
        planview.show(sight, terminal)
        if one.held is not None:
            terminal.say(f"\nthe brake would hold deletions: {one.held.message}")
        for note in one.notes:
            terminal.note(f"note: {note}")


def _situations(store: Store, changes: Sequence[Change]) -> Iterator[Situation]:
    """Every group that the changes touch (all, where there are none), as it would be."""
    documents = {
        (document["kind"], document["metadata"]["name"]): document
        for document in [
            *stored_documents(store),
            *(change.resource.document for change in changes),
        ]
    }
    touched = {_group(change) for change in changes}
    latest = store.latest() if isinstance(store, SqliteStore) else 0.0
    now = SystemClock(latest).now()
    for (kind, name), document in documents.items():
        if kind != GROUP or (touched and name not in touched):
            continue
        clusters = [
            other
            for (of, _), other in documents.items()
            if of == CLUSTER and other["spec"].get("hostGroup") == name
        ]
        yield as_declared(document, clusters, records_of(store, name), now)


def _group(change: Change) -> str:
    if change.resource.kind == GROUP:
        return change.resource.name
    group: str = change.resource.document["spec"].get("hostGroup", "")
    return group

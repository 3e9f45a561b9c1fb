"""``frota plan``: what files would change, and what the controllers would then do."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any

from frota.cli.apply import examine
from frota.cli.arguments import Run, describe
from frota.cli.changes import Change, stored_documents
from frota.cli.declared import Situation, as_declared
from frota.cli.naming import CLUSTER, FLEET, GROUP
from frota.cli.opening import opened
from frota.cli.outcome import Exit, Failure
from frota.cli.savedplan import SavedPlan, planned, stored_now, write_plan
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
LOOK_S = 60.0


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
        "it is 1 when a cluster refuses something. Changes nothing. With -o the plan is written "
        "to a file: `frota apply --plan` then does exactly that, or refuses and says what moved.",
        "frota plan examples/three-hosts.yaml",
        "frota plan fleet/ --full",
        "frota plan fleet/ -o plan.json",
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
        "--timeout", metavar="S", type=_seconds, default=LOOK_S,
        help=f"look at clusters for at most S seconds (default: {LOOK_S:g})",
    )  # fmt: skip
    parser.add_argument(
        "-o", "--file", metavar="FILE", help="write the plan here too, for `frota apply --plan`"
    )
    return _run


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < inf:
        raise ArgumentTypeError(f"expected a number of seconds above 0; found {text}")
    return seconds


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What would follow: in host groups, and in fleets (None where nothing is of one)."""

    sights: Sequence[_Sight]
    fleets: FleetPlans | None = None

    def marks(self) -> dict[str, dict[str, str]]:
        """What a saved plan is held against."""
        found = self.fleets.marks() if self.fleets is not None else {}
        if self.sights:
            from frota.cli.planview import marks

            found |= {f"{GROUP}/{sight.snapshot.group}": marks(sight) for sight, _ in self.sights}
            for sight, one in self.sights:
                if one.held is not None:
                    held = found[f"{GROUP}/{sight.snapshot.group}"]
                    held["deletions"] = f"held #{one.held.plan}"
        return found


def follow(
    store: Store, changes: Sequence[Change], seconds: float = LOOK_S, *, check: bool = False
) -> Foreseen:
    """What would follow of changes; of nothing but what is stored, where there are none."""
    sights = _sights(list(_situations(store, changes)), check=check)
    return Foreseen(sights, _fleets(store, changes, seconds))


def _run(args: Namespace, terminal: Terminal) -> int:
    if sum(map(bool, (args.files, args.snapshot, args.now_what))) != 1:
        raise Failure(Exit.BAD_INPUT, "plan needs FILEs, or --snapshot FILE, or --now-what")
    if args.file and not args.files:
        raise Failure(Exit.BAD_INPUT, "-o is for plans of FILEs: only those are applied")
    changes: Sequence[Change] = ()
    if args.snapshot:
        one = Situation(read_snapshot(args.snapshot, terminal))
        foreseen = Foreseen(_sights([one], check=args.prove))
    else:
        if args.files:
            changes = examine(args.files, terminal)
        with _store(terminal, needed=args.now_what) as store:
            stored = stored_now(store) if args.file else {}
            foreseen = follow(store, changes, args.timeout, check=args.prove)
        if args.file:
            _save(args.file, planned(changes, stored, foreseen.marks()), terminal)
    _tell(changes, foreseen, terminal, full=args.full)
    return foreseen.fleets.code if foreseen.fleets is not None else Exit.DONE


def _save(name: str, plan: SavedPlan, terminal: Terminal) -> None:
    write_plan(name, plan)
    terminal.note(f"{name}: plan {plan.hash}; to do exactly this: frota apply --plan {name}")


def _tell(changes: Sequence[Change], foreseen: Foreseen, terminal: Terminal, *, full: bool) -> None:
    fleets = foreseen.fleets
    if terminal.output == "table":
        _show(changes, foreseen.sights, terminal)
        if fleets is not None:
            fleets.show(terminal, full=full)
    else:
        groups = _data(foreseen.sights)
        shown = {"changes": [change.data() for change in changes], "groups": groups}
        terminal.data({**shown, "fleets": fleets.data(full=full) if fleets else []})


def _sights(situations: Sequence[Situation], *, check: bool) -> list[_Sight]:
    if not situations:
        return []  # the planners of VMs are not even loaded
    from frota.cli.foresight import foresee

    return [(foresee(one.snapshot, check=check), one) for one in situations]


def _data(sights: Sequence[_Sight]) -> list[dict[str, Any]]:
    if not sights:
        return []
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

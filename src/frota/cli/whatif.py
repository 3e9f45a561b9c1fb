"""``frota what-if``: what would restart where if hosts or racks died, and what would not fit."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from frota.cli import planview
from frota.cli.arguments import Run, describe
from frota.cli.foresight import settled, started, verdicts
from frota.cli.naming import GROUP, HOST, missing
from frota.cli.opening import opened
from frota.cli.outcome import Exit, Failure
from frota.cli.snapshots import read_snapshot
from frota.cli.stored import snapshot_of
from frota.cli.terminal import Terminal
from frota.cli.words import plural
from frota.cli.writing import stored_name
from frota.model.snapshot import Snapshot
from frota.model.vm import VmState
from frota.planners.placement.ledger import Ledger
from frota.planners.placement.starts import Starts, plan_starts, waiting
from frota.planners.placement.survival import failing_hosts
from frota.store.sqlite import SqliteStore


def what_if(parser: ArgumentParser) -> Run:
    """The arguments of ``frota what-if``."""
    describe(
        parser,
        "Say what would happen if hosts or whole racks died now: which VM restarts where, which "
        "finds no room, how the sets would stand, and whether one host more could be lost, "
        "before and after. Ends with 1 when a VM would find no room. Changes nothing.",
        "frota what-if --without c",
        "frota what-if --without rack/r1 host/d --snapshot plant-east.json",
    )
    parser.add_argument(
        "--without", metavar="NAME", nargs="+", required=True,
        help="hosts or racks: a name, or host/NAME, rack/NAME where both have it",
    )  # fmt: skip
    parser.add_argument("--group", metavar="GROUP", help="needed where hosts are in several")
    parser.add_argument("--snapshot", metavar="FILE", help="look at this frozen host group")
    return _run


@dataclass(frozen=True, slots=True)
class Loss:
    """What would become of a group without some hosts."""

    gone: tuple[str, ...]
    before: Snapshot
    without: Snapshot
    starts: Starts

    @property
    def after(self) -> Snapshot:
        """Once the restarts are done; what evenness would move later is left out."""
        return started(self.without, self.starts.steps)

    @property
    def restarts(self) -> tuple[tuple[str, str, str, str], ...]:
        """VM, the host it was on, the host it restarts on, why."""
        lost = self._lost()
        return tuple(
            (step.vm, lost[step.vm], step.dst, step.reason)
            for step in self.starts.steps
            if step.vm in lost
        )

    @property
    def stranded(self) -> tuple[tuple[str, str, str, str], ...]:
        """VM, the host it was on, a word, why it finds no room."""
        lost = self._lost()
        return tuple(
            (r.subject, lost[r.subject], r.reason, r.message)
            for r in self.starts.refusals
            if r.subject in lost
        )

    def _lost(self) -> dict[str, str]:
        return {
            vm.name: vm.host
            for vm in self.before.vms.values()
            if vm.host in self.gone and vm.state not in (VmState.PENDING, VmState.STOPPED)
        }


def _run(args: Namespace, terminal: Terminal) -> int:
    if args.snapshot:
        snapshot = read_snapshot(args.snapshot, terminal)
        gone = hosts_named(args.without, snapshot)
    else:
        with opened(terminal) as store:
            snapshot, gone = _stored(store, args)
    loss = lose(snapshot, gone)
    if terminal.output == "table":
        _show(loss, terminal)
    else:
        terminal.data(_data(loss))
    return Exit.REFUSED if loss.stranded else Exit.DONE


def lose(snapshot: Snapshot, gone: Sequence[str]) -> Loss:
    """What would become of a group without these hosts."""
    before = settled(snapshot)
    without = before.without(gone)
    starts = plan_starts(without, waiting(without), Ledger(without))
    return Loss(tuple(gone), before, without, starts)


def hosts_named(words: Sequence[str], snapshot: Snapshot) -> tuple[str, ...]:
    """The member hosts that hosts and racks stand for."""
    racks = {host.rack for host in snapshot.hosts.values() if host.member}
    found: dict[str, None] = {}
    for word in words:
        sort, slash, name = word.partition("/")
        sort, name = (sort, name) if slash else ("", word)
        if sort in ("", "host") and name in snapshot.hosts:
            found.setdefault(name)
        elif sort in ("", "rack") and name in racks:
            found.update(dict.fromkeys(snapshot.of_rack(name)))
        else:
            raise missing("host or rack", name, sorted({*snapshot.hosts, *racks}))
    return tuple(found)


def _stored(store: SqliteStore, args: Namespace) -> tuple[Snapshot, tuple[str, ...]]:
    """The group that has all of the hosts or racks, and the hosts."""
    groups = [entry.name for entry in store.raw(GROUP)]
    if args.group:
        groups = [stored_name(store, GROUP, args.group)]
    words = []
    for word in args.without:
        group, slash, name = word.partition("/")
        if slash and group in groups:
            groups, word = [group], name  # noqa: PLW2901 - GROUP/HOST, as in other commands
        words.append(word)
    fitting = []
    failure = missing(HOST, words[0], [])
    for group in groups:
        snapshot = snapshot_of(store, group)
        try:
            fitting.append((snapshot, hosts_named(words, snapshot)))
        except Failure as error:
            failure = error
    if len(fitting) > 1:
        names = ", ".join(snapshot.group for snapshot, _ in fitting)
        raise Failure(Exit.BAD_INPUT, f"these hosts are in several groups ({names}): use --group")
    if not fitting:
        raise failure
    return fitting[0]


def _show(loss: Loss, terminal: Terminal) -> None:
    group, gone = loss.before.group, ", ".join(loss.gone)
    terminal.say(
        f"{group} without {gone}: {plural(len(loss.restarts), 'VM')} would restart, "
        f"{len(loss.stranded)} would find no room"
    )
    if loss.restarts:
        terminal.say()
        rows = [(vm, was, to) for vm, was, to, _ in loss.restarts]
        terminal.table(("RESTARTS", "WAS ON", "GOES TO"), rows)
    if loss.stranded:
        terminal.say()
        terminal.table(("NO ROOM FOR", "WAS ON", "REASON", "WHY"), loss.stranded)
    terminal.say("\nsets:")
    before = {verdict.set: verdict for verdict in verdicts(loss.before)}
    planview.show_verdicts(verdicts(loss.after), before, terminal)
    terminal.say()
    for word, snapshot in (("before", loss.before), ("after", loss.after)):
        failing = failing_hosts(snapshot)
        said = f"no: not {', '.join(failing)}" if failing else "yes"
        terminal.say(f"could any one host be lost, {word}: {said}")


def _data(loss: Loss) -> dict[str, Any]:
    n1 = {
        word: {"holds": not (failing := failing_hosts(snapshot)), "hostsNotSpared": list(failing)}
        for word, snapshot in (("before", loss.before), ("after", loss.after))
    }
    return {
        "group": loss.before.group,
        "without": list(loss.gone),
        "restarts": [
            {"vm": vm, "from": was, "to": to, "reason": why} for vm, was, to, why in loss.restarts
        ],
        "noRoom": [
            {"vm": vm, "from": was, "reason": word, "message": why}
            for vm, was, word, why in loss.stranded
        ],
        "n1": n1,
        "sets": [planview.verdict_data(verdict) for verdict in verdicts(loss.after)],
    }

"""One host group at one moment, drawn: hosts by rack with their load, VMs coloured by set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from frota.cli.terminal import printable
from frota.cli.words import ago, style_of
from frota.model.availability import Phase, Verdict
from frota.model.decision import Decision, Stage
from frota.model.host import Host
from frota.model.snapshot import Snapshot
from frota.model.vm import Vm, VmState
from frota.planners.placement.ledger import Ledger, rooms

NAMED_MOST = 64  # VMs shown by name; more are shown as blocks
VMS_MOST = 120  # blocks of one host
_BAR = 10
_SET_COLORS = (
    "cyan", "magenta", "yellow", "green", "blue", "bright_red", "bright_cyan",
    "bright_magenta", "bright_yellow", "bright_green", "bright_blue",
)  # fmt: skip
_STAGE_STYLES = {
    Stage.CAUSE: "yellow",
    Stage.DECISION: "cyan",
    Stage.ACTION: "bold",
    Stage.OUTCOME: "green",
}
_MARKS = {
    VmState.STARTING: "+",
    VmState.STOPPING: "-",
    VmState.STOPPED: "o",
    VmState.UNMONITORED: "?",
    VmState.LOST: "!",
}


@dataclass(frozen=True, slots=True)
class Scene:
    """What is drawn. ``lines`` are the last of the journal, ``troubles`` what Frota itself
    has to complain about. ``rows`` is how many hosts and sets, and how much of all else, is
    shown at most: those that are not well first."""

    snapshot: Snapshot
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    lines: Sequence[Decision] = ()
    troubles: Sequence[str] = ()
    rows: int = 10_000


def draw(scene: Scene) -> RenderableType:
    """The whole picture."""
    parts: list[RenderableType] = [hosts_table(scene)]
    if scene.snapshot.sets:
        parts += ["", sets_table(scene)]
    extras = (absent_table(scene), moves_table(scene), waiting_table(scene), journal_table(scene))
    for extra in extras:
        if extra is not None:
            parts += ["", extra]
    parts += [Text(printable(trouble), style="red") for trouble in scene.troubles]
    return Group(*parts)


def colors(snapshot: Snapshot) -> Mapping[str, str]:
    """A colour for every set, the same as long as the sets are the same."""
    names = sorted(snapshot.sets)
    return {name: _SET_COLORS[place % len(_SET_COLORS)] for place, name in enumerate(names)}


def hosts_table(scene: Scene) -> Table:
    """Hosts by rack: state, load, and the VMs on each."""
    snapshot = scene.snapshot
    ledger = Ledger(snapshot)
    members = [host for host in snapshot.hosts.values() if host.member]
    members.sort(key=lambda host: (host.schedulable, host.rack, host.name))
    hosts = sorted(members[: scene.rows], key=lambda host: (host.rack, host.name))
    racked = any(host.rack != host.name for host in hosts)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for head in (("RACK",) if racked else ()) + ("HOST", "STATE", "FOR", "MEMORY", "CPUS"):
        table.add_column(head, no_wrap=True)
    table.add_column("VMS", overflow="fold")
    guests = _guests(snapshot)
    palette = colors(snapshot)
    for rack, inside in groupby(hosts, key=lambda host: host.rack):
        for place, host in enumerate(inside):
            cells = _host_cells(host, ledger, snapshot)
            vms = _vm_text(guests.get(host.name, ()), host, snapshot, palette)
            lead = (rack if not place else "",) if racked else ()
            table.add_row(*lead, *cells, vms)
    _count_rest(table, len(members) - len(hosts))
    return table


def _count_rest(table: Table, rest: int) -> None:
    if rest > 0:
        table.add_row(Text(f"… {rest} more", style="dim"))


def _guests(snapshot: Snapshot) -> Mapping[str, Sequence[Vm]]:
    found: dict[str, list[Vm]] = {}
    for vm in snapshot.vms.values():
        for host in rooms(vm) or ((vm.host,) if vm.state is VmState.STOPPED else ()):
            found.setdefault(host, []).append(vm)
    return {host: sorted(vms, key=lambda vm: (vm.set, vm.order)) for host, vms in found.items()}


def _host_cells(host: Host, ledger: Ledger, snapshot: Snapshot) -> tuple[RenderableType, ...]:
    index, capacity = ledger.index[host.name], host.capacity
    return (
        host.name,
        Text(host.state.value, style=style_of(host.state.value)),
        ago(snapshot.now - host.since) if host.since > 0 else "-",
        _bar(capacity.memory_mib - ledger.memory[index], capacity.memory_mib),
        _bar(capacity.vcpus - ledger.cpus[index], capacity.vcpus),
    )


def _bar(used: int, most: int) -> Text:
    share = used / most if most else 0.0
    full = min(_BAR, round(share * _BAR))
    style = "red" if share > 0.95 else "yellow" if share > 0.75 else "green"
    bar = Text("█" * full, style=style)
    bar.append("░" * (_BAR - full), style="dim")
    return bar.append(f" {share:4.0%}")


def _vm_text(vms: Sequence[Vm], host: Host, snapshot: Snapshot, palette: Mapping[str, str]) -> Text:
    named = len(snapshot.vms) <= NAMED_MOST
    text = Text()
    for vm in vms[:VMS_MOST]:
        if named and text:
            text.append(" ")
        text.append(_vm_word(vm, host, named=named), style=palette.get(vm.set, "white"))
    if len(vms) > VMS_MOST:
        text.append(f" +{len(vms) - VMS_MOST}", style="dim")
    return text


def _vm_word(vm: Vm, host: Host, *, named: bool) -> str:
    """A VM in a few letters: its name without its cluster's, and what is going on with it."""
    operation = vm.operation
    mark = _MARKS.get(vm.state, "")
    if operation is not None and operation.src and operation.dst:
        mark = f"→{operation.dst}" if operation.src == host.name else f"←{operation.src}"
    if not named:
        return mark[:1] or "■"
    short = vm.name.partition("-")[2] or vm.name
    return f"{short}{mark}"


def sets_table(scene: Scene) -> Table:
    """Sets with their phases, how they are spread, and why they stand so."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for head in ("SET", "PHASE", "N-1", "SPREAD"):
        table.add_column(head, no_wrap=head != "SPREAD")
    table.add_column("WHY", overflow="fold")
    palette = colors(scene.snapshot)
    ranked = sorted(palette, key=lambda name: _well(scene.verdicts.get(name)))
    for name in sorted(ranked[: scene.rows]):
        verdict, color = scene.verdicts.get(name), palette[name]
        if verdict is None:
            table.add_row(Text(name, style=color), "…", "", "", "not judged yet")
            continue
        phase = verdict.phase.value
        n1 = {True: "yes", False: "no", None: "…"}[verdict.n1_feasible]
        spread = " ".join(f"{domain}={count}" for domain, count in verdict.counts)
        table.add_row(
            Text(name, style=color),
            Text(phase, style=style_of(phase)),
            n1,
            spread,
            printable(verdict.message),
        )
    _count_rest(table, len(palette) - scene.rows)
    return table


def _well(verdict: Verdict | None) -> bool:
    return verdict is not None and verdict.phase is Phase.HEALTHY


def absent_table(scene: Scene) -> Table | None:
    """Hosts that are not up, and why; or None."""
    hosts = [
        host
        for host in scene.snapshot.hosts.values()
        if host.member and not host.schedulable and host.reason
    ]
    if not hosts:
        return None
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("NOT UP", no_wrap=True)
    table.add_column("STATE", no_wrap=True)
    table.add_column("WHY", overflow="fold")
    for host in hosts[: scene.rows]:
        state = Text(host.state.value, style=style_of(host.state.value))
        table.add_row(host.name, state, printable(host.reason))
    _count_rest(table, len(hosts) - scene.rows)
    return table


def moves_table(scene: Scene) -> Table | None:
    """What is under way, or None."""
    snapshot = scene.snapshot
    busy = [vm for vm in snapshot.vms.values() if vm.operation is not None]
    if not busy:
        return None
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for head in ("UNDER WAY", "VM", "WHERE", "SINCE"):
        table.add_column(head, no_wrap=True)
    for vm in busy[: scene.rows]:
        operation = vm.operation
        if operation is not None:
            ends = [end for end in (operation.src, operation.dst) if end]
            since = ago(snapshot.now - operation.since)
            table.add_row(operation.verb.value, vm.name, " → ".join(ends), since)
    _count_rest(table, len(busy) - scene.rows)
    return table


def waiting_table(scene: Scene) -> Table | None:
    """VMs that do not run though they should, and why; or None."""
    states = (VmState.LOST, VmState.UNPLACEABLE, VmState.UNMONITORED)
    waiting = [vm for vm in scene.snapshot.vms.values() if vm.state in states]
    if not waiting:
        return None
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("NOT RUNNING", no_wrap=True)
    table.add_column("STATE", no_wrap=True)
    table.add_column("WHY", overflow="fold")
    for vm in waiting[: scene.rows]:
        state = Text(vm.state.value, style=style_of(vm.state.value))
        table.add_row(vm.name, state, printable(vm.reason))
    _count_rest(table, len(waiting) - scene.rows)
    return table


def journal_table(scene: Scene) -> Table | None:
    """The last lines of the journal, or None."""
    if not scene.lines:
        return None
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for head in ("AGO", "LAST DECISIONS"):
        table.add_column(head, no_wrap=True)
    table.add_column("", overflow="ellipsis", no_wrap=True)
    for line in scene.lines:
        what = Text(printable(f"{line.subject} {line.reason}"), style=_STAGE_STYLES[line.stage])
        table.add_row(ago(scene.snapshot.now - line.at), what, printable(line.message))
    return table

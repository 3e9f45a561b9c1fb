"""``frota explain --snapshot``: how one thing of a frozen host group stands, and why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from frota.cli import planview
from frota.cli.foresight import Foresight, foresee, verdicts
from frota.cli.naming import HOST, SET, VM, missing
from frota.cli.outcome import Exit, Failure
from frota.cli.snapshots import read_snapshot
from frota.cli.terminal import Terminal, printable
from frota.cli.words import mib, plural, size_text
from frota.model.availability import domain_of
from frota.model.plan import Refusal, Step
from frota.model.snapshot import Snapshot
from frota.model.vm import Vm
from frota.planners.placement.ledger import Ledger, rooms
from frota.planners.placement.verdict import members_of


def explain_snapshot(file: str, kind: str, name: str, terminal: Terminal) -> int:
    """Explain a host, VM or set of a snapshot file."""
    snapshot = read_snapshot(file, terminal)
    name = name.removeprefix(f"{snapshot.group}/")
    about = {HOST: snapshot.hosts, VM: snapshot.vms, SET: snapshot.sets}.get(kind)
    if about is None:
        raise Failure(Exit.BAD_INPUT, "expected a host, VM or set to explain")
    if name not in about:
        raise missing(kind, name, list(about))
    sight = foresee(snapshot)
    facts = list({HOST: _host, VM: _vm, SET: _set}[kind](snapshot, name))
    vms = _vms_of(snapshot, kind, name)
    steps = [step for step in _steps(sight) if step.vm in vms]
    refused = [r for r in (*sight.refusals, *sight.rebalance.refusals) if r.subject in {name, *vms}]
    if terminal.output == "table":
        _show(f"{kind}/{name}", facts, steps, refused, terminal)
    else:
        terminal.data(_data(f"{kind}/{name}", facts, steps, refused))
    return Exit.DONE


def _vms_of(snapshot: Snapshot, kind: str, name: str) -> frozenset[str]:
    if kind == VM:
        return frozenset((name,))
    if kind == SET:
        return frozenset(vm.name for vm in snapshot.vms.values() if vm.set == name)
    return frozenset(vm.name for vm in snapshot.vms.values() if vm.seat == name)


def _steps(sight: Foresight) -> tuple[Step, ...]:
    return (*sight.stops, *sight.starts, *sight.drains, *sight.rebalance.steps)


def _host(snapshot: Snapshot, name: str) -> Iterator[str]:
    host, ledger = snapshot.hosts[name], Ledger(snapshot)
    index = ledger.index[name]
    guests = sum(name in rooms(vm) for vm in snapshot.vms.values())
    yield f"{host.state.value}{f' ({host.reason})' if host.reason else ''}"
    yield f"rack {host.rack}; {'takes' if host.schedulable else 'does not take'} new VMs"
    yield (
        f"holds {plural(guests, 'VM')}; free {mib(ledger.memory[index])} of "
        f"{mib(host.capacity.memory_mib)}, {ledger.cpus[index]} of {host.capacity.vcpus} CPUs"
    )
    for spread in snapshot.sets.values():
        config = spread.generations[-1] if spread.generations else frozenset()
        missing_domains = [d for lv in spread.levels if (d := domain_of(host, lv)) not in config]
        if config and missing_domains:
            yield f"set {spread.name} was configured without {', '.join(missing_domains)}"


def _set(snapshot: Snapshot, name: str) -> Iterator[str]:
    spread = snapshot.sets[name]
    verdict = next(verdict for verdict in verdicts(snapshot) if verdict.set == name)
    yield f"{verdict.phase.value}: {verdict.message}"
    counts = ", ".join(f"{domain}={count}" for domain, count in verdict.counts)
    levels = " and ".join(f"{level.value}s" for level in spread.levels)
    yield f"spread over {levels}; members by {spread.levels[0].value}: {counts or 'none'}"
    if verdict.blocker is not None:
        yield f"what is in the way: {verdict.blocker.value}"
    if not verdict.fault_tolerant:
        yield "only one of its fault domains serves: a failure there stops all of it"
    older = [
        vm.name for vm in members_of(snapshot)[name] if vm.generation < len(spread.generations) - 1
    ]
    if older and not spread.adopt_new_domains:
        yield (
            f"{plural(len(older), 'member')} may only use the domains of when they were admitted: "
            f"{', '.join(sorted(older)[:6])}"
        )


def _vm(snapshot: Snapshot, name: str) -> Iterator[str]:
    vm = snapshot.vms[name]
    where = f" on {vm.host}" if vm.host else ""
    yield f"{vm.state.value}{where}{f' ({vm.reason})' if vm.reason else ''}"
    size = vm.size
    shown = size_text(size.memory_mib, size.vcpus, size.gpu_model, size.gpus)
    yield f"set {vm.set or 'none'}; {shown}; priority {vm.priority}; mobility {vm.mobility.value}"
    if vm.home not in ("", vm.host):
        yield f"its home is {vm.home}"
    ledger = Ledger(snapshot)
    for place in ledger.names:
        if place != vm.host:
            yield f"host {place}: {_why_not(vm, place, snapshot, ledger)}"


def _why_not(vm: Vm, host: str, snapshot: Snapshot, ledger: Ledger) -> str:
    """What speaks against a host for a VM, or that nothing does."""
    record, index = snapshot.hosts[host], ledger.index[host]
    members = ledger.counts.get(vm.set, {}).get(index, 0)
    holds = f"holds {plural(members, 'member')} of its set"
    if not record.schedulable:
        return f"is {record.state.value}; {holds}"
    if not ledger.fits(index, vm.size):
        free = f"{mib(ledger.memory[index])} and {ledger.cpus[index]} CPUs free"
        return f"has no room for it: {free}; {holds}"
    return f"has room; {holds}"


def _show(
    subject: str, facts: list[str], steps: list[Step], refused: list[Refusal], terminal: Terminal
) -> None:
    terminal.say(terminal.paint(f"{subject}: {printable(facts[0])}", "bold"))
    for fact in facts[1:]:
        terminal.say(f"  {printable(fact)}")
    if steps:
        terminal.say("\nwould be done:")
        planview.show_steps(steps, terminal)
        for step in steps:
            for rejected in step.rejected:
                terminal.say(f"  {step.vm} not: {printable(rejected)}")
    if refused:
        terminal.say("\nwould not be done:")
        rows = [(r.subject, r.reason, r.message) for r in refused]
        terminal.table(("SUBJECT", "REASON", "WHY"), rows)
    if not steps and not refused:
        terminal.say("\nnothing would be done about it")


def _data(
    subject: str, facts: list[str], steps: list[Step], refused: list[Refusal]
) -> dict[str, Any]:
    return {
        "subject": subject,
        "facts": facts,
        "steps": [planview.step_data(step) for step in steps],
        "refusals": [planview.refusal_data(refusal) for refusal in refused],
    }

"""What must hold when all is well again: everything runs that fits, every set is even,
and nothing more happens."""

from __future__ import annotations

from dataclasses import replace

from frota.model.availability import AvailabilitySet, domain_of
from frota.model.host import Host, HostState
from frota.model.snapshot import Snapshot
from frota.model.vm import Mobility, Vm, VmState
from frota.planners.placement.survival import survives_any_host
from frota.twin.invariants.book import Book
from frota.twin.invariants.broken import Findings
from frota.twin.site import Site

_AT_REST = frozenset({HostState.UP, HostState.MAINTENANCE, HostState.REMOVED})


def check_converged(book: Book, site: Site, findings: Findings) -> None:
    """Judge the end of a liveness phase: faults have stopped, every host is well."""
    for host in book.hosts.values():
        if host.state not in _AT_REST and not (
            host.state is HostState.DRAINING and _holds_any(book, host)
        ):
            text = f"host {host.name} is still {host.state}: {host.reason}"
            findings.broken("liveness", text)
    for operation in book.flying.values():
        text = f"{operation.verb} of {operation.vm} never ended ({operation.id})"
        findings.broken("liveness", text)
    for vm in book.vms.values():
        _vm_at_rest(vm, book, site, findings)
    _no_ghosts(book, site, findings)
    for spread in book.sets.values():
        _aligned(spread, book, findings)


def _holds_any(book: Book, host: Host) -> bool:
    return any(vm.host == host.name for vm in book.vms.values())


def _vm_at_rest(vm: Vm, book: Book, site: Site, findings: Findings) -> None:
    if vm.state is VmState.RUNNING:
        where = site.hosts_of(vm.name)
        if where != (vm.host,):
            text = f"{vm.name} is recorded to run on {vm.host} but runs on {where or 'no host'}"
            findings.broken("liveness", text)
    elif vm.state is VmState.UNPLACEABLE:
        up = (host for host in book.hosts.values() if host.schedulable)
        free = next((host.name for host in up if book.fits(host, vm.size)), "")
        if free and vm.epoch:
            text = f"{vm.name} stays Unplaceable ({vm.reason}) although {free} has room"
            findings.broken("I4", text)
    elif vm.state is not VmState.STOPPED:
        findings.broken("liveness", f"{vm.name} is still {vm.state}: {vm.reason}")


def _no_ghosts(book: Book, site: Site, findings: Findings) -> None:
    """Nothing runs that the records do not have."""
    for name, hosts in site.running.items():
        if name not in book.vms:
            text = f"{name} runs on {', '.join(hosts)} and no record of it is left"
            findings.broken("liveness", text)


def _aligned(spread: AvailabilitySet, book: Book, findings: Findings) -> None:
    """I16: no single legal move of one member makes the set more even."""
    if spread.deleting:
        return
    members = [vm for vm in book.members(spread.name) if vm.operation is None]
    whole = all(vm.state is VmState.RUNNING for vm in members if vm.wanted)
    if spread.control_plane and not whole:
        return  # its quorum is guarded
    up = [host for host in book.hosts.values() if host.schedulable]
    for vm in members:
        if not _movable(vm, book) or vm.host not in book.hosts:
            continue
        for host in up:
            if host.name == vm.host or not book.fits(host, vm.size):
                continue
            if not _legal(spread, vm, host):
                continue
            gain = book.gain(spread, vm.host, host.name)
            if gain < (0,) * len(gain) and not _held_by_n1(vm, host, book):
                seats = {name: n for name, n in book.seats[spread.name].items() if n}
                text = (
                    f"{spread.name} is not even ({seats}): {vm.name} could go from"
                    f" {vm.host} to {host.name}"
                )
                findings.broken("I16", text)
                return


def _movable(vm: Vm, book: Book) -> bool:
    if vm.state is not VmState.RUNNING or not vm.wanted:
        return False
    return vm.mobility is Mobility.LIVE or book.policy.cold_rebalance


def _legal(spread: AvailabilitySet, vm: Vm, host: Host) -> bool:
    if spread.adopt_new_domains or not spread.generations:
        return True
    config = spread.generations[min(vm.generation, len(spread.generations) - 1)]
    return all(domain_of(host, level) in config for level in spread.levels)


def _held_by_n1(vm: Vm, host: Host, book: Book) -> bool:
    now = Snapshot("", 0.0, book.hosts, book.sets, book.vms, book.policy)
    if not survives_any_host(now):
        return False
    return not survives_any_host(now.with_vms([replace(vm, host=host.name)]))

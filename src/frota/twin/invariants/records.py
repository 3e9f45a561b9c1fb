"""Invariants of what is written down: each changed record is looked at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from frota.model.availability import AvailabilitySet, domain_of
from frota.model.host import Host, HostState
from frota.model.policy import Admission
from frota.model.snapshot import Snapshot
from frota.model.vm import Operation, Vm, VmState
from frota.planners.placement.survival import survives_any_host
from frota.ports.store import Write
from frota.twin.invariants.book import Book
from frota.twin.invariants.broken import Findings
from frota.twin.site import Site

_SILENT_REASONS = frozenset({VmState.RUNNING, VmState.PENDING})
_ACTING = frozenset({VmState.STARTING, VmState.MIGRATING, VmState.STOPPING})
_SERVING = frozenset({HostState.UP, HostState.RECOVERING})
_NEW = frozenset({VmState.PENDING, VmState.UNPLACEABLE})


class RecordRules:
    """I3, I4, I5, I10, I11 and I19, and that no host serves with guests of its own."""

    __slots__ = (
        "_book",
        "_findings",
        "_moves",
        "_placed",
        "_refused",
        "_removed",
        "_site",
        "_written",
    )

    def __init__(self, book: Book, site: Site, findings: Findings) -> None:
        self._book = book
        self._site = site
        self._findings = findings
        self._placed: list[Vm] = []
        self._moves: list[Operation] = []  # begun since the controller was done last
        self._refused: list[str] = []
        self._removed: list[Host] = []
        self._written: list[str] = []

    def committed(self, writes: Sequence[Write]) -> list[tuple[object, object]]:
        """Take over one commit, look at what it changed, and give (before, after) of that."""
        changes = list(self._book.apply(writes))
        for before, after in changes:
            if isinstance(after, Vm) or isinstance(before, Vm):
                self._vm(before, after)
            elif isinstance(after, Host) or isinstance(before, Host):
                self._host(before, after)
            else:
                self._set(before, after)
        return changes

    def settled(self) -> None:
        """Look at what may be judged only once the controller is done for now."""
        if self._removed:
            self._lost_domains()
        if self._placed or self._refused:
            self._admissions()
        self._moves.clear()
        if self._written:
            self._reasons()

    # Each record

    def _vm(self, before: object, after: object) -> None:
        if not isinstance(after, Vm):
            return
        self._written.append(after.name)
        rested = not isinstance(before, Vm) or before.operation is None
        if rested and after.operation is not None and after.operation.voluntary:
            self._moves.append(after.operation)
        if isinstance(before, Vm) and before.set != after.set:
            text = f"VM {after.name} changed its set from {before.set} to {after.set}"
            self._findings.broken("I3", text)
        if after.state is VmState.RUNNING:
            self._site.recognise(after.name, after.host, after.epoch)
        if after.state is VmState.UNPLACEABLE:
            self._refused.append(after.name)
        elif (
            after.state is VmState.STARTING
            and after.epoch <= 1
            and (before is None or (isinstance(before, Vm) and before.state in _NEW))
        ):
            self._placed.append(after)

    def _host(self, before: object, after: object) -> None:
        if isinstance(before, Host) and after is None:
            if before.state is not HostState.REMOVED:
                text = f"host {before.name} vanished from the list while {before.state}"
                self._findings.broken("I11", text)
            return
        if not isinstance(after, Host):
            return
        was = before.state if isinstance(before, Host) else None
        if after.state is was:
            return
        if after.state is HostState.REMOVED:
            self._removed.append(after)
        if after.state in _SERVING and was is HostState.DOWN:
            stale = self._stale(after.name)
            if stale:
                names = ", ".join(stale)
                text = f"host {after.name} became {after.state} while old copies of {names} ran"
                self._findings.broken("I18", text)
        if after.state is HostState.DOWN and not (after.fence_proof or after.reason):
            text = f"host {after.name} is Down and nothing says how that was proved"
            self._findings.broken("I18", text)

    def _stale(self, host: str) -> list[str]:
        """Copies that a host started by itself although their time is over."""
        machine = self._site.machines[host]
        found = []
        for name in sorted(machine.rogues):
            vm = self._book.vms.get(name)
            if vm is not None and (vm.epoch > machine.copies[name].epoch or vm.host != host):
                found.append(name)
        return found

    def _set(self, before: object, after: object) -> None:
        if not isinstance(before, AvailabilitySet) or not isinstance(after, AvailabilitySet):
            return
        for name in ("name", "cluster", "role", "levels"):
            old, new = getattr(before, name), getattr(after, name)
            if old != new:
                text = f"set {before.name} changed its {name} from {old} to {new}"
                self._findings.broken("I3", text)
        count = len(before.generations)
        if after.generations[:count] != before.generations:
            text = f"set {before.name} changed a past configuration"
            self._findings.broken("I3", text)
        for old, new in zip(after.generations, after.generations[1:], strict=False):
            if not old <= new:
                text = f"set {before.name} lost domains: {', '.join(sorted(old - new))}"
                self._findings.broken("I3", text)
        if not set(before.removed) <= set(after.removed):
            text = f"set {before.name} forgot that it lost {', '.join(before.removed)}"
            self._findings.broken("I10", text)

    # After the controller is done for now

    def _lost_domains(self) -> None:
        removed, self._removed = self._removed, []
        members = [host for host in self._book.hosts.values() if host.member]
        for spread in self._book.sets.values():
            config = spread.generations[-1] if spread.generations else frozenset()
            for host in removed:
                for level in spread.levels:
                    domain = domain_of(host, level)
                    if domain not in config or domain in spread.removed:
                        continue
                    if not any(domain_of(other, level) == domain for other in members):
                        text = f"set {spread.name} lost {domain} for good and does not say so"
                        self._findings.broken("I10", text)

    def _admissions(self) -> None:
        placed, self._placed = self._placed, []
        refused, self._refused = self._refused, []
        moves, self._moves = self._moves, []
        book = self._book
        up = [host for host in book.hosts.values() if host.schedulable]
        strict = book.policy.admission is Admission.STRICT
        waiting = [book.vms[name] for name in refused if name in book.vms]
        waiting = [vm for vm in waiting if vm.state is VmState.UNPLACEABLE]
        for vm in waiting:
            free = next((host.name for host in up if book.fits(host, vm.size)), "")
            if free and not (strict and not vm.epoch) and not self._makes_room(vm):
                text = f"VM {vm.name} is Unplaceable ({vm.reason}) although {free} has room for it"
                self._findings.broken("I4", text)
        if waiting:
            return  # to run more VMs comes before spread
        for vm in placed:
            spread = book.sets.get(vm.set)
            here = book.hosts.get(vm.seat)
            if spread is None or here is None or not here.schedulable:
                continue
            seats = book.seats_before(moves, spread)
            for host in up:
                if host is here or not book.fits(host, vm.size):
                    continue
                if book.gain(spread, here.name, host.name, seats) < (0,):
                    if strict and vm.epoch <= 1 and not self._survives_with(vm, host):
                        continue  # strict admission would not have let it in there
                    text = (
                        f"VM {vm.name} was admitted to {here.name} although {host.name} has room"
                        f" and fewer of {spread.name}: {_counts(seats)}"
                    )
                    self._findings.broken("I5", text)
                    break

    def _survives_with(self, vm: Vm, host: Host) -> bool:
        """Whether any host could be lost if the VM ran on this one."""
        book = self._book
        there = replace(vm, host=host.name, operation=None, state=VmState.RUNNING)
        now = Snapshot("", 0.0, book.hosts, book.sets, book.vms, book.policy)
        return survives_any_host(now.with_vms([there]))

    def _makes_room(self, vm: Vm) -> bool:
        """Whether the room is being kept for a more important VM (only with preemption)."""
        return self._book.policy.preempt and any(
            other.priority > vm.priority and other.state is VmState.UNPLACEABLE
            for other in self._book.vms.values()
        )

    def _reasons(self) -> None:
        written, self._written = self._written, []
        for name in written:
            vm = self._book.vms.get(name)
            if vm is None:
                continue
            if vm.state in _ACTING and vm.operation is None:
                text = f"VM {name} is {vm.state} but no operation is under way"
                self._findings.broken("I19", text)
            elif vm.state not in _SILENT_REASONS and vm.operation is None and not vm.reason:
                self._findings.broken("I19", f"VM {name} is {vm.state} and nothing says why")


def _counts(seats: Mapping[str, int]) -> str:
    return ", ".join(f"{host} {number}" for host, number in sorted(seats.items()) if number)

"""Invariants of every order that a controller gives to the hypervisor, the moment it is given."""

from __future__ import annotations

from dataclasses import replace

from frota.model.availability import AvailabilitySet, domain_of
from frota.model.policy import RebalanceMode
from frota.model.snapshot import Snapshot
from frota.model.vm import Operation, Verb, Vm, VmState
from frota.planners.placement.survival import survives_any_host
from frota.twin.invariants.book import Book
from frota.twin.invariants.broken import Findings
from frota.twin.invariants.proofs import Whereabouts
from frota.twin.site import Site

_MOVES = frozenset({Verb.LIVE, Verb.COLD})
_ARRIVES = frozenset({Verb.START, Verb.LIVE, Verb.COLD})
_EPSILON_S = 1e-6


class OrderRules:
    """I1, I2, I6, I8, I9, I13, I14, I15 and I18."""

    def __init__(self, book: Book, site: Site, findings: Findings) -> None:
        self._book = book
        self._site = site
        self._findings = findings
        self._seen: set[str] = set()
        self._begun: list[Operation] = []  # by choice, since the controller was done last
        self._moved_at: dict[str, float] = {}
        self.places = Whereabouts(book.hosts)

    def ordered(self, operation: Operation) -> bool:
        """Judge one order before it reaches the world; false for an id given before."""
        if operation.id in self._seen:
            return False
        self._seen.add(operation.id)
        if operation.verb in _ARRIVES:
            self._one_at_a_time(operation)
            self._room(operation)
        if operation.verb is Verb.START:
            self._proof(operation)
        vm = self._book.vms.get(operation.vm)
        if operation.verb in _MOVES and vm is not None:
            self._throttles(operation)
            spread = self._book.sets.get(vm.set)
            if spread is not None:
                self._quorum(operation, vm, spread)
                if operation.voluntary:
                    self._voluntary(operation, vm, spread)
        return True

    # Every start and move

    def _one_at_a_time(self, operation: Operation) -> None:
        for job in self._site.jobs.values():
            other = getattr(job, "operation", None)
            if not isinstance(other, Operation) or other.vm != operation.vm:
                continue
            if other.verb in _ARRIVES and not getattr(job, "orphan", False):
                text = (
                    f"{operation.verb} of {operation.vm} to {operation.dst} was ordered while"
                    f" {other.verb} {other.id} to {other.dst} is still under way"
                )
                self._findings.broken("I14", text)

    def _room(self, operation: Operation) -> None:
        machine = self._site.machines.get(operation.dst)
        size = self._site.sizes.get(operation.vm)
        view = self.places.view(operation.dst) if self.places.view is not None else None
        if machine is None or size is None or view is None or view.capacity is None:
            return
        if not view.beating or view.incarnation != machine.incarnation:
            return  # what it holds now cannot be known
        copy = machine.copies.get(operation.vm)
        if copy is not None and copy.live:
            return
        usage = self._site.usage(machine)
        usage.add(size)
        host = self._book.hosts.get(operation.dst)
        excess = usage.excess(host.capacity if host is not None else view.capacity, size)
        if excess:
            text = f"{operation.verb} of {operation.vm} would over-commit {operation.dst}: {excess}"
            self._findings.broken("I2", text)

    def _proof(self, operation: Operation) -> None:
        """I18 by the records and views; I1 beforehand, by the truth."""
        vm = operation.vm
        place = self.places.unproved(operation)
        if place is not None:
            text = (
                f"{vm} was ordered to start on {operation.dst} while it may run on {place[0]}"
                f" ({place[1]}), whose death nothing proves"
            )
            self._findings.broken("I18", text)
        for name in self._site.hosts_of(vm):
            there = self._site.machines[name].copies[vm]
            if name != operation.dst or there.epoch != operation.epoch:
                text = f"{vm} was ordered to start on {operation.dst} while it runs on {name}"
                self._findings.broken("I1", text)

    # Moves

    def _throttles(self, operation: Operation) -> None:
        throttle = self._book.policy.throttle
        out = into = in_cluster = 0
        cluster = self._cluster(operation.vm)
        for other in self._book.flying.values():
            if other.verb in _MOVES and other.id != operation.id:
                out += other.src == operation.src
                into += other.dst == operation.dst
                in_cluster += self._cluster(other.vm) == cluster
        limits = (
            (out, throttle.out_per_host, f"leave {operation.src}"),
            (into, throttle.in_per_host, f"go to {operation.dst}"),
            (in_cluster, throttle.per_cluster, f"of cluster {cluster} are under way"),
        )
        for number, most, what in limits:
            if number >= most:
                text = f"move of {operation.vm} began while {number} moves {what}; most is {most}"
                self._findings.broken("I13", text)

    def _cluster(self, vm: str) -> str:
        record = self._book.vms.get(vm)
        spread = self._book.sets.get(record.set) if record is not None else None
        return spread.cluster if spread is not None else ""

    def _quorum(self, operation: Operation, vm: Vm, spread: AvailabilitySet) -> None:
        if not spread.control_plane:
            return
        members = [m for m in self._book.members(spread.name) if m.wanted]
        moving = [m.name for m in members if m.name != vm.name and _moves(m.operation)]
        if moving:
            text = f"{vm.name} of control plane {spread.name} moves while {moving[0]} moves too"
            self._findings.broken("I8", text)
        well = sum(m.state in (VmState.RUNNING, VmState.MIGRATING) for m in members)
        needed = len(members) if operation.voluntary else len(members) // 2 + 1
        if well < needed:
            text = (
                f"{vm.name} of control plane {spread.name} moves while {well} of"
                f" {len(members)} members run; {needed} are needed"
            )
            self._findings.broken("I8", text)

    # Voluntary moves

    def _voluntary(self, operation: Operation, vm: Vm, spread: AvailabilitySet) -> None:
        book, findings = self._book, self._findings
        transit = bool(vm.transit)
        self._cooldown(vm, transit=transit)
        lost = sorted(
            v.name
            for v in book.vms.values()
            if v.state is VmState.LOST and v.wanted and v.retry_at <= book.now()
        )
        if lost:
            text = f"{vm.name} was moved by choice while {lost[0]} waits for its restart"
            findings.broken("I13", text)
        if operation.src not in book.hosts or operation.dst not in book.hosts:
            return
        self._gains(operation, vm, spread, transit=transit)
        self._own_domains(operation, vm, spread)
        self._begun.append(operation)

    def _cooldown(self, vm: Vm, *, transit: bool) -> None:
        last = self._moved_at.get(vm.name)
        cooldown = self._book.policy.timers.move_cooldown
        now = self._book.now()
        if last is not None and now - last < cooldown - _EPSILON_S and not transit:
            text = f"{vm.name} was moved by choice again after {now - last:.1f} s"
            self._findings.broken("I13", text)

    def arrived(self, vm: Vm) -> None:
        """A voluntary move of a VM ended well."""
        self._moved_at[vm.name] = self._book.now()

    def _gains(
        self, operation: Operation, vm: Vm, spread: AvailabilitySet, *, transit: bool
    ) -> None:
        """I6. The record counts the VM on its destination already: judge the way back."""
        book = self._book
        back = book.gain(spread, operation.dst, operation.src)
        forth = tuple(-change for change in back)
        goes_home = book.policy.rebalance is RebalanceMode.HOME and operation.dst == vm.home
        worse = forth > (0,) * len(forth) and self._less_even(operation, spread)
        if worse and not transit and not goes_home:
            text = (
                f"the move of {vm.name} from {operation.src} to {operation.dst} makes"
                f" {spread.name} less even (sums of squares change by {forth})"
            )
            self._findings.broken("I6", text)

    def _less_even(self, operation: Operation, spread: AvailabilitySet) -> bool:
        """Whether the moves of a set that began with this one leave it less even than they
        found it. Each may be neutral where it stands in their order, and no other order."""
        book = self._book
        together = [
            vm.operation
            for vm in book.members(spread.name)
            if vm.operation is not None
            and vm.operation.voluntary
            and vm.operation.since == operation.since
        ]
        seats = book.seats_before(together, spread)
        total = (0,) * len(spread.levels)
        for move in together:
            change = book.gain(spread, move.src, move.dst, seats)
            total = tuple(map(sum, zip(total, change, strict=True)))
            seats[move.src] = seats.get(move.src, 0) - 1
            seats[move.dst] = seats.get(move.dst, 0) + 1
        return total > (0,) * len(total)

    def _own_domains(self, operation: Operation, vm: Vm, spread: AvailabilitySet) -> None:
        if spread.adopt_new_domains or not spread.generations:
            return
        config = spread.generations[min(vm.generation, len(spread.generations) - 1)]
        host = self._book.hosts[operation.dst]
        foreign = [domain_of(host, level) for level in spread.levels]
        foreign = [domain for domain in foreign if domain not in config]
        if foreign:
            text = (
                f"{vm.name} was moved by choice to {foreign[0]}, which joined after it was admitted"
            )
            self._findings.broken("I15", text)

    def settled(self) -> None:
        """I9, for all moves by choice that began together: before them, and when done.

        Others on record, which a killed controller did not come to order, count as done.
        """
        moves, self._begun = self._begun, []
        if not moves:
            return
        book = self._book
        now = Snapshot("", 0.0, book.hosts, book.sets, book.vms, book.policy)
        vms = [(move, book.vms[move.vm]) for move in moves if move.vm in book.vms]
        begun = {move.vm for move in moves}
        others = [vm for vm in book.vms.values() if vm.name not in begun and _by_choice(vm)]
        now = now.with_vms(_rested(vm, vm.operation.dst) for vm in others if vm.operation)
        if not survives_any_host(now.with_vms(_rested(vm, move.src) for move, vm in vms)):
            return
        if not survives_any_host(now.with_vms(_rested(vm, move.dst) for move, vm in vms)):
            names = ", ".join(f"{move.vm} {move.src} -> {move.dst}" for move in moves)
            text = f"moves by choice leave the group unable to lose a host: {names}"
            self._findings.broken("I9", text)


def _rested(vm: Vm, host: str) -> Vm:
    """The VM as if it simply ran on a host."""
    return replace(vm, host=host, operation=None, state=VmState.RUNNING)


def _by_choice(vm: Vm) -> bool:
    return vm.operation is not None and vm.operation.voluntary and _moves(vm.operation)


def _moves(operation: Operation | None) -> bool:
    return operation is not None and operation.verb in _MOVES

"""I1 to I19 of the behaviour, checked while the simulated world runs.

The checker sees three things: the truth (``Site``), every write of the store, and every
order given to the hypervisor. It uses no planner's verdict on itself, but for the N-1
test.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from frota.model.definition import Definition
from frota.model.policy import Policy
from frota.model.sight import HostView
from frota.model.vm import Operation, Vm, VmState
from frota.ports.store import Write
from frota.twin.invariants.book import Book
from frota.twin.invariants.broken import Broken, Findings, clock_text
from frota.twin.invariants.ending import check_converged
from frota.twin.invariants.episodes import EpisodeRules
from frota.twin.invariants.orders import OrderRules
from frota.twin.invariants.records import RecordRules
from frota.twin.site import Site

__all__ = ["Broken", "Checker", "clock_text"]

_LOOK_S = 60.0  # one look a minute is no livelock


class Checker:
    """All checks of one run. ``found`` grows; each broken invariant is said once."""

    def __init__(self, site: Site, policy: Policy, now: Callable[[], float]) -> None:
        self._site = site
        self._findings = Findings()
        self._passes = 0
        self._fault_at = 0.0
        self.book = Book(policy, now)
        self._records = RecordRules(self.book, site, self._findings)
        self._orders = OrderRules(self.book, site, self._findings)
        self._episodes = EpisodeRules(self.book, self._findings)

    @property
    def found(self) -> Sequence[Broken]:
        """The broken invariants so far."""
        return self._findings.found

    def policy(self, policy: Policy) -> None:
        """The group has another policy from now on."""
        self.book.policy = policy

    def watch(self, view: Callable[[str], HostView]) -> None:
        """Look through this session's eyes from now on."""
        self._orders.places.view = view

    def committed(self, writes: Sequence[Write]) -> None:
        """The store took a commit."""
        self._findings.now = self._site.world.now
        for before, after in self._records.committed(writes):
            self._episodes.changed(before, after)
            self._orders.places.changed(before, after)
            if isinstance(before, Vm) and isinstance(after, Vm):
                old = before.operation if after.operation is None else None
                if old is not None and old.voluntary and _arrived(after, old):
                    self._orders.arrived(after)

    def ordered(self, operation: Operation, definition: Definition | None) -> None:
        """The controller gives an order, which the world has not seen yet."""
        self._findings.now = self._site.world.now
        if definition is not None:
            self._site.sizes[operation.vm] = definition.size
        first_time = self._orders.ordered(operation)
        vm = self.book.vms.get(operation.vm)
        if first_time and operation.voluntary and vm is not None:
            self._episodes.ordered(vm)

    def settled(self) -> None:
        """The controller has done all it wants to do for now."""
        self._findings.now = self._site.world.now
        self._records.settled()
        self._orders.settled()
        self._episodes.settled()

    def happened(self) -> None:
        """An event of the world has run."""
        if self._site.doubles:
            self._findings.now = self._site.world.now
            for vm in sorted(self._site.doubles):
                hosts = ", ".join(self._site.hosts_of(vm))
                self._findings.broken("I1", f"{vm} runs twice: on {hosts}")

    def fault(self) -> None:
        """Something from outside befell the world, or a person asked for something."""
        self._passes, self._fault_at = 0, self._site.world.now
        self._episodes.disturb()

    def restless(self, now: float, most: int) -> bool:
        """Whether the controller has looked far too often since anything happened."""
        self._passes += 1
        return self._passes > most + (now - self._fault_at) / _LOOK_S

    def raised(self, error: BaseException) -> None:
        """The controller raised, which it never may."""
        self._findings.now = self._site.world.now
        self._findings.broken("crash", f"the controller raised {type(error).__name__}: {error}")

    def acted_idle(self, what: str) -> None:
        """Something was done although nothing had happened."""
        self._findings.now = self._site.world.now
        self._findings.broken("I7", what)

    def repeated(self, what: str) -> None:
        """A duplicate event was not a no-op."""
        self._findings.now = self._site.world.now
        self._findings.broken("I14", what)

    def converged(self) -> None:
        """Judge the end of the liveness phase."""
        self._findings.now = self._site.world.now
        check_converged(self.book, self._site, self._findings)


def _arrived(vm: Vm, move: Operation) -> bool:
    """At its goal: a stop on the way of a swap is no move that it should rest after."""
    return vm.host == move.dst and vm.state is VmState.RUNNING and not vm.transit

"""The ports as the simulated controller gets them: watched, and able to kill it.

Every call that changes something is told to the checker and may be the controller's
last: a fuse lets it die before or after the n-th such call, as ``kill -9`` would.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from frota.model.decision import Decision
from frota.model.definition import Definition
from frota.model.sight import FenceVerdict, HostView, Outcome
from frota.model.vm import Operation
from frota.ports.fence import Fence
from frota.ports.hypervisor import HostAddress, Hypervisor
from frota.ports.store import Entry, Store, Write
from frota.twin.invariants import Checker


class KilledController(BaseException):
    """The controller process died here. Only the simulation raises and catches it."""


class Fuse:
    """Burns down with every call that changes something; at the end the controller dies."""

    __slots__ = ("calls", "left")

    def __init__(self) -> None:
        self.calls = 0
        self.left = 0  # 0: not lit

    def burn(self) -> None:
        """One boundary between two acts has been reached."""
        self.calls += 1
        if self.left:
            self.left -= 1
            if not self.left:
                raise KilledController


class WatchedStore:
    """A Store whose commits the checker sees. Decisions counted, not kept here."""

    def __init__(self, store: Store, checker: Checker, fuse: Fuse) -> None:
        self._store = store
        self._checker = checker
        self._fuse = fuse
        self.get: Callable[[str, str], Entry | None] = store.get
        self.list = store.list
        self.changes = store.changes
        self.journal = store.journal
        self.close = store.close

    def commit(self, writes: Sequence[Write], decisions: Sequence[Decision] = ()) -> int:
        """See ``ports.store.Store``."""
        if not writes and not decisions:
            return self._store.commit(writes)
        self._fuse.burn()
        revision = self._store.commit(writes, decisions)
        self._checker.committed(writes)
        self._fuse.burn()
        return revision


class WatchedHypervisor:
    """A Hypervisor whose orders the checker sees first."""

    def __init__(
        self, port: Hypervisor, checker: Checker, fuse: Fuse, told: Callable[[Operation], None]
    ) -> None:
        self._port = port
        self._checker = checker
        self._fuse = fuse
        self._told = told
        self.view: Callable[[str], HostView] = port.view
        self.outcomes: Callable[[], Sequence[Outcome]] = port.outcomes
        self.on_change = port.on_change

    def attach(self, address: HostAddress) -> None:
        """See ``ports.hypervisor.Hypervisor``."""
        self._port.attach(address)

    def detach(self, host: str) -> None:
        """See ``ports.hypervisor.Hypervisor``."""
        self._port.detach(host)

    def order(self, operation: Operation, definition: Definition | None) -> None:
        """See ``ports.hypervisor.Hypervisor``."""
        self._fuse.burn()
        self._checker.ordered(operation, definition)
        self._told(operation)
        self._port.order(operation, definition)
        self._fuse.burn()

    def cancel(self, operation: str) -> None:
        """See ``ports.hypervisor.Hypervisor``."""
        self._fuse.burn()
        self._port.cancel(operation)

    def settle(self, operation: str) -> None:
        """See ``ports.hypervisor.Hypervisor``."""
        self._port.settle(operation)
        self._fuse.burn()


class WatchedFence:
    """A Fence between whose calls the controller may die."""

    def __init__(self, port: Fence, fuse: Fuse) -> None:
        self._port = port
        self._fuse = fuse
        self.verdict: Callable[[str, str], FenceVerdict] = port.verdict
        self.lease_problem: Callable[[str], str] = port.lease_problem
        self.on_change = port.on_change

    def probe(self, host: str, incarnation: str) -> None:
        """See ``ports.fence.Fence``."""
        self._port.probe(host, incarnation)

    def kill(self, host: str, incarnation: str) -> None:
        """See ``ports.fence.Fence``."""
        self._fuse.burn()
        self._port.kill(host, incarnation)

    def forget(self, host: str) -> None:
        """See ``ports.fence.Fence``."""
        self._fuse.burn()
        self._port.forget(host)

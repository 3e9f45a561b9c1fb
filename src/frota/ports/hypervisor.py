"""Hosts and the copies of VMs on them.

The port is level-based: ``view`` gives the last known state without waiting,
``order`` hands over an operation without waiting, and the operation's end shows in
``outcomes`` until it is settled. A wake-up callback says that something changed, never
what. So a hung host can hang nobody else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from frota.model.definition import Definition
from frota.model.sight import Copy, CopyState, HostView, Outcome
from frota.model.vm import Operation

__all__ = ["Copy", "CopyState", "HostAddress", "HostView", "Hypervisor", "Outcome"]


@dataclass(frozen=True, slots=True)
class HostAddress:
    """How a host is reached. ``uri`` is a libvirt URI; empty on the twin."""

    name: str
    uri: str = ""
    migrate_uri: str = ""  # where peers send a migrating guest; empty: libvirt decides
    peer_to_peer: bool = False


class Hypervisor(Protocol):
    """All hosts of one group.

    No method blocks on a host and none raises for what a host does: a host that cannot
    be reached is not ``beating``; an operation that fails has an Outcome with an error.
    """

    def attach(self, address: HostAddress) -> None:
        """Begin to watch a host. Attaching again with the same address does nothing."""
        ...

    def detach(self, host: str) -> None:
        """Stop watching a host. Unknown names do nothing."""
        ...

    def view(self, host: str) -> HostView:
        """The last known state; for a host never seen, one that is not beating."""
        ...

    def order(self, operation: Operation, definition: Definition | None) -> None:
        """Begin an operation. The same id again does nothing, whatever its state.

        START and COLD need the definition. START on a host where the same VM and epoch
        already runs succeeds; beside another epoch that runs it fails. STOP and KILL of
        a copy that is not there succeed; both remove what is defined of it. KILL ends
        only copies whose epoch is at most the operation's, and leaving a newer one alone
        is success. LIVE commits when the destination runs and the source is gone; on
        failure the guest still runs on the source. On a silent host every operation ends
        unknown, since a controller before this one may have begun it there.
        """
        ...

    def cancel(self, operation: str) -> None:
        """Ask a live migration to stop; its Outcome tells which side has the guest."""
        ...

    def outcomes(self) -> Sequence[Outcome]:
        """Operations that ended and were not settled yet."""
        ...

    def settle(self, operation: str) -> None:
        """Forget the outcome of one operation. Unknown ids do nothing."""
        ...

    def on_change(self, wake: Callable[[], None]) -> None:
        """Call ``wake``, from any thread, whenever a view or outcome may have changed."""
        ...

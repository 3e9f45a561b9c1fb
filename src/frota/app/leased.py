"""Ports that act only while the lease of their group, or cluster, is held.

A controller checks its lease before a pass; this is the last check before the act. What
is dropped here is on record, and its next holder orders it again under the same id.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from frota.model.definition import Definition
from frota.model.delivery import ClusterView, Delivery, DeliveryOutcome, WatchedKind
from frota.model.sight import FenceVerdict, HostView, Outcome
from frota.model.vm import Operation
from frota.ports.clusters import ClusterAddress, Clusters
from frota.ports.fence import Fence
from frota.ports.hypervisor import HostAddress, Hypervisor

Held = Callable[[], bool]


class LeasedHypervisor:
    """A Hypervisor that takes orders only from the holder of the lease."""

    def __init__(self, port: Hypervisor, held: Held) -> None:
        self._port = port
        self._held = held
        self.attach: Callable[[HostAddress], None] = port.attach
        self.detach: Callable[[str], None] = port.detach
        self.view: Callable[[str], HostView] = port.view
        self.outcomes: Callable[[], Sequence[Outcome]] = port.outcomes
        self.settle: Callable[[str], None] = port.settle
        self.on_change = port.on_change

    def order(self, operation: Operation, definition: Definition | None) -> None:
        """See ``ports.hypervisor.Hypervisor``."""
        if self._held():
            self._port.order(operation, definition)

    def cancel(self, operation: str) -> None:
        """See ``ports.hypervisor.Hypervisor``."""
        if self._held():
            self._port.cancel(operation)


class LeasedFence:
    """A Fence that kills only for the holder of the lease."""

    def __init__(self, port: Fence, held: Held) -> None:
        self._port = port
        self._held = held
        self.probe: Callable[[str, str], None] = port.probe
        self.verdict: Callable[[str, str], FenceVerdict] = port.verdict
        self.forget: Callable[[str], None] = port.forget
        self.lease_problem: Callable[[str], str] = port.lease_problem
        self.on_change = port.on_change

    def kill(self, host: str, incarnation: str) -> None:
        """See ``ports.fence.Fence``."""
        if self._held():
            self._port.kill(host, incarnation)


class LeasedClusters:
    """Member clusters that take deliveries only from the holder of the lease."""

    def __init__(self, port: Clusters, held: Held) -> None:
        self._port = port
        self._held = held
        self.attach: Callable[[ClusterAddress, frozenset[WatchedKind]], None] = port.attach
        self.detach: Callable[[str], None] = port.detach
        self.view: Callable[[str], ClusterView] = port.view
        self.outcomes: Callable[[], Sequence[DeliveryOutcome]] = port.outcomes
        self.settle: Callable[[str], None] = port.settle
        self.cancel: Callable[[str], None] = port.cancel
        self.on_change = port.on_change

    def order(self, delivery: Delivery) -> None:
        """See ``ports.clusters.Clusters``."""
        if self._held():
            self._port.order(delivery)

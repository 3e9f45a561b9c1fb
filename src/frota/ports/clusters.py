"""Member clusters, by their Kubernetes API.

Level-based like ``ports.hypervisor``: ``view`` gives the last known state without waiting,
``order`` hands over a delivery without waiting, and its end shows in ``outcomes`` until it
is settled. A cluster that hangs can hang no other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from frota.model.delivery import ClusterView, Delivery, DeliveryOutcome, WatchedKind

__all__ = ["ClusterAddress", "ClusterView", "Clusters", "Delivery", "DeliveryOutcome"]


@dataclass(frozen=True, slots=True)
class ClusterAddress:
    """How a cluster is reached: a context of a kubeconfig file (empty: its current one).
    Both are empty on the twin."""

    name: str
    kubeconfig: str = ""
    context: str = ""


class Clusters(Protocol):
    """All member clusters that one process talks to.

    No method blocks on a cluster and none raises for what a cluster does or says: one that
    cannot be reached does not ``answer``, a change that fails has a result that says so.
    What a cluster answers is hostile input: sizes are bounded, secrets never repeated.
    """

    def attach(self, address: ClusterAddress, kinds: frozenset[WatchedKind]) -> None:
        """Begin to watch a cluster: is it there, and which of Frota's objects has it. Again
        with the same address and kinds does nothing; with others, watches follow."""
        ...

    def detach(self, cluster: str) -> None:
        """Stop watching a cluster. Unknown names do nothing."""
        ...

    def view(self, cluster: str) -> ClusterView:
        """The last known state; for a cluster never seen, one that does not answer."""
        ...

    def order(self, delivery: Delivery) -> None:
        """Begin a delivery. The same id again does nothing, whatever its state."""
        ...

    def cancel(self, delivery: str) -> None:
        """Begin no further change of a delivery; its outcome says what was done."""
        ...

    def outcomes(self) -> Sequence[DeliveryOutcome]:
        """Deliveries that ended and were not settled yet."""
        ...

    def settle(self, delivery: str) -> None:
        """Forget one outcome. Unknown ids do nothing."""
        ...

    def on_change(self, wake: Callable[[str], None]) -> None:
        """Call ``wake`` with a cluster's name, from any thread, whenever its view or an
        outcome of it may have changed."""
        ...

"""Member clusters of which everything is known already, and nothing is sent to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from frota.model.delivery import (
    ChangeResult,
    ClusterView,
    Delivery,
    DeliveryOutcome,
    Verdict,
    WatchedKind,
)
from frota.ports.clusters import ClusterAddress


class Views:
    """A port to member clusters, for controllers alone. ``ordered`` is what they sent: every
    answer to it is lost, and nothing of it is seen."""

    def __init__(self, views: Mapping[str, ClusterView]) -> None:
        self._views = views
        self.ordered: list[Delivery] = []
        self._ended: dict[str, DeliveryOutcome] = {}

    def attach(self, address: ClusterAddress, kinds: frozenset[WatchedKind]) -> None:
        """See ``ports.clusters.Clusters``."""

    def detach(self, cluster: str) -> None:
        """See ``ports.clusters.Clusters``."""

    def view(self, cluster: str) -> ClusterView:
        """See ``ports.clusters.Clusters``."""
        return self._views[cluster]

    def order(self, delivery: Delivery) -> None:
        """See ``ports.clusters.Clusters``."""
        self.ordered.append(delivery)
        changes = (change for batch in delivery.batches for change in batch)
        results = tuple(ChangeResult(change.key, Verdict.UNKNOWN) for change in changes)
        self._ended[delivery.id] = DeliveryOutcome(delivery.id, delivery.cluster, results)

    def cancel(self, delivery: str) -> None:
        """See ``ports.clusters.Clusters``."""

    def outcomes(self) -> Sequence[DeliveryOutcome]:
        """See ``ports.clusters.Clusters``."""
        return tuple(self._ended.values())

    def settle(self, delivery: str) -> None:
        """See ``ports.clusters.Clusters``."""
        del self._ended[delivery]

    def on_change(self, wake: Callable[[str], None]) -> None:
        """See ``ports.clusters.Clusters``."""

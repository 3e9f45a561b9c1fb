"""Member clusters of which everything is known already, and nothing is sent to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from frota.model.delivery import ClusterView, Delivery, DeliveryOutcome, WatchedKind
from frota.ports.clusters import ClusterAddress


class Views:
    """A port to member clusters, for controllers alone. ``ordered`` is what they sent."""

    def __init__(self, views: Mapping[str, ClusterView]) -> None:
        self._views = views
        self.ordered: list[Delivery] = []

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

    def cancel(self, delivery: str) -> None:
        """See ``ports.clusters.Clusters``."""

    def outcomes(self) -> Sequence[DeliveryOutcome]:
        """See ``ports.clusters.Clusters``."""
        return ()

    def settle(self, delivery: str) -> None:
        """See ``ports.clusters.Clusters``."""

    def on_change(self, wake: Callable[[str], None]) -> None:
        """See ``ports.clusters.Clusters``."""

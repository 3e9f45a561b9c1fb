"""The Clusters port of the simulated world: what one process can see and do."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from frota.model.delivery import (
    ChangeResult,
    ClusterView,
    Delivery,
    DeliveryOutcome,
    Verdict,
    WatchedKind,
)
from frota.ports.clusters import ClusterAddress
from frota.twin.clusters.courier import Courier
from frota.twin.clusters.fleet import ClusterFleet
from frota.twin.clusters.sight import Sight
from frota.twin.world import TwinClock

_REMEMBERED_MOST = 10_000


class TwinClusters:
    """One session with the simulated clusters. A controller that starts anew makes a new
    one: nothing is remembered but what the clusters themselves show."""

    def __init__(self, fleet: ClusterFleet, clock: TwinClock) -> None:
        self._fleet = fleet
        self._clock = clock
        self._sights: dict[str, Sight] = {}
        self._addresses: dict[str, ClusterAddress] = {}
        self._couriers: dict[str, Courier] = {}
        self._outcomes: dict[str, DeliveryOutcome] = {}
        self._known: dict[str, None] = {}
        self._wake: Callable[[str], None] = lambda _cluster: None

    def close(self) -> None:
        """The process died: it sees and reports nothing from here on."""
        self._wake = lambda _cluster: None
        for sight in self._sights.values():
            sight.close()
        for courier in self._couriers.values():
            courier.abandon()
        self._sights.clear()
        self._couriers.clear()

    # The port

    def attach(self, address: ClusterAddress, kinds: frozenset[WatchedKind]) -> None:
        """Begin to watch a cluster."""
        name = address.name
        old = self._sights.get(name)
        if old is not None and (self._addresses[name], old.kinds) == (address, kinds):
            return
        if old is not None and self._addresses[name] == address:
            old.kinds = kinds
            old.look_again()
            return
        if old is not None:
            old.close()
        self._addresses[name] = address
        member = self._fleet.members.get(name)
        if member is not None:
            self._sights[name] = Sight(member, kinds, self._clock, lambda: self._wake(name))

    def detach(self, cluster: str) -> None:
        """Stop watching a cluster."""
        sight = self._sights.pop(cluster, None)
        self._addresses.pop(cluster, None)
        if sight is not None:
            sight.close()

    def view(self, cluster: str) -> ClusterView:
        """The last known state."""
        sight = self._sights.get(cluster)
        if sight is None:
            return ClusterView(cluster, answers=False, last_seen=0.0, error="is not watched")
        return sight.view()

    def order(self, delivery: Delivery) -> None:
        """Begin a delivery, unless its id was ordered before."""
        if delivery.id in self._known:
            return
        self._known[delivery.id] = None
        while len(self._known) > _REMEMBERED_MOST:
            self._known.pop(next(iter(self._known)))
        member = self._fleet.members.get(delivery.cluster)
        if member is None or delivery.cluster not in self._sights:
            keys = [change.key for batch in delivery.batches for change in batch]
            results = tuple(ChangeResult(k, Verdict.FAILED, "is not watched") for k in keys)
            self._ended(DeliveryOutcome(delivery.id, delivery.cluster, results))
            return
        courier = Courier(delivery, member, self._ended)
        self._couriers[delivery.id] = courier
        courier.begin()

    def cancel(self, delivery: str) -> None:
        """Begin no further change of a delivery."""
        courier = self._couriers.get(delivery)
        if courier is not None:
            courier.cancel()

    def outcomes(self) -> Sequence[DeliveryOutcome]:
        """Deliveries that ended and were not settled yet."""
        return tuple(self._outcomes.values())

    def settle(self, delivery: str) -> None:
        """Forget one outcome."""
        self._outcomes.pop(delivery, None)

    def on_change(self, wake: Callable[[str], None]) -> None:
        """Call ``wake`` with the name of a cluster that may have changed."""
        self._wake = wake

    def _ended(self, outcome: DeliveryOutcome) -> None:
        self._couriers.pop(outcome.delivery, None)
        self._outcomes[outcome.delivery] = outcome
        self._wake(outcome.cluster)

"""What was sent to one cluster, until the cluster shows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf

from frota.model.delivery import Change, ClusterView, Delivery, DeliveryOutcome, Verdict
from frota.model.deliveryplan import DeliveryPlan
from frota.model.objects import ObjectKey
from frota.planners.delivery import APPLIED
from frota.planners.delivery.wanted import annotations_of, revision_of

_MADE = frozenset({Verdict.APPLIED, Verdict.DELETED})
# An answer comes on another connection than the news of what it did, and often first.
_NEWS_S = 1.0


@dataclass(frozen=True, slots=True)
class _Sent:
    """The digest of what is sent, empty for a deletion, and the version seen before."""

    digest: str
    before: str

    def open(self, key: ObjectKey, view: ClusterView) -> bool:
        """Whether it is still to be made, as far as is seen."""
        live = view.objects.get(key)
        made = live is not None and annotations_of(live).get(APPLIED) == self.digest
        return not made or _revision(key, view) == self.before


@dataclass(frozen=True, slots=True)
class _Flight:
    plan: DeliveryPlan
    sent: Mapping[ObjectKey, _Sent]


class Flights:
    """The deliveries under way to one cluster, with the plans that they are of; and changes that
    were made and are not seen yet."""

    def __init__(self) -> None:
        self._open: dict[str, _Flight] = {}
        self._made: dict[ObjectKey, tuple[str, float]] = {}  # version before, until when to wait

    def __iter__(self) -> Iterator[str]:
        """The deliveries under way."""
        return iter(self._open)

    def __len__(self) -> int:
        return len(self._open)

    @property
    def news_by(self) -> float:
        """When what was made and is not seen is no longer waited for."""
        return min((until for _, until in self._made.values()), default=inf)

    def begin(self, delivery: Delivery, plan: DeliveryPlan, view: ClusterView) -> None:
        """A delivery is about to be ordered."""
        changes = (change for batch in delivery.batches for change in batch)
        sent = {
            change.key: _Sent(
                annotations_of(change.desired).get(APPLIED, "") if change.desired else "",
                _revision(change.key, view),
            )
            for change in changes
        }
        self._open[delivery.id] = _Flight(plan, sent)

    def end(self, outcome: DeliveryOutcome, now: float) -> DeliveryPlan | None:
        """A delivery ended; the plan it was of, unless another process sent it."""
        flight = self._open.pop(outcome.delivery, None)
        if flight is None:
            return None
        for result in outcome.results:
            if result.verdict in _MADE and result.key in flight.sent:
                self._made[result.key] = flight.sent[result.key].before, now + _NEWS_S
        return flight.plan

    def look(self, view: ClusterView, now: float) -> None:
        """What is seen by now, or should long have been, is no longer waited for."""
        self._made = {
            key: (before, until)
            for key, (before, until) in self._made.items()
            if _revision(key, view) == before and now < until
        }

    def lacks(self, change: Change, view: ClusterView) -> bool:
        """Whether a change is not on its way already: a fresh one does not wait for a backlog,
        not even for one that its object was part of."""
        key = change.key
        return key not in self._made and not any(
            key in flight.sent and flight.sent[key].open(key, view)
            for flight in self._open.values()
        )


def _revision(key: ObjectKey, view: ClusterView) -> str:
    live = view.objects.get(key)
    return revision_of(live) if live is not None else ""

"""The changes that wait for one cluster, and which comes next: a plain data structure.

A fresh small delivery must not wait behind a big backlog, and the backlog must not starve
behind many fresh small ones. So the next change is of the delivery of which the fewest were
begun, except that every fourth turn is the oldest delivery's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from frota.model.delivery import Change, ChangeResult, Delivery, DeliveryOutcome, Verdict

_OLDEST_EVERY = 4
_GOOD = frozenset({Verdict.APPLIED, Verdict.UNCHANGED, Verdict.DELETED})
CHANGES_MOST = 200_000  # that wait for one cluster


@dataclass(slots=True)
class Work:
    """One change that is to be made. ``tries`` counts those that failed."""

    delivery: str
    change: Change
    dry_run: bool
    place: int  # of its result
    tries: int = 0
    unsure: bool = False  # an answer was lost: it may have been made already


@dataclass(slots=True)
class _Open:
    """A delivery under way."""

    delivery: Delivery
    results: list[ChangeResult | None]
    batch: int = -1
    ready: deque[Work] = field(default_factory=deque)
    under_way: int = 0  # also those that wait to be tried again
    begun: int = 0
    stop: str = ""  # why nothing more is begun


class Lane:
    """The deliveries to one cluster. Not safe for threads."""

    def __init__(self) -> None:
        self._open: dict[str, _Open] = {}
        self._ended: list[DeliveryOutcome] = []
        self._turn = 0
        self._waiting = 0

    @property
    def busy(self) -> bool:
        """A delivery is under way."""
        return bool(self._open)

    def add(self, delivery: Delivery) -> None:
        """Take in a delivery. One too many is refused whole."""
        count = sum(len(batch) for batch in delivery.batches)
        opened = _Open(delivery, [None] * count)
        self._open[delivery.id] = opened
        if self._waiting + count > CHANGES_MOST:
            opened.stop = f"more than {CHANGES_MOST} changes wait for this cluster"
        else:
            self._waiting += count
        self._advance(opened)

    def cancel(self, delivery: str) -> None:
        """Begin no further change of it."""
        opened = self._open.get(delivery)
        if opened is not None:
            opened.stop = opened.stop or "cancelled"
            opened.ready.clear()
            self._advance(opened)

    def take(self) -> Work | None:
        """The next change to begin, if any waits."""
        ready = [opened for opened in self._open.values() if opened.ready]
        if not ready:
            return None
        self._turn += 1
        oldest = self._turn % _OLDEST_EVERY == 0
        chosen = ready[0] if oldest else min(ready, key=lambda opened: opened.begun)
        chosen.begun += 1
        chosen.under_way += 1
        return chosen.ready.popleft()

    def again(self, work: Work) -> None:
        """Its pause is over: it waits for its turn, before others of its delivery. When
        nothing more is to be begun, it ends as what it is."""
        opened = self._open[work.delivery]
        if opened.stop:
            verdict = Verdict.UNKNOWN if work.unsure else Verdict.SKIPPED
            self.done(work, ChangeResult(work.change.key, verdict, opened.stop))
            return
        opened.under_way -= 1
        opened.ready.appendleft(work)

    def done(self, work: Work, result: ChangeResult) -> None:
        """A change ended."""
        opened = self._open[work.delivery]
        opened.under_way -= 1
        opened.results[work.place] = result
        self._advance(opened)

    def abandon(self, why: str) -> None:
        """End all deliveries now. What was begun may have been made or not."""
        for opened in list(self._open.values()):
            opened.stop = opened.stop or why
            changes = [change for batch in opened.delivery.batches for change in batch]
            waiting = {work.place for work in opened.ready}
            begun = sum(len(batch) for batch in opened.delivery.batches[: opened.batch + 1])
            for place in range(begun):
                if opened.results[place] is None and place not in waiting:
                    key = changes[place].key
                    opened.results[place] = ChangeResult(key, Verdict.UNKNOWN, why)
            self._end(opened)

    def ended(self) -> Sequence[DeliveryOutcome]:
        """The deliveries that ended since the last call."""
        ended, self._ended = self._ended, []
        return ended

    def _advance(self, opened: _Open) -> None:
        """Begin the next batch where the one before has ended; or end the delivery."""
        while not opened.ready and not opened.under_way:
            good = all(result is None or result.verdict in _GOOD for result in opened.results)
            if not good:
                opened.stop = opened.stop or "a change before it failed"
            opened.batch += 1
            if opened.stop or opened.batch >= len(opened.delivery.batches):
                self._end(opened)
                return
            place = sum(len(batch) for batch in opened.delivery.batches[: opened.batch])
            opened.ready.extend(
                Work(opened.delivery.id, change, opened.delivery.dry_run, place + index)
                for index, change in enumerate(opened.delivery.batches[opened.batch])
            )

    def _end(self, opened: _Open) -> None:
        delivery = opened.delivery
        changes = [change for batch in delivery.batches for change in batch]
        results = tuple(
            result or ChangeResult(change.key, Verdict.SKIPPED, opened.stop)
            for change, result in zip(changes, opened.results, strict=True)
        )
        del self._open[delivery.id]
        self._waiting = sum(len(other.results) for other in self._open.values())
        self._ended.append(DeliveryOutcome(delivery.id, delivery.cluster, results))

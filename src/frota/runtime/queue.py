"""The work queue of level-based controllers.

A request is a key and nothing else: whoever works on the key reads what is true by then.
So many requests for one key are one, and an event that comes while the key is worked on
makes it due once more afterwards. The queue reads no clock and no random numbers but those
it is given: the production loop and the simulator drive the very same code.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from random import Random

from frota.runtime.backoff import Backoff


class QueueFull(Exception):
    """There are more keys than the queue was made for; the message says how many."""


@dataclass(slots=True)
class _Key:
    """``due`` None: nothing asked. ``earliest``: no run before this (backoff); ``rests``: none
    before this either, but for what is to be done ``at_once``. ``pressed``: the run under way
    had to wait for the end of a rest; ``presses``: the next one has to."""

    due: float | None = None
    ticket: int = 0  # of the heap item that counts; others of this key are stale
    running: bool = False
    failures: int = 0
    earliest: float = float("-inf")
    rests: float = float("-inf")
    at_once: bool = False
    pressed: bool = False
    presses: bool = False


class WorkQueue:
    """Keys by due time; the same key is never out twice. Not safe for threads.

    Every key that ``pop_due`` gave out must be given back by ``done`` or ``failed``.
    ``limit`` bounds the number of keys known (waiting, running or failing).
    """

    def __init__(self, rng: Random, backoff: Backoff | None = None, *, limit: int = 100_000):
        self._rng = rng
        self._backoff = Backoff() if backoff is None else backoff
        self._limit = limit
        self._keys: dict[str, _Key] = {}
        self._heap: list[tuple[float, int, str]] = []
        self._tickets = 0
        self._waiting = 0

    def __len__(self) -> int:
        """The number of keys that wait for their time."""
        return self._waiting

    def add(self, key: str, at: float, *, at_once: bool = False) -> None:
        """Make a key due at a time, or sooner if it already is; ``at_once`` even while it
        rests. While the key fails, no request shortens its backoff. Raises QueueFull for one
        key too many."""
        item = self._keys.get(key)
        if item is None:
            if len(self._keys) >= self._limit:
                raise QueueFull(
                    f"no room for {key}: the queue was made for {self._limit} keys; raise its limit"
                )
            item = self._keys[key] = _Key()
        item.at_once |= at_once
        item.presses |= at < item.rests and not at_once
        at = max(at, self._earliest(item, at_once=at_once))
        if item.due is not None and item.due <= at:
            return
        if not item.running:
            self._waiting += item.due is None
            self._push(key, item, at)
        item.due = at

    def pop_due(self, now: float) -> str | None:
        """The key that has been due longest, now running; None when none is due."""
        self._drop_stale()
        if not self._heap or self._heap[0][0] > now:
            return None
        _, _, key = heapq.heappop(self._heap)
        item = self._keys[key]
        item.due, item.ticket, item.running, item.at_once = None, 0, True, False
        item.pressed, item.presses = item.presses, False
        self._waiting -= 1
        return key

    def next_due(self) -> float | None:
        """When the next key is due; None while nothing waits."""
        self._drop_stale()
        return self._heap[0][0] if self._heap else None

    def done(
        self, key: str, again_at: float | None = None, *, rests_until: float = float("-inf")
    ) -> None:
        """Give a key back after success; it is due again at ``again_at`` or at what was
        asked meanwhile, whichever is sooner, but not before ``rests_until``: only what was
        asked ``at_once`` does not wait for that."""
        item = self._give_back(key)
        item.failures, item.earliest, item.rests = 0, float("-inf"), rests_until
        item.presses = item.due is not None and item.due < rests_until and not item.at_once
        self._requeue(key, item, again_at)

    def failed(self, key: str, now: float) -> float:
        """Give a key back after a failure; the time of the next try."""
        item = self._give_back(key)
        item.failures += 1
        item.earliest = now + self._backoff.delay(item.failures, self._rng)
        item.due = None
        self._requeue(key, item, item.earliest)
        return item.earliest

    def failures(self, key: str) -> int:
        """How often the key failed in a row."""
        item = self._keys.get(key)
        return 0 if item is None else item.failures

    def pressed(self, key: str) -> bool:
        """Whether the run under way was asked for while the key still rested."""
        return self._keys[key].pressed

    @staticmethod
    def _earliest(item: _Key, *, at_once: bool) -> float:
        return item.earliest if at_once else max(item.earliest, item.rests)

    def _give_back(self, key: str) -> _Key:
        item = self._keys.get(key)
        if item is None or not item.running:
            raise ValueError(f"{key} was given back but is not running")
        item.running = False
        return item

    def _requeue(self, key: str, item: _Key, again_at: float | None) -> None:
        times = [at for at in (item.due, again_at) if at is not None]
        if not times:
            del self._keys[key]
            return
        item.due = max(min(times), self._earliest(item, at_once=item.at_once))
        self._waiting += 1
        self._push(key, item, item.due)

    def _push(self, key: str, item: _Key, at: float) -> None:
        if len(self._heap) > 2 * len(self._keys) + 64:
            self._heap = [entry for entry in self._heap if self._counts(entry)]
            heapq.heapify(self._heap)
        self._tickets += 1
        item.ticket = self._tickets
        heapq.heappush(self._heap, (at, item.ticket, key))

    def _drop_stale(self) -> None:
        while self._heap and not self._counts(self._heap[0]):
            heapq.heappop(self._heap)

    def _counts(self, entry: tuple[float, int, str]) -> bool:
        item = self._keys.get(entry[2])
        return item is not None and item.ticket == entry[1]

"""One writer per host group: leases in the store, taken and renewed by compare-and-set.

A holder counts its time from before it wrote; everybody else counts from when they first
saw what it wrote, on their own clock. So a holder knows that it lost its lease before
anyone else may take it, whatever the clocks of the two show.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from frota.model.lease import Lease
from frota.ports.clock import Clock
from frota.ports.store import Conflict, Entry, Store, Write

KIND = "Lease"
# The holder gives up a little earlier than others may take over: clocks of two machines
# may run at slightly different speeds.
_OWN_SHARE = 0.9
_RENEW_SHARE = 1 / 3  # so two renewals in a row may fail


@dataclass(frozen=True, slots=True)
class Standing:
    """How a controller stands with a group: whether it may act now, and when to ask again."""

    held: bool
    term: int
    again_at: float
    holder: str


class Leases:
    """The leases of one controller process.

    ``holder`` names this process, unlike any other, past ones included. ``alone`` says
    that no other controller can be at work on this store (its guard is held): then a lease
    left by a dead process is taken over at once.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        holder: str,
        *,
        duration: float = 20.0,
        alone: bool = False,
    ) -> None:
        self._store = store
        self._clock = clock
        self._holder = holder
        self._duration = duration
        self._alone = alone
        self._mine: dict[str, Lease] = {}
        self._others: dict[str, tuple[int, float]] = {}  # revision, first seen at

    def ensure(self, group: str) -> Standing:
        """Take or renew the lease of a group if that can and need be done now. When one has to
        be renewed all that are held are, in one commit.

        Raises StoreError when the store cannot be written; a lease that is held stays held
        until its time is over.
        """
        now = self._clock.now()
        mine = self._mine.get(group)
        if mine is not None and now < self._renew_at(mine):
            return self._standing(mine)
        entry = self._store.get(KIND, group)
        found: Lease | None = None if entry is None else entry.value
        if entry is not None and found is not None and self._is_others(entry, now):
            self._mine.pop(group, None)
            seen = self._others[group][1]
            return Standing(False, found.term, seen + found.duration, found.holder)
        fresh = self._renewed(found, now)
        write = Write(KIND, group, fresh, 0 if entry is None else entry.revision)
        more = self._renewals(group, now) if mine is not None else ()
        if not (self._write([write, *more]) or self._write([write])):
            # Somebody was faster; what they wrote is looked at soon.
            self._mine.pop(group, None)
            return Standing(False, fresh.term, now + self._duration * _RENEW_SHARE, "")
        return self._standing(fresh)

    def held(self, group: str) -> bool:
        """Whether this process may act on the group at this moment. Asks nobody, so it may be
        asked before every act."""
        mine = self._mine.get(group)
        return mine is not None and self._clock.now() < mine.renewed + self._duration * _OWN_SHARE

    def release(self, group: str) -> None:
        """Let go, so that another may take over at once. What is not held does nothing."""
        mine = self._mine.pop(group, None)
        if mine is None:
            return
        entry = self._store.get(KIND, group)
        if entry is None or entry.value != mine:
            return
        try:
            self._store.commit([Write(KIND, group, replace(mine, holder=""), entry.revision)])
        except Conflict:
            return  # somebody else has it by now

    def _renewals(self, but: str, now: float) -> Iterator[Write]:
        """Of all other leases that are held, as far as nobody else wrote them."""
        for group, lease in self._mine.items():
            entry = self._store.get(KIND, group) if group != but else None
            if entry is not None and entry.value == lease:
                yield Write(KIND, group, self._renewed(lease, now), entry.revision)

    def _write(self, writes: Sequence[Write]) -> bool:
        """Have these leases; False: somebody else wrote one of them."""
        try:
            self._store.commit(writes)
        except Conflict:
            return False
        for write in writes:
            self._mine[write.name] = write.value
            self._others.pop(write.name, None)
        return True

    def _is_others(self, entry: Entry, now: float) -> bool:
        lease: Lease = entry.value
        if lease.holder in ("", self._holder) or self._alone:
            return False
        revision, seen = self._others.get(entry.name, (0, 0.0))
        if revision != entry.revision:
            self._others[entry.name] = (entry.revision, now)
            return True
        return now < seen + lease.duration

    def _renewed(self, found: Lease | None, now: float) -> Lease:
        if found is None:
            return Lease(self._holder, 1, now, now, self._duration)
        if found.holder == self._holder:
            return replace(found, renewed=now, duration=self._duration)
        return Lease(self._holder, found.term + 1, now, now, self._duration)

    def _renew_at(self, lease: Lease) -> float:
        return lease.renewed + self._duration * _RENEW_SHARE

    def _standing(self, lease: Lease) -> Standing:
        return Standing(True, lease.term, self._renew_at(lease), lease.holder)

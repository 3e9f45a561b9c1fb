"""The best host for one more member of a set.

Order of merit (section E.6.1): the rack with the fewest members when the set is spread
over racks, then the host with the fewest members, then the least loaded host, then the
first by name. Only hosts with room are looked at, so anti-affinity never refuses a VM.
"""

from __future__ import annotations

from collections.abc import Collection

from frota.model.availability import AvailabilitySet, Level
from frota.model.host import Size
from frota.planners.placement.ledger import ByLoad, Ledger


class Chooser:
    """Chooses hosts one VM after another, counting each choice at once.

    ``hosts`` are the indices that may be chosen. One chooser serves a whole batch, so
    that every VM sees those placed before it.
    """

    __slots__ = ("by_load", "ledger")

    def __init__(self, ledger: Ledger, hosts: Collection[int]) -> None:
        self.ledger = ledger
        self.by_load = ByLoad(ledger, hosts)

    def choose(
        self,
        spread: AvailabilitySet | None,
        size: Size,
        barred: Collection[int] = (),
        allowed: Collection[int] | None = None,
    ) -> int | None:
        """The best host, or None when no host has room. Changes nothing."""
        if spread is None:
            best = self._best(self.by_load.all, {}, size, barred, allowed)
            return best[2] if best else None
        counts = self.ledger.counts.get(spread.name, {})
        if Level.RACK not in spread.levels:
            best = self._best(self.by_load.all, counts, size, barred, allowed)
            return best[2] if best else None
        return self._over_racks(spread.name, counts, size, barred, allowed)

    def _over_racks(
        self,
        name: str,
        counts: dict[int, int],
        size: Size,
        barred: Collection[int],
        allowed: Collection[int] | None,
    ) -> int | None:
        in_rack = self.ledger.rack_counts.get(name, {})
        of_rack = self.by_load.of_rack
        ranked = sorted((in_rack.get(rack, 0), rack) for rack in of_rack)
        found: tuple[int, int, int] | None = None
        level = -1
        for count, rack in ranked:
            if found is not None and count > level:
                break
            best = self._best(of_rack[rack], counts, size, barred, allowed)
            if best is not None and (found is None or best < found):
                found, level = best, count
        return found[2] if found else None

    def _best(
        self,
        order: list[tuple[int, int]],
        counts: dict[int, int],
        size: Size,
        barred: Collection[int],
        allowed: Collection[int] | None,
    ) -> tuple[int, int, int] | None:
        """(members, load, host) of the best host of an order, by members then load."""
        fits = self.ledger.fits
        best: tuple[int, int, int] | None = None
        for load, host in order:
            members = counts.get(host, 0)
            if best is not None and members >= best[0]:
                continue
            if host in barred or (allowed is not None and host not in allowed):
                continue
            if fits(host, size):
                best = (members, load, host)
                if members == 0:
                    break
        return best

    def put(self, spread: AvailabilitySet | None, host: int, size: Size) -> None:
        """Count a choice."""
        self.ledger.take(host, size)
        if spread is not None:
            self.ledger.seat(spread.name, host, 1)
        self.by_load.refresh(host)

    def unput(self, spread: AvailabilitySet | None, host: int, size: Size) -> None:
        """Take a choice back."""
        self.ledger.give(host, size)
        if spread is not None:
            self.ledger.seat(spread.name, host, -1)
        self.by_load.refresh(host)

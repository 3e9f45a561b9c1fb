"""The few VMs that flows and greed leave open, as a question to the exact search.

The same question is put to the search once: groups that stay short of room are looked at
again and again, and the answer depends on nothing but the question.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from frota.model.availability import AvailabilitySet, Level
from frota.model.host import Capacity, Size
from frota.planners.placement.ledger import Ledger

MOVERS_MOST = 256  # in one question
_REMEMBERED = 256  # answers kept; each is a few numbers


@dataclass(frozen=True, slots=True)
class Mover:
    """One VM that may be moved, or is to be started.

    ``set`` and ``host`` are indices, host -1 for a VM that is nowhere yet; ``home`` is -1
    when it has none. ``allowed``: hosts it may go to, None for all.
    """

    set: int
    size: Size
    host: int = -1
    weight: int = 1
    home: int = -1
    allowed: frozenset[int] | None = None


@dataclass(frozen=True, slots=True)
class Residue:
    """What is left to settle.

    ``room`` is what each host has for the movers, those on it now included; a host that
    takes no arrivals is in no mover's ``allowed``. ``seated``: for each set its members
    that stay, as pairs of host and count; these hosts may lie beyond ``room``, all are in
    ``rack_of``. ``levels``: for each set whether racks and whether hosts count. ``start``:
    an assignment that is known to be possible, to begin from; may be left out.
    """

    movers: tuple[Mover, ...]
    room: tuple[Capacity, ...]
    rack_of: tuple[int, ...]
    seated: tuple[tuple[tuple[int, int], ...], ...]
    levels: tuple[tuple[bool, bool], ...]
    start: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Assignment:
    """The host of each mover. ``best`` tells that none better exists."""

    hosts: tuple[int, ...]
    best: bool


@lru_cache(maxsize=_REMEMBERED)
def ask(residue: Residue, work: float) -> Assignment | None:
    """As ``exact.assign``; None too when the policy leaves no work for it."""
    if work <= 0:
        return None
    # Half a second, and most groups never need it.
    from frota.planners.placement.exact import assign

    return assign(residue, work)


def levels(spread: AvailabilitySet | None) -> tuple[bool, bool]:
    """Whether racks and whether hosts count for a set; neither without one."""
    if spread is None:
        return False, False
    return Level.RACK in spread.levels, Level.HOST in spread.levels


def squares(
    held: Mapping[int, int], rack_of: Sequence[int], counting: tuple[bool, bool]
) -> tuple[int, int]:
    """Squared members per rack and per host of one set, 0 for what does not count."""
    by_rack, by_host = counting
    racks: Counter[int] = Counter()
    for host, count in held.items():
        racks[rack_of[host]] += count
    of_racks = by_rack * sum(count * count for count in racks.values())
    return of_racks, by_host * sum(count * count for count in held.values())


class Scene:
    """Some hosts of a ledger, numbered from 0 for one question.

    Hosts that matter only because members of the sets asked about sit there come last.
    """

    def __init__(self, ledger: Ledger, hosts: Sequence[int], sets: Collection[str]) -> None:
        inside = frozenset(hosts)
        holding = {h for name in sets for h, n in ledger.counts.get(name, {}).items() if n}
        self._ledger = ledger
        self.hosts = (*hosts, *sorted(holding - inside))
        self.number = {host: at for at, host in enumerate(self.hosts)}
        self.rack_of = tuple(ledger.rack_of[host] for host in self.hosts)
        self.asked = tuple(hosts)

    def room(self, movers: Iterable[tuple[int, Size]]) -> tuple[Capacity, ...]:
        """What each host has for the movers, those on it (host and size) included.

        One that has less than nothing left has just enough for those on it.
        """
        ledger, found = self._ledger, []
        on: dict[int, list[Size]] = {}
        for host, size in movers:
            on.setdefault(host, []).append(size)
        for host in self.asked:
            here = on.get(host, ())
            models = {model: max(0, count) for model, count in ledger.gpus[host].items()}
            for size in here:
                if size.gpus:
                    models[size.gpu_model] = models.get(size.gpu_model, 0) + size.gpus
            memory = max(0, ledger.memory[host]) + sum(size.memory_mib for size in here)
            vcpus = max(0, ledger.cpus[host]) + sum(size.vcpus for size in here)
            slots = max(0, ledger.slots[host]) + len(here)
            found.append(Capacity(memory, vcpus, slots, tuple(sorted(models.items()))))
        return tuple(found)

    def seated(self, name: str, moving: Mapping[int, int]) -> tuple[tuple[int, int], ...]:
        """Members of a set by host, without those that may move (by host of the ledger)."""
        counts = self._ledger.counts.get(name, {})
        left = ((self.number[h], n - moving.get(h, 0)) for h, n in counts.items() if n)
        return tuple(sorted((at, n) for at, n in left if n))

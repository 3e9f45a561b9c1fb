"""A spread problem as numpy arrays, and which of its sets are uneven.

Hosts are renumbered to *positions* so that the hosts of a rack stand side by side. An
*entry* is a pair of a set and a host that the problem says anything about.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt

from frota.planners.placement.spreadproblem import SetSpread, SpreadProblem

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

HUGE = np.int64(1) << 60  # farther than any sum of costs; twice it still fits int64
LOAD_MAX = 1 << 14  # of one host, above the least loaded, in VMs; more is taken for as much


@dataclass(frozen=True, slots=True)
class Entries:
    """Pairs of set and host, sorted by set, then position; each pair once."""

    set: Ints
    host: Ints
    current: Ints
    fixed: Ints
    native: Ints
    away: Ints

    def of(self, wanted: Ints | Bools) -> Entries:
        """Some of the entries, in the same order."""
        return Entries(*(column[wanted] for column in self.columns()))

    def columns(self) -> tuple[Ints, ...]:
        """The fields in order."""
        return (self.set, self.host, self.current, self.fixed, self.native, self.away)


@dataclass(frozen=True, slots=True)
class Arrays:
    """The problem by position. ``host`` gives back the problem's own host numbers.

    ``open`` has one row per distinct set of allowed hosts, ``pattern`` the row of each
    set: where its members may arrive if there is room.
    """

    host: Ints
    rack: Ints
    first: Ints  # first position of each rack
    slots: Ints
    load: Ints
    open: Bools
    pattern: Ints
    by_rack: Bools
    by_host: Bools
    weight: Ints
    entries: Entries

    @property
    def hosts(self) -> int:
        """The number of hosts."""
        return len(self.host)

    @property
    def racks(self) -> int:
        """The number of racks."""
        return len(self.first)

    @property
    def sets(self) -> int:
        """The number of sets."""
        return len(self.pattern)


def arrays(problem: SpreadProblem) -> Arrays:
    """The problem as arrays. Work grows with hosts, sets and entries."""
    _, rack_of = np.unique(np.asarray(problem.rack_of, np.int64), return_inverse=True)
    host = np.argsort(rack_of, kind="stable")
    position = np.empty_like(host)
    position[host] = np.arange(len(host))
    rack = rack_of[host]
    slots = np.asarray(problem.slots, np.int64)[host]
    accepts = np.asarray(problem.accepts, np.bool_)[host] & (slots >= 0)
    masks, pattern = _patterns(problem, accepts, position)
    sets = problem.sets
    return Arrays(
        host=host,
        rack=rack,
        first=np.searchsorted(rack, np.arange(int(rack[-1]) + 1 if len(rack) else 0)),
        slots=np.maximum(slots, 0),
        load=_above_least(np.asarray(problem.load, np.int64)[host]),
        open=masks,
        pattern=pattern,
        by_rack=np.fromiter((item.rack for item in sets), np.bool_, len(sets)),
        by_host=np.fromiter((item.host for item in sets), np.bool_, len(sets)),
        weight=np.fromiter((item.weight for item in sets), np.int64, len(sets)),
        entries=_entries(problem, position),
    )


def _above_least(load: Ints) -> Ints:
    """Load by its difference to the least: all that can matter, and small."""
    return np.minimum(load - load.min(initial=HUGE), LOAD_MAX) if len(load) else load


def _patterns(problem: SpreadProblem, accepts: Bools, position: Ints) -> tuple[Bools, Ints]:
    rows: dict[frozenset[int] | None, int] = {}
    pattern = [rows.setdefault(item.allowed, len(rows)) for item in problem.sets]
    masks = np.zeros((len(rows), len(accepts)), np.bool_)
    for allowed, row in rows.items():
        if allowed is None:
            masks[row] = accepts
        else:
            places = position[np.fromiter(allowed, np.int64, len(allowed))]
            masks[row, places] = accepts[places]
    return masks, np.array(pattern, np.int64)


def _entries(problem: SpreadProblem, position: Ints) -> Entries:
    hosts = len(position)
    readers: tuple[Callable[[SetSpread], Mapping[int, int]], ...] = (
        lambda item: item.current,
        lambda item: item.fixed,
        lambda item: item.native,
        lambda item: item.away,
    )
    tables = []
    for reader in readers:
        maps = [reader(item) for item in problem.sets]
        sizes = np.fromiter(map(len, maps), np.int64, len(maps))
        total = int(sizes.sum())
        places = np.fromiter(chain.from_iterable(maps), np.int64, total)
        counts = np.fromiter(chain.from_iterable(m.values() for m in maps), np.int64, total)
        tables.append((np.repeat(np.arange(len(maps)), sizes) * hosts + position[places], counts))
    keys = np.unique(np.concatenate([key for key, _ in tables]))
    columns = np.zeros((len(tables), len(keys)), np.int64)
    for column, (key, counts) in zip(columns, tables, strict=True):
        column[np.searchsorted(keys, key)] = counts
    return Entries(keys // max(hosts, 1), keys % max(hosts, 1), *columns)


def uneven(data: Arrays) -> Bools:
    """Sets that some move of one member would make more even if room were no matter."""
    held = _rack_counts(data)
    lowest, highest = _host_range(data, held.shape)
    leaving, taking = highest >= 0, lowest < HUGE
    most = np.where(leaving, held, -1)
    least = np.where(taking, held, HUGE)
    top, bottom = most.max(axis=1, initial=-1), least.min(axis=1, initial=HUGE)
    steep = data.by_rack & (top - bottom >= 2)
    inside = np.any(highest - lowest >= 2, axis=1)
    step = top - bottom == 1  # a move from a fuller to an emptier rack keeps the racks as even
    donors = np.where(most == top[:, None], highest, -1).max(axis=1, initial=-1)
    takers = np.where(least == bottom[:, None], lowest, HUGE).min(axis=1, initial=HUGE)
    across = np.where(data.by_rack, step & (donors - takers >= 2), _flat(highest, lowest))
    wanting: Bools = steep | (data.by_host & (inside | across))
    return wanting


def _flat(highest: Ints, lowest: Ints) -> Bools:
    """For sets without racks: any host may give to any other."""
    wide: Bools = highest.max(axis=1, initial=-1) - lowest.min(axis=1, initial=HUGE) >= 2
    return wide


def _rack_counts(data: Arrays) -> Ints:
    """Members by set and rack, all of them."""
    entries = data.entries
    cell = entries.set * data.racks + data.rack[entries.host]
    held = np.bincount(
        cell, weights=entries.current + entries.fixed, minlength=data.sets * data.racks
    )
    return held.astype(np.int64).reshape(data.sets, data.racks)


def _host_range(data: Arrays, shape: tuple[int, ...]) -> tuple[Ints, Ints]:
    """By set and rack: the emptiest host that takes members, the fullest that may give.

    HUGE and -1 where there is none.
    """
    entries = data.entries
    total = entries.current + entries.fixed
    cell = entries.set * data.racks + data.rack[entries.host]
    takes = data.open[data.pattern[entries.set], entries.host]
    lowest = np.full(shape[0] * shape[1], HUGE)
    np.minimum.at(lowest, cell[takes], total[takes])
    known = np.bincount(cell[takes], minlength=len(lowest)).reshape(shape)
    there = np.add.reduceat(data.open.astype(np.int64), data.first, axis=1)[data.pattern]
    lowest = np.where(there > known, 0, lowest.reshape(shape))
    highest = np.full(shape[0] * shape[1], -1, np.int64)
    gives = entries.current > 0
    np.maximum.at(highest, cell[gives], total[gives])
    return lowest, highest.reshape(shape)

"""How even one set stands over the domains of one level, in closed form.

Counts are members per domain. A domain may have a *floor* (members that cannot leave:
pinned, or in flight) and a *cap* (the most it may hold: a full domain, or one that takes
no arrivals, has its own count for a cap). Everything here looks at one set alone; sets
that compete for the same room are the business of ``flow``.
"""

from __future__ import annotations

from collections.abc import Sequence


def sum_of_squares(counts: Sequence[int]) -> int:
    """The measure of evenness: for a given total it is least when counts differ by <= 1."""
    return sum(count * count for count in counts)


def skew(counts: Sequence[int]) -> int:
    """Fullest minus emptiest domain; 0 without domains."""
    return max(counts) - min(counts) if counts else 0


def capped_skew(counts: Sequence[int], caps: Sequence[int]) -> int:
    """Skew that leaves out of the minimum the domains that cannot take one more."""
    room = [count for count, cap in zip(counts, caps, strict=True) if count < cap]
    return max(0, max(counts) - min(room)) if room else 0


def is_even(
    counts: Sequence[int], floors: Sequence[int] | None = None, caps: Sequence[int] | None = None
) -> bool:
    """Whether no single move of one member lowers the sum of squares.

    Since squares are convex, that is the same as the sum being the least there is.
    """
    lows, tops = _bounds(counts, floors, caps)
    leaving = [count for count, low in zip(counts, lows, strict=True) if count > low]
    taking = [count for count, top in zip(counts, tops, strict=True) if count < top]
    return not leaving or not taking or max(leaving) - min(taking) <= 1


def even_counts(
    counts: Sequence[int], floors: Sequence[int] | None = None, caps: Sequence[int] | None = None
) -> tuple[int, ...]:
    """The most even counts of the same total that are the fewest moves away.

    Every domain is filled to one water level, held between its floor and its cap; what
    is left over goes, one each, to the domains that are above the level now (they then
    send one member less away), first by fullness, then by position.

    Raises ValueError when a floor is above its domain's count, or a cap below it.
    """
    lows, tops = _bounds(counts, floors, caps)
    for place, (count, low, top) in enumerate(zip(counts, lows, tops, strict=True)):
        if not low <= count <= top:
            msg = f"domain {place}: expected floor <= count <= cap, found {low}, {count}, {top}"
            raise ValueError(msg)
    level = _water_level(sum(counts), lows, tops)
    filled = [min(max(level, low), top) for low, top in zip(lows, tops, strict=True)]
    spare = sum(counts) - sum(filled)
    ready = [i for i, fill in enumerate(filled) if fill == level and fill < tops[i]]
    for place in sorted(ready, key=lambda i: (-counts[i], i))[:spare]:
        filled[place] += 1
    return tuple(filled)


def least_moves(
    counts: Sequence[int], floors: Sequence[int] | None = None, caps: Sequence[int] | None = None
) -> int:
    """The fewest moves that make the set as even as its floors and caps allow.

    Without floors and caps this is ``max(sum(c - ceil), sum(floor - c))`` over the
    domains above ceil and below floor.
    """
    target = even_counts(counts, floors, caps)
    return sum(max(0, count - new) for count, new in zip(counts, target, strict=True))


def _bounds(
    counts: Sequence[int], floors: Sequence[int] | None, caps: Sequence[int] | None
) -> tuple[Sequence[int], Sequence[int]]:
    """Floors and caps, with bounds that never bind where none are given."""
    return floors or [0] * len(counts), caps or [sum(counts) + 1] * len(counts)


def _water_level(total: int, lows: Sequence[int], tops: Sequence[int]) -> int:
    """The highest whole level at which no more than ``total`` is held."""
    below, above = 0, total + 1  # held(below) <= total is true for 0: floors are held anyway
    while above - below > 1:
        level = (below + above) // 2
        held = sum(min(max(level, low), top) for low, top in zip(lows, tops, strict=True))
        if held <= total:
            below = level
        else:
            above = level
    return below

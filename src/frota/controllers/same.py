"""Whether a collection still consists of the very same objects."""

from __future__ import annotations

from collections.abc import Iterable
from operator import is_not


class Same:
    """Remembers the objects it was last asked about."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: tuple[object, ...] | None = None

    def holds(self, objects: Iterable[object]) -> bool:
        """Whether these are the objects of the last time, in the same order; remembers them."""
        now, known = tuple(objects), self._known
        self._known = now
        return known is not None and len(known) == len(now) and not any(map(is_not, known, now))

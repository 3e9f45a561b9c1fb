"""What was worked out last time, to be used again where it rests on the very same values."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from operator import is_
from typing import Any, TypeVar, cast

T = TypeVar("T")


class Memo:
    """Results by name. A compilation that is given the memo of the one before it is the same
    as one without, only faster; ``turn`` ends one and forgets what it did not ask for."""

    def __init__(self) -> None:
        self._last: dict[Hashable, tuple[tuple[object, ...], Any]] = {}
        self._now: dict[Hashable, tuple[tuple[object, ...], Any]] = {}

    def of(self, name: Hashable, inputs: tuple[object, ...], make: Callable[[], T]) -> T:
        """What ``make`` returns; or returned last, when the inputs are the same objects or what
        it returns is equal."""
        known = self._last.get(name)
        if known is None or not all(map(is_, known[0], inputs)):
            made = make()
            known = (inputs, made if known is None or known[1] != made else known[1])
        self._now[name] = known
        return cast(T, known[1])

    def same(self, name: Hashable, value: T) -> T:
        """The value; or that of the last time when it is equal, so that what rests on it is
        used again."""
        return self.of(name, (value,), lambda: value)

    def turn(self) -> None:
        """A compilation is over."""
        self._last, self._now = self._now, {}

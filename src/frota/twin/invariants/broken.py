"""What a broken invariant looks like, and where they are collected."""

from __future__ import annotations

from dataclasses import dataclass

_KEPT_MOST = 50


@dataclass(frozen=True, slots=True)
class Broken:
    """One broken invariant: which (``I1`` … ``I19``), when in seconds, and what was seen."""

    invariant: str
    at: float
    text: str

    def __str__(self) -> str:
        return f"{self.invariant} at {clock_text(self.at)}: {self.text}"


class Findings:
    """Broken invariants of one run; each text once, and not without end."""

    __slots__ = ("_seen", "found", "now")

    def __init__(self) -> None:
        self.found: list[Broken] = []
        self.now = 0.0
        self._seen: set[tuple[str, str]] = set()

    def broken(self, invariant: str, text: str) -> None:
        """Note a broken invariant."""
        key = (invariant, text)
        if key not in self._seen and len(self.found) < _KEPT_MOST:
            self._seen.add(key)
            self.found.append(Broken(invariant, self.now, text))


def clock_text(seconds: float) -> str:
    """``1:02:03.4`` for a time since the start."""
    whole, tenths = divmod(round(seconds * 10), 10)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}.{tenths}"

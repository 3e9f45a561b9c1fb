"""The right to act on one host group, held by one controller at a time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lease:
    """Who may act on a group, and until when: ``renewed + duration`` on the holder's clock.

    ``term`` grows by one whenever the holder changes. An empty ``holder`` means that
    the last one let go.
    """

    holder: str
    term: int
    acquired: float
    renewed: float
    duration: float

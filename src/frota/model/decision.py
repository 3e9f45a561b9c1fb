"""The journal's entries: cause, decision, action, outcome, joined by one cause id."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

ASKED = "Asked"  # the reason of a line that says what a person asked for


class Stage(StrEnum):
    """Where in a story an entry stands."""

    CAUSE = "Cause"
    DECISION = "Decision"
    ACTION = "Action"
    OUTCOME = "Outcome"


@dataclass(frozen=True, slots=True)
class Decision:
    """One line of a story. ``subject`` is ``Kind/name``; ``rejected`` are the
    alternatives turned down, each with its reason."""

    at: float
    group: str
    cause_id: str
    stage: Stage
    subject: str
    reason: str  # one CamelCase word
    message: str
    rejected: tuple[str, ...] = ()

"""What is not as it should be and needs a person: kept on record for as long as it is so."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that a person should know about a host or a host group.

    ``subject`` is ``Kind/name`` and ``type`` one CamelCase word; together they are unique
    in a group. ``message`` says what it is and what to do. ``since`` is when it began, on
    Frota's clock. ``plan`` is the hash of the plan that is held until it is approved.
    """

    subject: str
    type: str
    message: str
    since: float
    cause_id: str = ""
    plan: str = ""

    @property
    def name(self) -> str:
        """Its name within the group."""
        return f"{self.subject}/{self.type}"

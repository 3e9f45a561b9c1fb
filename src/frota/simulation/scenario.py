"""A scenario: a host group, what happens to it, and what must come of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from frota.twin.chance import Chances

Document = Mapping[str, Any]

CLUSTER = "east"
GROUP = "plant"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happens at a time (seconds from the start)."""

    at: float
    action: str
    args: Mapping[str, Any] = field(default_factory=dict)


class When(StrEnum):
    """How the time of an expectation is meant."""

    AT = "at"  # at this moment
    BY = "by"  # at this moment or earlier
    NEVER = "never"  # at no moment of the whole run


@dataclass(frozen=True, slots=True)
class Expectation:
    """One required outcome. ``subject`` is ``set NAME``, ``vm NAME``, ``host NAME`` or a
    count (``moves``, ``restarts``, …); ``place`` is its file and line."""

    when: When
    time: float
    subject: str
    wanted: Any
    since: float = 0.0
    place: str = ""


@dataclass(frozen=True, slots=True)
class Scenario:
    """Everything one run needs. ``documents`` are the HostGroup and its Clusters as
    stored; the same scenario and seed give the same run to the byte."""

    name: str
    title: str
    documents: tuple[Document, ...]
    events: tuple[Event, ...] = ()
    expectations: tuple[Expectation, ...] = ()
    seed: int = 1
    end: float = 0.0
    fences: Mapping[str, str] = field(default_factory=dict)
    chances: Chances = field(default_factory=Chances)
    converge: bool = False  # at the end all faults are mended, and all must come right
    file: str = ""

"""What is to be done in one cluster, and why; also what is left as it is, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import inf
from typing import Any

from frota.model.delivery import Change, Verdict
from frota.model.objects import Object, ObjectKey


class DriftPolicy(StrEnum):
    """What is done about fields that somebody else changed."""

    CORRECT = "correct"
    OBSERVE = "observe"


@dataclass(frozen=True, slots=True)
class PruneApproval:
    """A person said that these objects may be deleted. ``plan`` is the hash that was shown;
    ``uids`` are the objects it named: it holds for what is left of them, and for no other."""

    plan: str
    uids: frozenset[str]


@dataclass(frozen=True, slots=True)
class DeliveryPolicy:
    """The numbers and choices that govern delivery to one cluster. ``membership`` is the
    value of the membership label of what is delivered; times are in seconds."""

    membership: str
    drift: DriftPolicy = DriftPolicy.CORRECT
    brake_share: float = 0.20  # of the cluster's objects of this set
    brake_least: int = 10  # so many deletions are never braked by their number
    take_over: frozenset[ObjectKey] = frozenset()  # foreign objects a person gave to Frota
    approved: tuple[PruneApproval, ...] = ()
    unreachable_after: float = 10.0
    retry_first: float = 5.0  # wait after a change that failed, doubled each time
    retry_most: float = 300.0
    # Jobs that ended and were deleted, with the digest of what ran: they do not run again.
    ran: Mapping[ObjectKey, str] = field(default_factory=dict)
    contest_least: int = 5  # corrections of one object, each soon after the last, before
    contest_window: float = 60.0  # Frota slows down: somebody else writes it too


class Action(StrEnum):
    """What is done about one object."""

    CREATE = "create"
    CHANGE = "change"
    CORRECT = "correct"  # put back what somebody else changed
    TAKE_OVER = "take-over"  # of an object, or of fields, that are another manager's
    PRUNE = "prune"
    LEAVE = "leave"


@dataclass(frozen=True, slots=True)
class FieldDiff:
    """One field that differs. ``wanted`` or ``found`` is None where there is none; both
    are ``(hidden)`` for secrets. ``manager`` wrote it last at ``at`` (RFC 3339), as far as
    the API server knows; empty when it does not say."""

    path: str
    wanted: Any
    found: Any
    manager: str = ""
    at: str = ""

    @property
    def writer(self) -> str:
        """Who wrote it and when, for people; empty when unknown."""
        return f"{self.manager} at {self.at}" if self.at else self.manager


@dataclass(frozen=True, slots=True)
class Item:
    """One object that is not simply as it should be. ``reason`` is one CamelCase word;
    docs/delivery.md lists them. ``drifted``: somebody else changed what Frota delivered."""

    key: ObjectKey
    action: Action
    reason: str
    message: str
    change: Change | None = None
    diffs: tuple[FieldDiff, ...] = ()
    drifted: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """Deletions that wait for an approval. ``plan`` is what the approval must name."""

    plan: str
    keys: tuple[ObjectKey, ...]
    uids: frozenset[str]
    reasons: tuple[str, ...]

    @property
    def approval(self) -> PruneApproval:
        """The approval of exactly this."""
        return PruneApproval(self.plan, self.uids)


@dataclass(frozen=True, slots=True)
class Compared:
    """What a plan was made from, where nothing of the set was there besides the content: the
    digest of the content, and the very objects of the view. ``open``: the keys of the content
    that are not settled, or not for good."""

    digest: str
    objects: Mapping[ObjectKey, Object]
    open: frozenset[ObjectKey]


@dataclass(frozen=True, slots=True)
class DeliveryPlan:
    """The answer of the delivery planner for one cluster.

    ``waits`` says why nothing could be planned (the cluster is not seen well enough);
    empty when it could. ``settled`` are the objects found as they should be, with the
    resourceVersion that was looked at and the digest of the content that it was compared with.
    ``again_at`` is when something that is left now is to be tried.
    """

    cluster: str
    items: tuple[Item, ...] = ()
    batches: tuple[tuple[Change, ...], ...] = ()
    held: Held | None = None
    waits: str = ""
    settled: Mapping[ObjectKey, tuple[str, str]] = field(default_factory=dict)
    again_at: float = inf
    compared: Compared | None = field(default=None, compare=False)

    @property
    def empty(self) -> bool:
        """Whether no call to the cluster is needed."""
        return not self.batches

    @property
    def drifts(self) -> tuple[Item, ...]:
        """What somebody else changed."""
        return tuple(item for item in self.items if item.drifted)


@dataclass(frozen=True, slots=True)
class Attempt:
    """A change that did not succeed, so that it is not sent again at once. ``digest`` is the
    content that was sent; another content is tried without waiting."""

    digest: str
    verdict: Verdict
    message: str
    at: float
    times: int = 1
    managers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Correction:
    """How often an object was put right, each time soon after the last."""

    times: int
    at: float


@dataclass(frozen=True, slots=True)
class DeliveryMemory:
    """What the planner is told of earlier passes over one cluster. It may be lost: then
    something is compared or tried once more."""

    attempts: Mapping[ObjectKey, Attempt] = field(default_factory=dict)
    corrections: Mapping[ObjectKey, Correction] = field(default_factory=dict)
    settled: Mapping[ObjectKey, tuple[str, str]] = field(default_factory=dict)
    compared: Compared | None = None

"""What a cluster with delivery ``pull`` fetches, and what it says in return (docs/pull.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from frota.model.clusterstatus import ClusterCondition, ConditionType
from frota.model.delivery import WatchedKind
from frota.model.objects import Object, ObjectKey
from frota.model.release import Drift, HeldPrune

# Bounds of what is read from an object store, in bytes.
ENVELOPE_MOST = 16 * 1024
BUNDLE_MOST = 64 * 1024 * 1024
STATUS_MOST = 1024 * 1024
OBJECTS_MOST = 100_000
REASON_MOST = 500  # characters
NUMBER_MOST = 2**53 - 1  # what every reader of JSON keeps exactly


class Position(NamedTuple):
    """Which of two envelopes of a cluster is the later one.

    ``order`` counts the signed rollback orders so far, ``sequence`` the envelopes; the
    sequence may begin anew only under a new order. What is remembered never gets smaller,
    so an old envelope stays old for ever, also after a rollback.
    """

    order: int
    sequence: int

    def __str__(self) -> str:
        return f"{self.order}.{self.sequence}"


NOTHING = Position(0, 0)  # before every envelope


@dataclass(frozen=True, slots=True)
class Remembered:
    """What an agent must know again when its disk was lost: the last envelope that it
    followed, the kinds of which something may be left in the cluster, and the jobs that
    ended there and were deleted (``ClusterStatus.ran``)."""

    position: Position = NOTHING
    digest: str = ""
    kinds: frozenset[WatchedKind] = frozenset()
    ran: tuple[tuple[ObjectKey, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Bundle:
    """All objects of one cluster. Its text is canonical, so that the same objects have the
    same digest whoever compiled them, in whatever order.

    ``terms`` is plain JSON for who applies them: ``delivery``, how the fleet wants it done
    (its ``spec.delivery``); ``approved``, the hashes of held deletions that people let go;
    ``takeOver``, the keys of objects that people gave to Frota.
    """

    fleet: str
    cluster: str
    objects: tuple[Object, ...]
    terms: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Packed:
    """A bundle as it is stored: its text and the SHA-256 of that, 64 hexadecimal digits."""

    digest: str
    text: bytes


@dataclass(frozen=True, slots=True)
class Envelope:
    """Says which bundle a cluster is to run; signed. ``made`` is in seconds since 1970.
    ``order`` and ``reason`` are those of the last rollback order (0 and empty: there was
    none); every envelope after it repeats them, as an agent may have missed the first."""

    fleet: str
    cluster: str
    sequence: int
    digest: str
    size: int
    made: int
    order: int = 0
    reason: str = ""

    @property
    def position(self) -> Position:
        """Its place among all envelopes of the cluster."""
        return Position(self.order, self.sequence)


class Refusal(StrEnum):
    """Why an envelope or a bundle is not followed."""

    UNREADABLE = "Unreadable"
    UNKNOWN_KEY = "UnknownKey"
    WRONG_SIGNATURE = "WrongSignature"
    OTHER_CLUSTER = "OtherCluster"
    OLD = "Old"  # not later than what is known, and no new rollback order
    FORKED = "Forked"  # two envelopes with one position
    WRONG_DIGEST = "WrongDigest"
    TOO_LARGE = "TooLarge"


class Refused(Exception):
    """An envelope or a bundle that is not followed. The message is for people: what was
    found, what was expected, how to mend it."""

    def __init__(self, refusal: Refusal, message: str) -> None:
        super().__init__(message)
        self.refusal = refusal
        self.message = message


@dataclass(frozen=True, slots=True)
class Progress:
    """What a reconciler has made of the revision that was handed to it, as in a ClusterStatus.
    Without ``conditions`` it was not looked at yet, and ``trouble`` says why. ``held`` has
    every object and uid, or, where there are too many, no uid: it cannot be approved then.
    ``kinds`` and ``ran`` are for what the agent remembers; they are not told."""

    revision: str
    conditions: tuple[ClusterCondition, ...] = ()
    settled: int = 0
    drifts: tuple[Drift, ...] = ()
    problems: tuple[str, ...] = ()
    held: HeldPrune | None = None
    trouble: str = ""
    kinds: frozenset[WatchedKind] = frozenset()
    ran: tuple[tuple[ObjectKey, str], ...] = ()

    def condition(self, kind: ConditionType) -> ClusterCondition | None:
        """One condition, by type."""
        return next((found for found in self.conditions if found.type is kind), None)


@dataclass(frozen=True, slots=True)
class AgentStatus:
    """What an agent says of itself; only it can write this, and nobody proves its words.

    ``order``, ``sequence`` and ``digest`` are of the bundle that it follows (0 and empty:
    none yet). ``refusal`` and ``refused`` say why the newest envelope is not followed,
    ``trouble`` why the store cannot be used. ``at`` is in seconds since 1970.
    """

    fleet: str
    cluster: str
    at: int
    version: str
    order: int = 0
    sequence: int = 0
    digest: str = ""
    progress: Progress | None = None
    refusal: str = ""
    refused: str = ""
    trouble: str = ""
    keys: tuple[str, ...] = ()  # ids of the public keys it trusts: before one is withdrawn

    @property
    def position(self) -> Position:
        """The position of the bundle that it follows."""
        return Position(self.order, self.sequence)

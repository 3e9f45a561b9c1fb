"""What host agents and the controller write to each other on the shared directory.

One file has one writer: ``HOST.slot`` the host's agent, ``HOST.order`` the controller,
``frota-leases.json`` whoever makes the directory, once. All are small JSON documents,
replaced as a whole. What is read is judged strictly and never trusted to be well formed.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, TypeVar

import msgspec

SIZE_MOST = 4096  # bytes; a record is a few hundred

Word = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]
_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}")


class Garbled(ValueError):
    """Content that is not a record of the expected kind."""


class Terms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The durations both sides go by, in seconds. The margin is the time a host has to
    end its VMs, and covers clocks that run apart by up to one per cent."""

    lease: Seconds = 20.0
    renew: Seconds = 5.0
    margin: Seconds = 5.0

    @property
    def proof(self) -> float:
        """How long a slot must stand still, on the observer's clock, to be a proof."""
        return self.lease + self.margin

    @property
    def pet(self) -> float:
        """The greatest age of the last renewal at which a watchdog may be petted."""
        return 0.4 * self.lease

    @property
    def watchdog(self) -> int:
        """The watchdog's timeout: with ``pet`` before it, a frozen host is reset within
        1.15 leases of its last renewal, so before the proof."""
        return int(0.75 * self.lease)


class Marker(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Names the shared directory, so that an empty mount point is never taken for it,
    and fixes its terms, so that both sides go by the same."""

    space: Word
    terms: Terms
    version: Annotated[int, msgspec.Meta(ge=1, le=1)] = 1


class Standing(StrEnum):
    """What an agent says of its host."""

    GUARDING = "guarding"  # VMs may run; they end when the lease does
    ENDING = "ending"  # VMs are being ended and were not seen to be gone yet
    FENCED = "fenced"  # every VM was ended, seen to be gone; none is let run
    UNGUARDED = "unguarded"  # the agent was stopped on purpose; nobody ends the VMs


class Cause(StrEnum):
    """Why an agent ended its VMs."""

    NONE = ""
    LEASE = "lease"
    REQUEST = "request"


class Slot(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One renewal. ``counter`` is the host's boot clock in milliseconds when the renewal
    began, so it grows, even over a restart of the agent. ``incarnation`` names one
    stretch of guarding: a new one begins only after every VM of the last one ended."""

    host: Word
    space: Word
    machine: Word
    boot: Word
    incarnation: Word
    counter: Count
    standing: Standing
    cause: Cause
    watchdog: bool


class Verb(StrEnum):
    """What the controller wants of an agent."""

    NONE = "none"
    FENCE = "fence"  # end every VM of this incarnation and stay fenced
    RESUME = "resume"  # a fenced agent may begin a new incarnation


class Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The controller's word to one agent, addressed to one incarnation.

    ``distrusted`` is a note to the controller itself, for after a restart: the counter
    at which this incarnation's lease ran out although the host was in service.
    """

    host: Word
    space: Word
    incarnation: Word
    verb: Verb
    distrusted: Annotated[int, msgspec.Meta(ge=-1, le=2**62)] = -1


Record = TypeVar("Record", Marker, Slot, Order)


def encode(record: Marker | Slot | Order) -> bytes:
    """The record as one line of JSON."""
    return msgspec.json.encode(record) + b"\n"


def decode(content: bytes, kind: type[Record]) -> Record:
    """The record in ``content``; raises Garbled when it is anything else."""
    if len(content) > SIZE_MOST:
        raise Garbled(f"more than {SIZE_MOST} bytes, expected a {kind.__name__}")
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Garbled(f"not a record of the kind {kind.__name__}: {error}") from None


def host_name(name: str) -> str:
    """``name``, when it can be part of a file name; raises ValueError otherwise."""
    if not _HOST.fullmatch(name):
        raise ValueError(
            f"host name {name!r}: expected letters, digits, '.', '_' and '-', "
            "at most 200, the first a letter or digit"
        )
    return name

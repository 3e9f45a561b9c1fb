"""The agent of a cluster with delivery ``pull``: fetch, verify, hand over, tell.

One step at a time, each short but for the store's answers; whoever runs it decides on which
clock. It keeps going with the last good bundle whatever the store does.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from random import Random

from frota.model.bundle import (
    ENVELOPE_MOST,
    NOTHING,
    AgentStatus,
    Bundle,
    Envelope,
    Progress,
    Refusal,
    Refused,
    Remembered,
)
from frota.model.delivery import kinds_in
from frota.planners.agentstatus import write_status
from frota.planners.bundles import Expected, TrustedKey, accept, unpack
from frota.planners.bundlestore import HEAD, STATUS, bundle_key
from frota.ports.blobs import Blob, BlobError, BlobMissing, Blobs, BlobTooLarge
from frota.ports.clock import Clock
from frota.ports.member import Anchor, AnchorError, Reconciler
from frota.runtime.backoff import Backoff


class KeysUnusable(Exception):
    """The trusted public keys cannot be read now. The message says where and why."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Which cluster this agent is in."""

    fleet: str
    cluster: str
    version: str


@dataclass(frozen=True, slots=True)
class Pace:
    """Times in seconds. ``poll`` lies between two looks at the store, drawn from
    ``1 ± spread`` of it, so that a fleet does not ask in one moment; ``tell`` is the
    longest silence towards the control plane; ``watch`` lies between two looks at what the
    reconciler has done."""

    poll: float = 15.0
    spread: float = 0.2
    tell: float = 60.0
    watch: float = 2.0
    backoff: Backoff = field(default_factory=lambda: Backoff(first=1.0, most=120.0))


@dataclass(frozen=True, slots=True)
class Surroundings:
    """All that an agent touches. ``source``: the container with its bundles; ``status``:
    its own; ``local``: a place of its own that outlives a restart, for the last bundle;
    ``anchor``: where what was followed is safe even when that is lost; ``keys``: the public keys
    that are trusted now, asked anew each time (may raise KeysUnusable); ``wall``: seconds
    since 1970, only to be shown."""

    source: Blobs
    status: Blobs
    local: Blobs
    anchor: Anchor
    reconciler: Reconciler
    keys: Callable[[], tuple[TrustedKey, ...]]
    clock: Clock
    wall: Callable[[], float]
    rng: Random


@dataclass(frozen=True, slots=True)
class _Followed:
    """The bundle that is handed over."""

    envelope: Envelope
    bundle: Bundle

    @property
    def revision(self) -> str:
        return f"{self.envelope.position} {self.envelope.digest}"


class PullAgent:
    """For one thread."""

    def __init__(self, identity: Identity, around: Surroundings, pace: Pace | None = None) -> None:
        self._identity = identity
        self._around = around
        self._pace = pace or Pace()
        self._last: Remembered | None = None  # None: not yet known
        self._followed: _Followed | None = None
        self._head: Blob | None = None
        self._refused: Refused | None = None
        self._trouble = ""
        self._failures = 0
        self._poll_at = float("-inf")
        self._told: AgentStatus | None = None
        self._tell_failures = 0
        self._tell_at = float("-inf")
        self._trusted: tuple[str, ...] = ()

    def step(self) -> float:
        """Do what is due. Returns in how many seconds to come again. Never raises for what
        the store, its content, or the cluster does."""
        now = self._around.clock.now()
        if now >= self._poll_at:
            self._poll_at = now + self._polled()
        progress = self._handed_over()
        self._remember(progress)
        self._tell(progress)
        due = min(self._poll_at, self._tell_at) - self._around.clock.now()
        return max(0.0, min(due, self._pace.watch if self._followed else due))

    def status(self, progress: Progress | None = None) -> AgentStatus:
        """What is to be told."""
        envelope = self._followed.envelope if self._followed else None
        last = self._last.position if self._last is not None else NOTHING
        return AgentStatus(
            fleet=self._identity.fleet,
            cluster=self._identity.cluster,
            at=int(self._around.wall()),
            version=self._identity.version,
            order=last.order,
            sequence=last.sequence,
            digest=envelope.digest if envelope else "",
            progress=progress,
            refusal=self._refused.refusal if self._refused else "",
            refused=self._refused.message if self._refused else "",
            trouble=self._trouble,
            keys=self._trusted,
        )

    def _polled(self) -> float:
        """Look once; returns the wait until the next look."""
        try:
            if self._last is None:
                self._last = self._remembered()
            self._look(self._last)
        except (BlobError, AnchorError, KeysUnusable) as error:
            self._trouble = str(error)
            self._failures += 1
            return self._pace.backoff.delay(self._failures, self._around.rng)
        self._trouble = ""
        if self._refused is not None:  # what is in the store may be large: ask less and less
            self._failures += 1
            return self._pace.backoff.delay(self._failures, self._around.rng)
        self._failures = 0
        spread = self._pace.spread
        return self._pace.poll * self._around.rng.uniform(1 - spread, 1 + spread)

    def _remembered(self) -> Remembered:
        """What was followed last, by the anchor and by what is kept here, whichever is later;
        what is kept here is followed again when it is that one."""
        anchored = self._around.anchor.load()
        try:
            head = self._around.local.get(HEAD, ENVELOPE_MOST)
            if head is None:
                return anchored
            envelope = accept(head.data, self._expected(anchored))
            _, bundle = _fetched(self._around.local, envelope)
        except (BlobMissing, Refused):
            return anchored  # lost, damaged, or older than the anchor: the store has it
        last = _followed_after(anchored, envelope, bundle)
        if last != anchored:
            self._around.anchor.save(last)
        self._followed = _Followed(envelope, bundle)
        return last

    def _look(self, last: Remembered) -> None:
        try:
            found = self._around.source.get(
                HEAD, ENVELOPE_MOST, unless=self._head.etag if self._head else ""
            )
        except BlobMissing:
            if last.position != NOTHING:
                raise  # it was there before
            raise BlobMissing("nothing has been published for this cluster yet") from None
        if found is not None:
            self._head = found
        if self._head is not None and (found is not None or self._refused is not None):
            self._consider(self._head, last)

    def _consider(self, head: Blob, last: Remembered) -> None:
        """Follow an envelope, or remember why not. One that was refused is looked at again
        at every poll: the keys that are trusted may have changed."""
        try:
            envelope = accept(head.data, self._expected(last))
            if self._followed is None or envelope != self._followed.envelope:
                self._follow(head, envelope, last)
        except Refused as refused:
            self._refused = refused
        except (BlobError, AnchorError, KeysUnusable):
            self._head = None  # fetched again, whether or not it changes
            raise
        else:
            self._refused = None

    def _follow(self, head: Blob, envelope: Envelope, last: Remembered) -> None:
        """Fetch the bundle; remember before anything is done that it is followed, so that
        whatever happens in between, nothing older is followed after it."""
        text, bundle = _fetched(self._around.source, envelope)
        self._around.local.put(bundle_key(envelope.digest), text)
        self._around.local.put(HEAD, head.data)
        fresh = _followed_after(last, envelope, bundle)
        if fresh != last:
            self._around.anchor.save(fresh)
            self._last = fresh
        old, self._followed = self._followed, _Followed(envelope, bundle)
        if old is not None and old.envelope.digest != envelope.digest:
            self._around.local.delete(bundle_key(old.envelope.digest))

    def _expected(self, last: Remembered) -> Expected:
        keys = self._around.keys()
        self._trusted = tuple(sorted(key.id for key in keys))
        names = self._identity
        return Expected(names.fleet, names.cluster, keys, last.position, last.digest)

    def _handed_over(self) -> Progress | None:
        if self._followed is None or self._last is None:
            return None
        return self._around.reconciler.deliver(
            self._followed.bundle, self._followed.revision, self._last
        )

    def _remember(self, progress: Progress | None) -> None:
        """Remember no kinds of which nothing is left, and the jobs that ended meanwhile."""
        last = self._last
        if last is None or progress is None or not progress.kinds:
            return  # it was not looked at yet
        kinds = progress.kinds if progress.kinds < last.kinds else last.kinds
        fresh = replace(last, kinds=kinds, ran=progress.ran)
        if fresh != last:
            with suppress(AnchorError):  # it is tried again at the next step
                self._around.anchor.save(fresh)
                self._last = fresh

    def _tell(self, progress: Progress | None) -> None:
        """Write the status when it says something new, or was not written for long."""
        now = self._around.clock.now()
        status = self.status(progress)
        told = self._told
        old = told is not None and replace(status, at=told.at) == told
        if (old or self._tell_failures) and now < self._tell_at:
            return
        try:
            self._around.status.put(STATUS, write_status(status))
        except BlobError as error:
            self._trouble = self._trouble or str(error)
            self._tell_failures += 1
            self._tell_at = now + self._pace.backoff.delay(self._tell_failures, self._around.rng)
            return
        self._told, self._tell_failures = status, 0
        self._tell_at = now + self._pace.tell


def _followed_after(last: Remembered, envelope: Envelope, bundle: Bundle) -> Remembered:
    """What to remember once an envelope is followed: kinds of earlier bundles stay on it."""
    kinds = last.kinds | kinds_in(bundle.objects)
    return Remembered(envelope.position, envelope.digest, kinds, last.ran)


def _fetched(blobs: Blobs, envelope: Envelope) -> tuple[bytes, Bundle]:
    """The bundle that an envelope names. Raises Refused, BlobError."""
    try:
        found = blobs.get(bundle_key(envelope.digest), envelope.size)
    except BlobTooLarge:
        raise Refused(
            Refusal.WRONG_DIGEST,
            f"the bundle is not the one that was signed: more than {envelope.size} bytes",
        ) from None
    data = found.data if found else b""
    return data, unpack(data, envelope)

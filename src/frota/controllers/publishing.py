"""Publishing to an object store what clusters with delivery ``pull`` are to run, and
reading what their agents say."""

from __future__ import annotations

from dataclasses import dataclass

from frota.model.bundle import (
    BUNDLE_MOST,
    ENVELOPE_MOST,
    NOTHING,
    STATUS_MOST,
    AgentStatus,
    Bundle,
    Packed,
    Position,
)
from frota.planners.agentstatus import read_status
from frota.planners.bundlestore import BUNDLES, HEAD, STATUS, bundle_key
from frota.planners.publication import Present, Stamp, publication
from frota.ports.blobs import Blob, BlobError, BlobMissing, Blobs, BlobTaken, BlobTooLarge

KEPT = 20  # bundles; agents that are this far behind go to the newest all the same
_LISTED_MOST = 5000


@dataclass(frozen=True, slots=True)
class Published:
    """What is in the store now. ``changed``: a new envelope was written. ``doubt`` is why
    the head found there was worth nothing."""

    position: Position
    digest: str
    changed: bool
    doubt: str = ""


def publish(blobs: Blobs, bundle: Bundle, stamp: Stamp, known: Position = NOTHING) -> Published:
    """Have the store say that a cluster is to run these objects. Again with the same does
    nothing but look. ``known`` is the position that the last call for the cluster returned
    (kept by the caller, so that a store that was set back cannot set the count back).

    Waits for the store: call it from a thread that may. Raises BlobError (BlobTaken: another
    control plane published meanwhile; call again), ValueError for objects that cannot be
    packed. Killed anywhere it leaves the old head or the new one, never one without bundle.
    """
    found = _head(blobs)
    plan = publication(bundle, Present(found.data if found else None, known), stamp)
    _keep(blobs, plan.bundle)
    if plan.envelope is None:
        return Published(plan.position, plan.bundle.digest, changed=False)
    if found is None:
        blobs.add(HEAD, plan.envelope)
    else:
        blobs.put(HEAD, plan.envelope, expected=found.etag)
    return Published(plan.position, plan.bundle.digest, changed=True, doubt=plan.doubt)


def tidy(blobs: Blobs, digest: str, kept: int = KEPT) -> int:
    """Delete all bundles but the newest ``kept`` and ``digest``, the present one. Returns
    how many. Raises BlobError."""
    lines = sorted(blobs.list(BUNDLES, _LISTED_MOST), key=lambda line: line.modified, reverse=True)
    old = [line.key for line in lines[kept:] if line.key != bundle_key(digest)]
    for key in old:
        blobs.delete(key)
    return len(old)


def agent_status(blobs: Blobs, fleet: str, cluster: str) -> AgentStatus | None:
    """What the agent of a cluster says; None when it has said nothing yet. Raises BlobError,
    also for a status that is none, or another cluster's."""
    try:
        found = blobs.get(STATUS, STATUS_MOST)
    except BlobMissing:
        return None
    if found is None:
        return None
    try:
        return read_status(found.data, fleet, cluster)
    except ValueError as error:
        raise BlobError(f"the status of cluster {cluster}: {error}") from None


def _head(blobs: Blobs) -> Blob | None:
    try:
        return blobs.get(HEAD, ENVELOPE_MOST)
    except BlobMissing:
        return None
    except BlobTooLarge:
        blobs.delete(HEAD)  # no envelope is so large: it is damage, and written anew
        return None


def _keep(blobs: Blobs, packed: Packed) -> None:
    """Have the bundle in the store, whole. It is read again only where it is there already:
    its name says what it must be."""
    key = bundle_key(packed.digest)
    try:
        blobs.add(key, packed.text)
    except BlobTaken:
        if not _same(blobs, key, packed.text):
            blobs.put(key, packed.text)


def _same(blobs: Blobs, key: str, text: bytes) -> bool:
    try:
        found = blobs.get(key, BUNDLE_MOST)
    except (BlobMissing, BlobTooLarge):
        return False
    return found is not None and found.data == text

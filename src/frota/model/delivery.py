"""What is delivered to one cluster, what became of it, and what a cluster shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from frota.model.objects import Object, ObjectKey


@dataclass(frozen=True, slots=True, order=True)
class WatchedKind:
    """A kind that Frota owns objects of. ``version`` is the one that objects are written in."""

    group: str
    version: str
    kind: str


def kinds_in(objects: Iterable[Object]) -> frozenset[WatchedKind]:
    """The kinds of objects, in the versions that they are written in."""
    found = set()
    for whole, kind in {(str(item["apiVersion"]), item["kind"]) for item in objects}:
        group, _, version = whole.rpartition("/")
        found.add(WatchedKind(group, version, kind))
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class ClusterView:
    """The last known state of one cluster.

    ``answers``: its API server answers now. ``last_seen``: when it did last, in seconds of
    the caller's clock. ``complete``: every watched kind it serves was listed, and the
    watches keep up; otherwise what is missing from ``objects`` may be there. ``objects``:
    those that carry ``MEMBERSHIP_LABEL``, whatever its value (the sets of others are seen
    too), whole, with managedFields. ``absent``: watched kinds that the cluster does not
    serve (no CRD). ``claimed``: namespaces that hold PersistentVolumeClaims, whoever made
    them; None when that is not known. ``serial`` grows with every change of ``objects``.
    ``identity`` is another one when the storage was lost, or another cluster has the address;
    empty when it is not known.
    ``error``: why it does not answer, or why ``objects`` is not complete, in words, without
    secrets.
    """

    cluster: str
    answers: bool
    last_seen: float
    complete: bool = False
    version: str = ""
    objects: Mapping[ObjectKey, Object] = field(default_factory=dict)
    absent: frozenset[WatchedKind] = frozenset()
    claimed: frozenset[str] | None = None
    serial: int = 0
    identity: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """One object to be applied, or (``desired`` None) deleted.

    ``uid`` and ``revision`` (resourceVersion) are what was seen when it was planned; the
    change is refused when the object is another one by now (``uid``) or was written since
    (``revision``). Empty: whatever is there, or nothing. ``foreground``: an object that is
    deleted stays until all that it owns is gone.
    """

    key: ObjectKey
    desired: Object | None
    uid: str = ""
    revision: str = ""
    take_over: bool = False  # force: fields that others manage become Frota's
    foreground: bool = False


@dataclass(frozen=True, slots=True)
class Delivery:
    """Changes to one cluster, in batches: a batch begins when the one before has ended; the
    changes of a batch run at the same time. After a batch with a change that failed, the
    rest is not begun. ``dry_run``: the API server says what would be, and nothing is kept.
    """

    id: str
    cluster: str
    batches: tuple[tuple[Change, ...], ...]
    dry_run: bool = False


class Verdict(StrEnum):
    """What became of one change."""

    APPLIED = "applied"  # created or changed (in a dry run: would be)
    UNCHANGED = "unchanged"
    DELETED = "deleted"  # or was not there
    CONFLICT = "conflict"  # another manager holds fields; see ``managers``
    MOVED = "moved"  # the object is not the one that was planned for
    REFUSED = "refused"  # by validation, admission or authorization
    FAILED = "failed"  # after retries; may be tried again
    UNKNOWN = "unknown"  # the answer was lost: look
    SKIPPED = "skipped"  # not begun, since something before it failed


@dataclass(frozen=True, slots=True)
class ChangeResult:
    """The end of one change. ``after`` is the object as the API server answered it: of a dry run
    whole, of what was made at least its uid and version."""

    key: ObjectKey
    verdict: Verdict
    message: str = ""
    managers: tuple[tuple[str, str], ...] = ()  # of a conflict: (manager, field)
    after: Object | None = None


@dataclass(frozen=True, slots=True)
class DeliveryOutcome:
    """The end of one delivery; one result for each of its changes."""

    delivery: str
    cluster: str
    results: tuple[ChangeResult, ...]

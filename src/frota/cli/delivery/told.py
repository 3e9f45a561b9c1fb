"""What clusters that cannot be looked at from here were last told to have, and what is known
of whether they have it."""

from __future__ import annotations

from frota.controllers.clusterrecords import PUBLISHED, STATUS, condition_of
from frota.model.bundle import Position
from frota.model.clusterstatus import ClusterCondition, ConditionType, Truth
from frota.model.release import ClusterStatus
from frota.ports.store import Store


def last_published(store: Store, cluster: str) -> tuple[str, str]:
    """The digest of the content that was published last for a cluster that pulls (empty:
    nothing yet), and what is known of it."""
    entry, status = store.get(PUBLISHED, cluster), _status(store, cluster)
    if entry is None:
        return "", "nothing was published for it yet"
    content: str = entry.value["content"]
    number = Position(entry.value["order"], entry.value["sequence"])
    return content, f"as last published, number {number}; {_heard(status, content)}"


def _heard(status: ClusterStatus | None, content: str) -> str:
    reachable, synced = (
        condition_of(status, kind) for kind in (ConditionType.REACHABLE, ConditionType.SYNCED)
    )
    if status is None or reachable is None or reachable.status is not Truth.TRUE:
        return f"not heard from its agent{_why(reachable)}"
    if status.digest != content:
        return "its agent does not follow that yet"
    if synced is not None and synced.status is Truth.TRUE:
        return "its agent says that it is so"
    return f"its agent has not all of it{_why(synced)}"


def _why(condition: ClusterCondition | None) -> str:
    return f" ({condition.reason}: {condition.message})" if condition is not None else ""


def last_delivered(store: Store, cluster: str) -> tuple[str, str]:
    """The digest of the content that was last given to a simulated cluster, which lives in
    another process, and what is known of it."""
    status = _status(store, cluster)
    if status is None or not status.digest:
        return "", "simulated; nothing was delivered yet"
    there = f"{status.settled} of {status.wanted} objects were as declared"
    return status.digest, f"simulated; as last delivered, {there}"


def _status(store: Store, cluster: str) -> ClusterStatus | None:
    entry = store.get(STATUS, cluster)
    return entry.value if entry is not None else None

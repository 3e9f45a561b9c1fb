"""What each cluster's part is now: the record of the last step, and what is seen since."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from frota.model.rollout import (
    ClusterProgress,
    ClusterState,
    Progress,
    Rollout,
    RolloutFleet,
)

NOT_SEEN = "was not seen yet"


def members_in(rollout: Rollout, fleet: RolloutFleet) -> dict[str, ClusterProgress]:
    """The part of every member: those that joined since wait, those that left are dropped."""
    known = {part.cluster: part for part in rollout.clusters}
    return {
        member.cluster: known.get(
            member.cluster, ClusterProgress(member.cluster, "", since=rollout.began)
        )
        for member in fleet.members
    }


def seen(
    part: ClusterProgress, state: ClusterState | None, revision: str, *, healthy: bool, now: float
) -> ClusterProgress:
    """The part of a cluster that has begun, by what is known of it now. Done is what is
    seen to be there and (where ``healthy`` asks for it) well; nothing else is."""
    if state is None or not state.reachable:
        why = (state.message if state else "") or ("does not answer" if state else NOT_SEEN)
        return moved(part, Progress.UNREACHABLE, why, now)
    if state.failed:
        return moved(part, Progress.FAILED, state.message or "failed", now)
    if state.revision != revision:
        return moved(part, Progress.DELIVERING, state.message, now)
    if healthy and not state.healthy:
        return moved(part, Progress.DELIVERING, state.message or "is not healthy yet", now)
    return replace(moved(part, Progress.DONE, "", now), reached=True)


def moved(part: ClusterProgress, state: Progress, message: str, now: float) -> ClusterProgress:
    """A part in a state; ``since`` stays while the state does."""
    if (part.state, part.message) == (state, message):
        return part
    since = part.since if part.state is state else now
    return replace(part, state=state, message=message, since=since)


def skipped(rollout: Rollout) -> Mapping[str, str]:
    """The clusters that a person skipped, each with the reason given."""
    return {skip.cluster: skip.reason for skip in rollout.skips}


def all_in(parts: Iterable[ClusterProgress], *states: Progress) -> bool:
    """Whether every part is in one of these states."""
    return all(part.state in states for part in parts)

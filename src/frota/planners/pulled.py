"""How a cluster stands that is only heard of through the words of its agent. Pure.

Nobody proves those words: they say something of this cluster alone, and a cluster that is
lost harms no other by them.
"""

from __future__ import annotations

from collections.abc import Iterable

from frota.model.bundle import AgentStatus
from frota.model.clusterstatus import ClusterCondition, ConditionType, Truth

TELLS_EVERY_S = 60.0  # an agent says at least this often that it is there
UNKNOWN_AFTER = 1.5  # times that
UNREACHABLE_AFTER = 3.0  # times that: three heartbeats missed

_Said = tuple[Truth, str, str]


def pulled_conditions(
    said: AgentStatus | None,
    digest: str,
    before: Iterable[ClusterCondition],
    now: float,
    generation: int,
) -> tuple[ClusterCondition, ...]:
    """One condition of each type. ``digest`` is of the bundle that was published; ``said`` is
    None while the agent has said nothing. ``now`` is in seconds since 1970, as its ``at``."""
    old = {condition.type: condition for condition in before}
    found = []
    for kind, (truth, reason, message) in _say(said, digest, now).items():
        last = old.get(kind)
        since = last.since if last is not None and last.status is truth else now
        found.append(ClusterCondition(kind, truth, reason, message, since, generation))
    return tuple(found)


def holds(said: AgentStatus | None, digest: str) -> bool:
    """Whether the agent follows the bundle that was published."""
    return said is not None and bool(digest) and said.digest == digest


def _say(said: AgentStatus | None, digest: str, now: float) -> dict[ConditionType, _Said]:
    reach = _reachable(said, now)
    blind: _Said = (Truth.UNKNOWN, "NotHeard", reach[2])
    if said is None or reach[0] is Truth.FALSE:
        synced = degraded = blind
    else:
        synced, degraded = _synced(said, digest), _degraded(said, digest)
    stale = reach[0] is not Truth.TRUE
    return {
        ConditionType.REACHABLE: reach,
        ConditionType.SYNCED: synced,
        ConditionType.DRIFTED: (Truth.UNKNOWN, "NotTold", "its agent puts drift right itself"),
        ConditionType.DEGRADED: degraded,
        ConditionType.STALE: (
            (Truth.TRUE, "NotHeard", "what is shown is what was heard last")
            if stale
            else (Truth.FALSE, "UpToDate", "")
        ),
    }


def _reachable(said: AgentStatus | None, now: float) -> _Said:
    if said is None:
        return Truth.UNKNOWN, "NeverHeard", "its agent has said nothing yet"
    silent = now - said.at
    if silent >= UNREACHABLE_AFTER * TELLS_EVERY_S:
        return Truth.FALSE, "Unreachable", f"its agent was last heard {silent:.0f} s ago"
    if silent >= UNKNOWN_AFTER * TELLS_EVERY_S:
        return Truth.UNKNOWN, "Suspect", "its agent is late"
    return Truth.TRUE, "Heard", ""


def _synced(said: AgentStatus, digest: str) -> _Said:
    if said.refusal:
        return Truth.FALSE, "BundleRefused", f"{said.refusal}: {said.refused}"
    progress = said.progress
    if said.digest != digest or progress is None:
        return Truth.FALSE, "Progressing", said.trouble or "it has not fetched the newest yet"
    if progress.synced:
        return Truth.TRUE, "AsDeclared", ""
    return Truth.FALSE, "Progressing", progress.message


def _degraded(said: AgentStatus, digest: str) -> _Said:
    progress = said.progress
    if said.digest != digest or progress is None or progress.healthy is None:
        return Truth.UNKNOWN, "NotHeard", "it has not said how the newest does"
    if progress.healthy:
        return Truth.FALSE, "AllHealthy", ""
    return Truth.TRUE, "ObjectsFailed", progress.message

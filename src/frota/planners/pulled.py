"""How a cluster stands that is only heard of through the words of its agent. Pure.

Nobody proves those words: they say something of this cluster alone, and a cluster that is
lost harms no other by them.
"""

from __future__ import annotations

from collections.abc import Container, Iterable

from frota.model.bundle import AgentStatus, Progress
from frota.model.clusterstatus import ClusterCondition, ConditionType, Truth
from frota.model.deliveryplan import PruneApproval
from frota.model.release import HELD_MOST, HeldPrune
from frota.planners.delivery.pruning import held_name

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


def looked(said: AgentStatus | None, digest: str) -> Progress | None:
    """What the agent made of the bundle that was published; None before it looked at it."""
    progress = said.progress if said is not None and holds(said, digest) else None
    fits = progress is not None and progress.conditions and progress.revision.endswith(digest)
    return progress if fits else None


def held_back(
    progress: Progress | None, cluster: str, membership: str, wanted: Container[str]
) -> tuple[HeldPrune | None, str]:
    """The deletions that an agent holds back, and why they cannot be approved from here.

    The hash of an approval is taken anew over the names that a person is shown. The agent takes
    its own over what it holds: so an approval that was given for other names fits nothing.
    ``wanted`` are the names in the bundle: those cannot be deletions of it.
    """
    held = progress.held if progress is not None else None
    synced = progress.condition(ConditionType.SYNCED) if progress is not None else None
    if held is None or synced is None or synced.reason != "PruneHeld":
        return None, ""
    uids = held.approval.uids
    if held.count > HELD_MOST:
        most = f"more than {HELD_MOST} cannot be approved at once"
        return None, f"{held.count} deletions are held: {most}; declare a part of it again"
    found = held_name(cluster, membership, held.objects, uids)
    if found != held.approval.plan or any(name in wanted for name in held.objects):
        return None, "what its agent says of held deletions does not fit together"
    return held, ""


def used_up(progress: Progress | None, approval: PruneApproval) -> bool:
    """Whether an approval that the agent was given is not waited for any more."""
    synced = progress.condition(ConditionType.SYNCED) if progress is not None else None
    if progress is None or synced is None or synced.status is Truth.UNKNOWN:
        return False
    return progress.held is None or progress.held.approval.plan != approval.plan


def _say(said: AgentStatus | None, digest: str, now: float) -> dict[ConditionType, _Said]:
    reach = _reachable(said, now)
    blind: _Said = (Truth.UNKNOWN, "NotHeard", reach[2])
    stale = reach[0] is not Truth.TRUE
    found = {
        ConditionType.REACHABLE: reach,
        ConditionType.STALE: (
            (Truth.TRUE, "NotHeard", "what is shown is what was heard last")
            if stale
            else (Truth.FALSE, "UpToDate", "")
        ),
    }
    heard = said is not None and reach[0] is not Truth.FALSE
    progress = looked(said, digest) if heard else None
    for kind in (ConditionType.SYNCED, ConditionType.DRIFTED, ConditionType.DEGRADED):
        told = progress.condition(kind) if progress is not None else None
        found[kind] = (told.status, told.reason, told.message) if told is not None else blind
    if said is not None and heard and (said.refusal or progress is None):
        found[ConditionType.SYNCED] = _waiting(said)
    return found


def _reachable(said: AgentStatus | None, now: float) -> _Said:
    if said is None:
        return Truth.UNKNOWN, "NeverHeard", "its agent has said nothing yet"
    silent = now - said.at
    if silent >= UNREACHABLE_AFTER * TELLS_EVERY_S:
        return Truth.FALSE, "Unreachable", f"its agent was last heard {silent:.0f} s ago"
    if silent >= UNKNOWN_AFTER * TELLS_EVERY_S:
        return Truth.UNKNOWN, "Suspect", "its agent is late"
    own = said.progress.condition(ConditionType.REACHABLE) if said.progress is not None else None
    if own is not None and own.status is not Truth.TRUE:
        return own.status, own.reason, f"its agent sees no answer: {own.message}"
    return Truth.TRUE, "Heard", ""


def _waiting(said: AgentStatus) -> _Said:
    """Nothing is known of the bundle that was published, since it is not followed yet."""
    if said.refusal:
        return Truth.FALSE, "BundleRefused", f"{said.refusal}: {said.refused}"
    trouble = said.trouble or (said.progress.trouble if said.progress is not None else "")
    return Truth.FALSE, "Progressing", trouble or "it has not fetched the newest yet"

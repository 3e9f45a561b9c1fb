"""The conditions of one cluster: what is known of it, and what is not.

Nothing is said of a cluster that is not seen: all but Reachable and Stale are Unknown from
the moment it does not answer. The message then says what was last known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from frota.model.clusterstatus import (
    ClusterCondition,
    ClusterHealth,
    ConditionType,
    Truth,
)
from frota.model.delivery import ClusterView
from frota.model.deliveryplan import Action, DeliveryPlan, DeliveryPolicy, Item
from frota.planners.delivery.health import OPTIONAL_GROUPS, cluster_health
from frota.planners.delivery.wanted import Wanted

_NAMED_MOST = 3
# What is left without anything being wrong with what is declared.
_AT_REST = frozenset({"Altered", "WrittenOnce"})
_WAITED_FOR = frozenset({"AwaitsDefinition", "Deleting", "Ending", "NamespaceEnding", "Waits"})


@dataclass(frozen=True, slots=True)
class Standing:
    """All that conditions are made from. ``generation`` is that of the fleet that ``wanted``
    was compiled from, ``declared`` the newest there is. ``health`` None: look at the view."""

    view: ClusterView
    wanted: Wanted
    plan: DeliveryPlan
    policy: DeliveryPolicy
    generation: int
    declared: int
    health: ClusterHealth | None = None


@dataclass(frozen=True, slots=True)
class _Say:
    status: Truth
    reason: str
    message: str = ""


def cluster_conditions(
    standing: Standing, before: Iterable[ClusterCondition], now: float
) -> tuple[ClusterCondition, ...]:
    """One condition of each type, in order. ``since`` is kept while the status stays."""
    old = {condition.type: condition for condition in before}
    said: Mapping[ConditionType, _Say] = {
        ConditionType.REACHABLE: _reachable(standing, now),
        ConditionType.STALE: _stale(standing),
        **_seen(standing, old),
    }
    result = []
    for kind in ConditionType:
        say, last = said[kind], old.get(kind)
        kept = last is not None and last.status is say.status
        since = last.since if last is not None and kept else now
        # What is not known now speaks of the generation that it was last known of.
        blind = say.status is Truth.UNKNOWN and last is not None
        seen = last.observed_generation if last is not None and blind else standing.generation
        result.append(ClusterCondition(kind, say.status, say.reason, say.message, since, seen))
    return tuple(result)


def _reachable(standing: Standing, now: float) -> _Say:
    view, policy = standing.view, standing.policy
    if view.answers:
        return _Say(Truth.TRUE, "Answers")
    silent = now - view.last_seen
    error = f": {view.error}" if view.error else ""
    if silent >= policy.unreachable_after:
        return _Say(Truth.FALSE, "Unreachable", f"no answer{error}")
    return _Say(Truth.UNKNOWN, "Suspect", f"no answer just now{error}")


def _stale(standing: Standing) -> _Say:
    view = standing.view
    if not view.answers:
        return _Say(Truth.TRUE, "NotSeen", "what is shown is what was seen last")
    if not view.complete:
        return _Say(Truth.TRUE, "Looking", view.error or "not everything was listed yet")
    if standing.generation < standing.declared:
        message = f"holds generation {standing.generation}; declared is {standing.declared}"
        return _Say(Truth.TRUE, "HeldBack", message)
    return _Say(Truth.FALSE, "UpToDate")


def _seen(
    standing: Standing, old: Mapping[ConditionType, ClusterCondition]
) -> Mapping[ConditionType, _Say]:
    seen = standing.view.answers and standing.view.complete
    if seen and standing.plan.waits:
        say = _Say(Truth.UNKNOWN, "NothingReleased", standing.plan.waits)
        return {
            ConditionType.SYNCED: say,
            ConditionType.DRIFTED: say,
            ConditionType.DEGRADED: say,
        }
    if seen:
        health = standing.health or cluster_health(
            standing.wanted, standing.view, standing.policy.ran
        )
        return {
            ConditionType.SYNCED: _synced(standing.plan),
            ConditionType.DRIFTED: _drifted(standing.plan),
            ConditionType.DEGRADED: _degraded(health),
        }
    reason = "NotSeen" if not standing.view.answers else "Looking"
    unknown = {}
    for kind in (ConditionType.SYNCED, ConditionType.DRIFTED, ConditionType.DEGRADED):
        last = old.get(kind)
        message = ""
        if last is not None:
            known = last.status is not Truth.UNKNOWN
            message = f"was {last.status} ({last.reason})" if known else last.message
        unknown[kind] = _Say(Truth.UNKNOWN, reason, message)
    return unknown


def _synced(plan: DeliveryPlan) -> _Say:
    if plan.held is not None:
        keys = len(plan.held.keys)
        why = "; ".join(plan.held.reasons)
        return _Say(Truth.FALSE, "PruneHeld", f"{keys} deletions wait for an approval: {why}")
    stuck = [item for item in plan.items if _stuck(item)]
    if stuck:
        return _Say(Truth.FALSE, stuck[0].reason, _named(stuck))
    going = [item for item in plan.items if item.change is not None or item.reason in _WAITED_FOR]
    if going:
        return _Say(Truth.FALSE, "Progressing", _named(going))
    left = [item for item in plan.items if item.reason == "KindNotServed"]
    if left:
        return _Say(Truth.TRUE, "AsDeclared", f"left out: {_named(left)}")
    return _Say(Truth.TRUE, "AsDeclared")


def _stuck(item: Item) -> bool:
    if item.reason == "KindNotServed" and item.key.group in OPTIONAL_GROUPS:
        return False
    return item.action is Action.LEAVE and item.reason not in _AT_REST | _WAITED_FOR


def _drifted(plan: DeliveryPlan) -> _Say:
    drifts = plan.drifts
    if not drifts:
        return _Say(Truth.FALSE, "AsDelivered")
    reason = "Corrected" if all(item.change for item in drifts) else drifts[0].reason
    return _Say(Truth.TRUE, reason, _named(drifts))


def _degraded(health: ClusterHealth) -> _Say:
    failed = health.failed
    if failed:
        named = [f"{item.key}: {item.message}" for item in failed]
        return _Say(Truth.TRUE, "ObjectsFailed", _joined(named))
    if health.troubled or health.missing:
        named = [f"{item.key}: {item.message}" for item in health.troubled]
        named += [f"{key}: is not there" for key in health.missing]
        return _Say(Truth.FALSE, "Progressing", _joined(named))
    return _Say(Truth.FALSE, "AllHealthy")


def _named(items: Iterable[Item]) -> str:
    return _joined([f"{item.key}: {item.message}" for item in items])


def _joined(words: list[str]) -> str:
    more = len(words) - _NAMED_MOST
    return "; ".join(words[:_NAMED_MOST]) + (f"; and {more} more" if more > 0 else "")

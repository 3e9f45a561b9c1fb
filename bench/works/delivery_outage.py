"""An API server is killed, and comes back: when it is known."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial

from bench import members
from bench.clock import Limits
from bench.control import is_true, wait_for
from bench.figures import Figure
from bench.steady import Steady, steady
from frota.controllers.clusterrecords import condition_of
from frota.drivers.devfleet.shape import API_SERVER
from frota.model.clusterstatus import ConditionType
from frota.model.release import ClusterStatus

BAR_SUSPECT_S, BAR_UNREACHABLE_S, BAR_BACK_S = 3.0, 10.5, 2.0
KARMADA = "Karmada f8fdd02d: not Ready after {}, Ready again after {} (measured 2026-11-21)"
GONE, BACK = "30-40 s", "36-37 s"
_LATEST_S = 60.0


def figures(limits: Limits) -> Iterator[Figure]:
    """Of one of three members with 1,000 objects each; what is on record in the store counts.
    Unreachable is promised after 10 s, from the last answer. Back: from the first answer of
    /readyz to Reachable, Synced and not Stale. Nothing is sent meanwhile to the others: their
    objects keep their versions."""
    del limits
    if members.absent():
        yield Figure(members.absent(), None, "s")
        return
    peer = KARMADA.format(GONE, BACK)
    with steady() as fleet:
        before = [_revisions(fleet, name) for name in fleet.names[1:]]
        fleet.clusters[0].stop(API_SERVER)
        began = time.perf_counter()
        for reason, bar in (("Suspect", BAR_SUSPECT_S), ("Unreachable", BAR_UNREACHABLE_S)):
            took = _until(fleet, partial(_reachable, reason), began)
            yield Figure(f"killed to {reason}", took, "s", bar, peer=peer)
        fleet.clusters[0].start()
        wait_for(fleet.clusters[0].ready, "the API server to be ready", _LATEST_S)
        took = _until(fleet, _ready, time.perf_counter())
        yield Figure("answers to Ready again", took, "s", BAR_BACK_S, peer=peer)
        after = [_revisions(fleet, name) for name in fleet.names[1:]]
        moved = sum(one != other for one, other in zip(before, after, strict=True))
        yield Figure("other members that anything was sent to", moved, "members", 0)


def _until(fleet: Steady, what: Callable[[ClusterStatus], bool], began: float) -> float:
    name = fleet.names[0]
    wait_for(
        lambda: any(what(s) for s in fleet.frota.statuses() if s.cluster == name),
        "a status",
        _LATEST_S,
    )
    return time.perf_counter() - began


def _reachable(reason: str, status: ClusterStatus) -> bool:
    found = condition_of(status, ConditionType.REACHABLE)
    return found is not None and found.reason == reason


def _ready(status: ClusterStatus) -> bool:
    wanted = (ConditionType.REACHABLE, ConditionType.SYNCED)
    return all(is_true(status, kind) for kind in wanted) and not is_true(
        status, ConditionType.STALE
    )


def _revisions(fleet: Steady, name: str) -> dict[str, str]:
    cluster = next(cluster for cluster in fleet.clusters if cluster.name == name)
    return members.revisions(cluster)

"""The health of objects, by kind; in the way of sigs.k8s.io/cli-utils ``kstatus``.

A status counts only when it speaks of the present spec: ``observedGeneration`` behind
``generation`` is Progressing, whatever else it says. What an object shows is hostile input:
a status of a wrong form is Unknown, and nothing here raises.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from typing import Any

from frota.model.clusterstatus import ClusterHealth, Health, ObjectHealth
from frota.model.delivery import ClusterView
from frota.model.objects import Object, ObjectKey, key_of
from frota.planners.delivery.wanted import Wanted

_Answer = tuple[Health, str]
_WELL: _Answer = (Health.CURRENT, "")
_MESSAGE_MOST = 300
# What only watches the others: a cluster that does not know these kinds runs all the same.
OPTIONAL_GROUPS = frozenset({"monitoring.coreos.com"})


class HealthBook:
    """The health of the objects of one cluster, each worked out once for as long as it is the
    same object."""

    def __init__(self) -> None:
        self._known: dict[ObjectKey, tuple[Object, ObjectHealth]] = {}

    def of(self, key: ObjectKey, live: Object) -> ObjectHealth:
        """The health of an object."""
        known = self._known.get(key)
        if known is None or known[0] is not live:
            known = self._known[key] = (live, health(live))
        return known[1]

    def keep(self, keys: Mapping[ObjectKey, Object]) -> None:
        """Forget all others."""
        if len(self._known) > len(keys):
            self._known = {key: known for key, known in self._known.items() if key in keys}


def cluster_health(
    wanted: Wanted,
    view: ClusterView,
    ran: Container[ObjectKey] = (),
    book: HealthBook | None = None,
) -> ClusterHealth:
    """The health of everything that a cluster should have; ``ran`` need not be there.
    ``book``: of earlier looks."""
    book = book or HealthBook()
    current, troubled, missing = 0, [], []
    absent = {(kind.group, kind.kind) for kind in view.absent if kind.group in OPTIONAL_GROUPS}
    for key in wanted.objects:
        live = view.objects.get(key)
        if live is None:
            if (key.group, key.kind) not in absent and key not in ran:
                missing.append(key)
            continue
        found = book.of(key, live)
        if found.health is Health.CURRENT:
            current += 1
        else:
            troubled.append(found)
    book.keep(view.objects)
    return ClusterHealth(current, tuple(troubled), tuple(missing))


def health(item: Object) -> ObjectHealth:
    """The health of one object."""
    key = key_of(item)
    if item["metadata"].get("deletionTimestamp"):
        return ObjectHealth(key, Health.ENDING, "is being deleted")
    status = _mapping(item.get("status"))
    behind = _behind(item, status)
    if behind:
        return ObjectHealth(key, Health.PROGRESSING, behind)
    rule = _RULES.get((key.group, key.kind))
    state, message = rule(_mapping(item.get("spec")), status) if rule else _general(status)
    return ObjectHealth(key, state, message[:_MESSAGE_MOST])


def _behind(item: Object, status: Mapping[str, Any]) -> str:
    observed, generation = status.get("observedGeneration"), item["metadata"].get("generation")
    if isinstance(observed, int) and isinstance(generation, int) and observed < generation:
        return f"its controller has seen generation {observed} of {generation}"
    return ""


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _number(source: Mapping[str, Any], name: str, default: int = 0) -> int:
    value = source.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def _condition(status: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    listed = status.get("conditions")
    for item in listed if isinstance(listed, list) else ():
        if isinstance(item, Mapping) and item.get("type") == name:
            return item
    return {}


def _is(status: Mapping[str, Any], name: str, value: str = "True") -> bool:
    return _condition(status, name).get("status") == value


def _why(status: Mapping[str, Any], name: str) -> str:
    found = _condition(status, name)
    return str(found.get("message") or found.get("reason") or name)


def _general(status: Mapping[str, Any]) -> _Answer:
    """Kinds without a rule: what they say by the usual conditions, if anything."""
    if _is(status, "Stalled"):
        return Health.FAILED, _why(status, "Stalled")
    if _is(status, "Reconciling"):
        return Health.PROGRESSING, _why(status, "Reconciling")
    for name in ("Ready", "Available"):
        if _is(status, name, "False"):
            return Health.PROGRESSING, _why(status, name)
    return _WELL


def _deployment(spec: Mapping[str, Any], status: Mapping[str, Any]) -> _Answer:
    if _condition(status, "Progressing").get("reason") == "ProgressDeadlineExceeded":
        return Health.FAILED, _why(status, "Progressing")
    if _is(status, "ReplicaFailure"):
        return Health.FAILED, _why(status, "ReplicaFailure")
    if "observedGeneration" not in status:
        return Health.PROGRESSING, "its controller has not seen it yet"
    wanted = _number(spec, "replicas", 1)
    for name, words in (
        ("updatedReplicas", "are of the new version"),
        ("readyReplicas", "are ready"),
        ("availableReplicas", "are available"),
    ):
        if _number(status, name) < wanted:
            return Health.PROGRESSING, f"{_number(status, name)} of {wanted} {words}"
    if _number(status, "replicas") > _number(status, "updatedReplicas"):
        return Health.PROGRESSING, "pods of the old version are still there"
    return _WELL


def _stateful(spec: Mapping[str, Any], status: Mapping[str, Any]) -> _Answer:
    if "observedGeneration" not in status:
        return Health.PROGRESSING, "its controller has not seen it yet"
    wanted = _number(spec, "replicas", 1)
    if _number(status, "readyReplicas") < wanted:
        return Health.PROGRESSING, f"{_number(status, 'readyReplicas')} of {wanted} are ready"
    if status.get("updateRevision") != status.get("currentRevision"):
        return Health.PROGRESSING, "pods of the old version are still there"
    return _WELL


def _daemons(_spec: Mapping[str, Any], status: Mapping[str, Any]) -> _Answer:
    if "observedGeneration" not in status:
        return Health.PROGRESSING, "its controller has not seen it yet"
    wanted = _number(status, "desiredNumberScheduled")
    least = min(_number(status, "updatedNumberScheduled"), _number(status, "numberAvailable"))
    return _WELL if least >= wanted else (Health.PROGRESSING, f"{least} of {wanted} are ready")


def _job(_spec: Mapping[str, Any], status: Mapping[str, Any]) -> _Answer:
    """A job that runs, waits for its queue or is done does what it should."""
    if _is(status, "Failed") or _is(status, "FailureTarget"):
        return Health.FAILED, _why(status, "Failed") if _is(status, "Failed") else "is failing"
    return _WELL


def _leader_workers(spec: Mapping[str, Any], status: Mapping[str, Any]) -> _Answer:
    if not status:
        return Health.PROGRESSING, "its controller has not seen it yet"
    wanted = _number(spec, "replicas", 1)
    ready = min(_number(status, "readyReplicas"), _number(status, "updatedReplicas"))
    if ready < wanted:
        return Health.PROGRESSING, f"{ready} of {wanted} groups are ready"
    if _is(status, "Available", "False"):
        return Health.PROGRESSING, _why(status, "Available")
    return _WELL


def _claim(_spec: Mapping[str, Any], status: Mapping[str, Any]) -> _Answer:
    phase = status.get("phase")
    if phase == "Bound":
        return _WELL
    if phase == "Lost":
        return Health.FAILED, "its volume is lost"
    return Health.PROGRESSING, "is not bound to a volume (some wait for their first pod)"


def _namespace(_spec: Mapping[str, Any], status: Mapping[str, Any]) -> _Answer:
    return (Health.ENDING, "is being deleted") if status.get("phase") == "Terminating" else _WELL


def _definition(_spec: Mapping[str, Any], status: Mapping[str, Any]) -> _Answer:
    if _is(status, "NamesAccepted", "False"):
        return Health.FAILED, _why(status, "NamesAccepted")
    if not _is(status, "Established"):
        return Health.PROGRESSING, "is not served yet"
    return _WELL


def _budget(_spec: Mapping[str, Any], status: Mapping[str, Any]) -> _Answer:
    if _number(status, "currentHealthy") < _number(status, "desiredHealthy"):
        have, need = _number(status, "currentHealthy"), _number(status, "desiredHealthy")
        return Health.PROGRESSING, f"{have} of {need} pods that must be there are healthy"
    return _WELL


def _scaler(_spec: Mapping[str, Any], status: Mapping[str, Any]) -> _Answer:
    if _is(status, "AbleToScale", "False"):
        return Health.FAILED, _why(status, "AbleToScale")
    return _WELL


def _service(spec: Mapping[str, Any], status: Mapping[str, Any]) -> _Answer:
    if spec.get("type") == "LoadBalancer" and not _mapping(status.get("loadBalancer")).get(
        "ingress"
    ):
        return Health.PROGRESSING, "has no address yet"
    return _WELL


_RULES: Mapping[tuple[str, str], Callable[[Mapping[str, Any], Mapping[str, Any]], _Answer]] = {
    ("apps", "Deployment"): _deployment,
    ("apps", "StatefulSet"): _stateful,
    ("apps", "DaemonSet"): _daemons,
    ("batch", "Job"): _job,
    ("jobset.x-k8s.io", "JobSet"): _job,
    ("leaderworkerset.x-k8s.io", "LeaderWorkerSet"): _leader_workers,
    ("", "PersistentVolumeClaim"): _claim,
    ("", "Namespace"): _namespace,
    ("", "Service"): _service,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _definition,
    ("policy", "PodDisruptionBudget"): _budget,
    ("autoscaling", "HorizontalPodAutoscaler"): _scaler,
}

"""Where workloads of a fleet run, from the documents alone: for rules and for compilers.

All functions take normalised documents, or what people wrote instead; what is missing or
has not the right form fits nothing and limits nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from frota.resources.findings import at, entries, number, size, text

WORKLOADS = ("InferenceService", "TrainingJob")
_FUNCTION = {"InferenceService": "inference", "TrainingJob": "training"}


def function_of(workload: Any) -> str:
    """The function of the clusters that a workload runs in."""
    own = text(workload, "spec", "placement", "function")
    return own or _FUNCTION.get(text(workload, "kind"), "")


def fits(workload: Any, name: str, cluster: Any) -> bool:
    """Whether a cluster, called ``name``, is one of those that a workload asks for."""
    if text(cluster, "spec", "function") != function_of(workload):
        return False
    placement = at(workload, "spec", "placement")
    has = (
        ("clusters", name),
        ("environments", text(cluster, "spec", "environment")),
        ("regions", text(cluster, "spec", "region")),
    )
    for field, word in has:
        wanted = at(placement, field)
        if isinstance(wanted, list) and wanted and word not in wanted:
            return False
    return True


def in_environment(service: Any, environment: str) -> dict[str, Any]:
    """The spec of a service as it is in one environment. So many replicas there are not
    scaled as elsewhere."""
    spec = at(service, "spec")
    base: dict[str, Any] = dict(spec) if isinstance(spec, dict) else {}
    found = at(base, "byEnvironment", environment)
    base.pop("byEnvironment", None)
    other = {key: value for key, value in (found or {}).items() if value is not None}
    if "args" in other and isinstance(base.get("runtime"), dict):
        base["runtime"] = base["runtime"] | {"args": other.pop("args")}
    if "replicas" in other:
        base.pop("scaling", None)
    return base | other


def namespace_of(team: Any, function: str) -> str:
    """The namespace of a team in clusters of a function."""
    own = text(team, "spec", "namespaces", function)
    return own or f"{text(team, 'metadata', 'name')}-{function}"


def quota_of(team: Any, name: str, cluster: Any) -> tuple[int, dict[str, Any]] | None:
    """The quota of a team in the cluster ``name``, and which of its list: the first that
    fits. None: no limit."""
    for index, (_, quota) in enumerate(entries(team, "spec", "quotas")):
        asked = (
            (text(quota, "cluster"), name),
            (text(quota, "environment"), text(cluster, "spec", "environment")),
            (text(quota, "function"), text(cluster, "spec", "function")),
        )
        if all(not word or word == own for word, own in asked):
            return index, quota
    return None


def asks_for(spec: Mapping[str, Any], pods: int) -> dict[str, int]:
    """What so many pods of a workload ask for: gpus, cpus, memory (bytes), pods."""
    gpu = at(spec, "resources", "gpu")
    gpus = (number(gpu, "count") or 1) if isinstance(gpu, dict) else 0
    return {
        "gpus": pods * gpus,
        "cpus": pods * (number(spec, "resources", "cpus") or 0),
        "memory": pods * (size(spec, "resources", "memory") or 0),
        "pods": pods,
    }


def pods_most(spec: Mapping[str, Any]) -> int:
    """The most pods of a service in one cluster, as its spec is in one environment."""
    replicas = number(spec, "scaling", "max") or number(spec, "replicas")
    return (1 if replicas is None else replicas) * (number(spec, "nodesPerReplica") or 1)

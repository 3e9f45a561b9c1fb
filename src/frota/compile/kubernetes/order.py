"""In which order objects are written, and which of them need more than plain Kubernetes."""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType

from frota.model.objects import Object, key_of

# What must be there before what: definitions, the namespaces that hold the rest, the set's
# parent (KEP-3659 wants it before its members), who may do what, what is forbidden,
# settings, and last what runs under all of that.
_DEFINITIONS, _NAMESPACES, PARENT, _IDENTITIES, _BINDINGS, _POLICIES, _CONFIG, _WORKLOADS = range(8)
_RANKS = MappingProxyType(
    {
        "CustomResourceDefinition": _DEFINITIONS,
        "Namespace": _NAMESPACES,
        "ServiceAccount": _IDENTITIES,
        "ClusterRole": _IDENTITIES,
        "Role": _IDENTITIES,
        "ClusterRoleBinding": _BINDINGS,
        "RoleBinding": _BINDINGS,
        "NetworkPolicy": _POLICIES,
        "ResourceQuota": _POLICIES,
        "LimitRange": _POLICIES,
        "PriorityClass": _POLICIES,
        "ValidatingAdmissionPolicy": _POLICIES,
        "ValidatingAdmissionPolicyBinding": _POLICIES,
        "ConfigMap": _CONFIG,
        "PersistentVolumeClaim": _CONFIG,
        "ResourceFlavor": _CONFIG,
        "ClusterQueue": _CONFIG,
        "LocalQueue": _CONFIG,
        "PodMonitor": _CONFIG,
        "PrometheusRule": _CONFIG,
    }
)
_PARENT_LABEL = "applyset.kubernetes.io/id"

EXTENSIONS = MappingProxyType(
    {
        "kueue.x-k8s.io": "Kueue",
        "jobset.x-k8s.io": "JobSet",
        "leaderworkerset.x-k8s.io": "LeaderWorkerSet",
        "monitoring.coreos.com": "Prometheus Operator",
    }
)


def extension_of(group: str) -> str:
    """The project that a cluster must have installed to know an API group; empty for
    Kubernetes itself."""
    return EXTENSIONS.get(group, "")


def batches(objects: Iterable[Object]) -> tuple[tuple[Object, ...], ...]:
    """Objects in the order in which they are written. What is in one batch does not wait
    for one another; kinds that are not known here come last, as workloads do."""
    sorted_objects = sorted(objects, key=lambda item: (rank(item), key_of(item)))
    found: dict[int, list[Object]] = {}
    for item in sorted_objects:
        found.setdefault(rank(item), []).append(item)
    return tuple(tuple(group) for group in found.values())


def rank(item: Object) -> int:
    """When the turn of an object is: those of the lowest rank are written first."""
    if _PARENT_LABEL in item["metadata"].get("labels", {}):
        return PARENT
    return _RANKS.get(item["kind"], _WORKLOADS)

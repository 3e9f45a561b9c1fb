"""Three real API servers, each with its etcd and nothing else, for the time of one work."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from frota.drivers.devfleet.cluster import Cluster
from frota.drivers.devfleet.definitions import load
from frota.drivers.devfleet.fleet import Fleet
from frota.drivers.devfleet.programs import missing
from frota.drivers.devfleet.shape import Shape
from frota.model.objects import MEMBERSHIP_LABEL

CLUSTERS = 3
_OURS = f"labelSelector={MEMBERSHIP_LABEL}"
_BARE = Shape(optional=(), nodes=0)
# Enough of the Prometheus operator that its objects are kept; nothing reads them.
_KINDS = {"PodMonitor": "podmonitors", "PrometheusRule": "prometheusrules"}
_GROUP = "monitoring.coreos.com"
_LISTS = (
    *(f"/api/v1/{kind}" for kind in (
        "namespaces", "configmaps", "services", "serviceaccounts", "limitranges", "resourcequotas",
    )),
    "/apis/apps/v1/deployments",
    "/apis/autoscaling/v2/horizontalpodautoscalers",
    "/apis/policy/v1/poddisruptionbudgets",
    "/apis/networking.k8s.io/v1/networkpolicies",
    "/apis/scheduling.k8s.io/v1/priorityclasses",
    *(f"/apis/rbac.authorization.k8s.io/v1/{kind}" for kind in ("clusterroles", "rolebindings")),
    *(f"/apis/admissionregistration.k8s.io/v1/{kind}" for kind in (
        "validatingadmissionpolicies", "validatingadmissionpolicybindings",
    )),
    *(f"/apis/{_GROUP}/v1/{many}" for many in _KINDS.values()),
)  # fmt: skip


def absent() -> str:
    """Why there can be no API servers here; empty when there can."""
    lacking = missing(_BARE.needs)
    return f"not on this machine: {', '.join(lacking)}; run tools/kube/setup.sh" if lacking else ""


@contextmanager
def members(clusters: int = CLUSTERS) -> Iterator[list[Cluster]]:
    """Fresh ones, ready; gone afterwards whatever happened."""
    with tempfile.TemporaryDirectory(prefix="frota-bench-fleet-") as folder:
        fleet = Fleet(Path(folder) / "fleet")
        try:
            found = fleet.up(clusters, _BARE)
            for cluster in found:
                load(cluster.api(), [_definition(kind, many) for kind, many in _KINDS.items()])
            yield found
        finally:
            fleet.down()


def _definition(kind: str, many: str) -> dict[str, Any]:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{many}.{_GROUP}"},
        "spec": {
            "group": _GROUP,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": many},
            "versions": [{**version, "schema": {"openAPIV3Schema": schema}}],
        },
    }


def count(cluster: Cluster) -> int:
    """How many of Frota's objects the API server itself has."""
    return len(revisions(cluster))


def revisions(cluster: Cluster) -> dict[str, str]:
    """The version of each of Frota's objects, by uid."""
    api = cluster.api()
    return {
        item["metadata"]["uid"]: item["metadata"]["resourceVersion"]
        for path in _LISTS
        for item in api.get(f"{path}?{_OURS}")["items"]
    }

"""The short form in which scenarios declare hosts and sets, and the documents it means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from frota.resources.cluster import Cluster
from frota.resources.hostgroup import HostGroup
from frota.simulation.scenario import CLUSTER, GROUP, Document

API_VERSION = "frota.dev/v1alpha1"
FENCE_AGENT = "fence_twin"
_CAPACITY = ("memory", "cpus", "vms")
_SET_SIZE = ("memory", "cpus")
_SET_PLAIN = ("count", "priority", "mobility")
_DEFAULT_CONTROL_PLANE = {"count": 1, "memory": "2Gi", "cpus": 1}


def gpu_list(gpus: Mapping[str, int]) -> list[dict[str, Any]]:
    """``{A100: 4}`` as the list that a HostGroup holds."""
    return [{"model": model, "count": count} for model, count in sorted(gpus.items())]


def host_document(name: str, short: Mapping[str, Any]) -> dict[str, Any]:
    """One host: ``{memory, cpus, vms, gpus, rack, fence}`` as a HostGroup declares it."""
    capacity = {key: short[key] for key in _CAPACITY if key in short}
    if short.get("gpus"):
        capacity["gpus"] = gpu_list(short["gpus"])
    host: dict[str, Any] = {"name": name, "capacity": capacity}
    if "rack" in short:
        host["rack"] = short["rack"]
    if short.get("fence", "works") != "absent":
        host["fence"] = [{"agent": FENCE_AGENT}]
    return host


def role_document(short: Mapping[str, Any]) -> dict[str, Any]:
    """One set: ``{count, memory, cpus, gpus, priority, mobility, levels, adopt}``."""
    role: dict[str, Any] = {key: short[key] for key in _SET_PLAIN if key in short}
    role["vmSize"] = {key: short[key] for key in _SET_SIZE if key in short}
    if short.get("gpus"):
        ((model, count),) = short["gpus"].items()
        role["gpu"] = {"model": model, "count": count}
    spread: dict[str, Any] = {}
    if "levels" in short:
        spread["levels"] = list(short["levels"])
    if "adopt" in short:
        spread["adoptNewDomains"] = short["adopt"]
    if spread:
        role["availabilitySet"] = spread
    return role


def group_document(hosts: Sequence[Mapping[str, Any]], spec: Mapping[str, Any]) -> dict[str, Any]:
    """The HostGroup; ``spec`` holds any of its fields but hosts."""
    racks = sorted({host["rack"] for host in hosts if "rack" in host})
    return {
        "apiVersion": API_VERSION,
        "kind": "HostGroup",
        "metadata": {"name": GROUP},
        "spec": {
            "provider": "twin",
            "racks": [{"name": rack} for rack in racks],
            "hosts": list(hosts),
            **spec,
        },
    }


def cluster_document(
    control_plane: Mapping[str, Any] | None, pools: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """The Cluster; without a control plane of its own it gets a small one."""
    control = role_document(control_plane or _DEFAULT_CONTROL_PLANE)
    control.pop("mobility", None)
    return {
        "apiVersion": API_VERSION,
        "kind": "Cluster",
        "metadata": {"name": CLUSTER},
        "spec": {
            "provider": "twin",
            "hostGroup": GROUP,
            "controlPlane": control,
            "nodePools": [{"name": name, **role_document(pool)} for name, pool in pools.items()],
        },
    }


def normal(document: Mapping[str, Any]) -> Document:
    """A document with every default filled in, as it is stored when it is applied.

    Raises ``pydantic.ValidationError``.
    """
    kind = HostGroup if document["kind"] == "HostGroup" else Cluster
    checked = kind.model_validate(document)
    return checked.model_dump(mode="json", by_alias=True, exclude_none=True)

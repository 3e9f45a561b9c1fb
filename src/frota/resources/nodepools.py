"""The machines of a Cluster: its control plane and its pools of worker nodes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from frota.resources.fields import (
    RESOURCE_PATTERN,
    Disk,
    GpuModel,
    LabelKey,
    LabelValue,
    Memory,
    Name,
    Strict,
)

Mobility = Literal["live", "cold", "pinned"]
Priority = Annotated[int, Field(ge=-1_000_000_000, le=1_000_000_000)]
GpuResource = Annotated[str, Field(pattern=RESOURCE_PATTERN, max_length=317)]

GPU_RESOURCE = "nvidia.com/gpu"


class VmSize(Strict):
    """What one VM gets."""

    memory: Memory = Field(description="Memory, in whole Mi.", examples=["8Gi"])
    cpus: int = Field(description="Virtual CPUs.", ge=1, le=4096, examples=[4])
    disk: Disk | None = Field(
        default=None,
        description="Its disk, in whole Gi. Left out: as large as the image.",
        examples=["40Gi"],
    )


class Gpu(Strict):
    """GPUs of each node. A VM gets them for itself (PCI passthrough)."""

    model: GpuModel = Field(
        description="The model, as the hosts and the workloads name it.", examples=["A100"]
    )
    count: int = Field(default=1, description="How many for each node.", ge=1, le=64, examples=[2])
    resource: GpuResource = Field(
        default=GPU_RESOURCE,
        description="The name under which Kubernetes counts them.",
        examples=["nvidia.com/mig-1g.10gb"],
    )


class SpreadOptions(Strict):
    """How the availability set of a role spreads its VMs."""

    levels: list[Literal["rack", "host"]] = Field(
        default=["host"],
        description="What must not be shared, from coarse to fine: [host], [rack] or "
        "[rack, host]. A set keeps its levels until it is redeployed.",
        min_length=1,
        max_length=2,
        examples=[["rack", "host"]],
    )
    adopt_new_domains: bool = Field(
        default=False,
        description="Whether VMs move to hosts and racks that were added after them.",
        examples=[True],
    )


class ControlPlane(Strict):
    """The VMs of the control plane."""

    count: Literal[1, 3, 5] = Field(
        description="How many: odd, so that a majority survives.", examples=[3]
    )
    vm_size: VmSize = Field(
        description="What each VM gets.", examples=[{"memory": "8Gi", "cpus": 4, "disk": "40Gi"}]
    )
    priority: Priority = Field(
        default=1000,
        description="Who starts first when room is short: the higher.",
        examples=[2000],
    )
    mobility: Mobility = Field(
        default="live",
        description="live: may migrate; cold: may be stopped and started elsewhere; pinned: stays.",
        examples=["cold"],
    )
    availability_set: SpreadOptions = Field(
        default=SpreadOptions(),
        description="How its VMs are spread.",
        examples=[{"levels": ["rack", "host"]}],
    )


class Taint(Strict):
    """A mark that keeps pods away that do not tolerate it."""

    key: LabelKey = Field(description="Its key.", examples=["sku"])
    value: LabelValue = Field(default="", description="Its value.", examples=["gpu"])
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] = Field(
        default="NoSchedule",
        description="What it does to pods that do not tolerate it.",
        examples=["NoExecute"],
    )


def _priority(earlier: dict[str, Any]) -> int | None:
    return 0 if earlier.get("vm_size") else None


def _mobility(earlier: dict[str, Any]) -> Mobility | None:
    if not earlier.get("vm_size"):
        return None
    return "pinned" if earlier.get("gpu") else "live"


def _spread(earlier: dict[str, Any]) -> SpreadOptions | None:
    return SpreadOptions() if earlier.get("vm_size") else None


class NodePool(Strict):
    """Worker nodes of one sort. Where Frota runs the VMs, count and vmSize are needed; of
    other clusters a pool says what workloads may count on."""

    name: Name = Field(
        description="The pool's name; control-plane and cp are taken.", examples=["gpu"]
    )
    count: int | None = Field(
        default=None,
        description="How many nodes. Required where the nodes are VMs on a host group; "
        "elsewhere left out: as many as there are.",
        ge=0,
        le=10_000,
        examples=[4],
    )
    vm_size: VmSize | None = Field(
        default=None,
        description="What each VM gets. Required where the nodes are VMs on a host group, "
        "refused elsewhere.",
        examples=[{"memory": "64Gi", "cpus": 16}],
    )
    gpu: Gpu | None = Field(
        default=None,
        description="GPUs of each node. Left out: none.",
        examples=[{"model": "A100", "count": 1}],
    )
    labels: dict[LabelKey, LabelValue] = Field(
        default={},
        description="Labels by which its nodes are found. Left out: any node with what a "
        "workload asks for.",
        examples=[{"agentpool": "gpu"}],
    )
    taints: list[Taint] = Field(
        default=[],
        description="Taints on its nodes; workloads in this pool tolerate them.",
        max_length=64,
        examples=[[{"key": "sku", "value": "gpu", "effect": "NoSchedule"}]],
    )
    spot: bool = Field(
        default=False,
        description="Whether its nodes may be taken away at any time.",
        examples=[True],
    )
    priority: Priority | None = Field(
        default_factory=_priority,
        description="Of VMs: who starts first when room is short: the higher. Left out: 0.",
        examples=[100],
    )
    mobility: Mobility | None = Field(
        default_factory=_mobility,
        description="live: may migrate; cold: may be stopped and started elsewhere; pinned: stays. "
        "Left out: live, or pinned for a pool with GPUs, which cannot migrate live.",
        examples=["cold"],
    )
    availability_set: SpreadOptions | None = Field(
        default_factory=_spread,
        description="How its VMs are spread.",
        examples=[{"levels": ["host"]}],
    )

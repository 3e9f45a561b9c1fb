"""Cluster: one Kubernetes cluster whose nodes are VMs (docs/kinds/Cluster.md)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from frota.resources.fields import (
    NETWORK_PATTERN,
    AbsolutePath,
    Disk,
    GpuModel,
    Line,
    Memory,
    Metadata,
    Name,
    Strict,
    by_key,
)
from frota.resources.hostgroup import Provider

Mobility = Literal["live", "cold", "pinned"]
Priority = Annotated[int, Field(ge=-1_000_000_000, le=1_000_000_000)]


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
    """GPUs that each VM gets for itself (PCI passthrough)."""

    model: GpuModel = Field(description="The model, as the hosts name it.", examples=["A100"])
    count: int = Field(default=1, description="How many for each VM.", ge=1, le=64, examples=[2])


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


def _mobility(earlier: dict[str, Any]) -> Mobility:
    return "pinned" if earlier.get("gpu") else "live"


class NodePool(Strict):
    """Worker VMs of one size."""

    name: Name = Field(
        description="The pool's name; control-plane and cp are taken.", examples=["gpu"]
    )
    count: int = Field(description="How many VMs.", ge=0, le=10_000, examples=[4])
    vm_size: VmSize = Field(
        description="What each VM gets.", examples=[{"memory": "64Gi", "cpus": 16}]
    )
    gpu: Gpu | None = Field(
        default=None,
        description="GPUs of each VM. Left out: none.",
        examples=[{"model": "A100", "count": 1}],
    )
    priority: Priority = Field(
        default=0,
        description="Who starts first when room is short: the higher.",
        examples=[100],
    )
    mobility: Mobility = Field(
        default_factory=_mobility,
        description="live: may migrate; cold: may be stopped and started elsewhere; pinned: stays. "
        "Left out: live, or pinned for a pool with GPUs, which cannot migrate live.",
        examples=["cold"],
    )
    availability_set: SpreadOptions = Field(
        default=SpreadOptions(),
        description="How its VMs are spread.",
        examples=[{"levels": ["host"]}],
    )


class CloudInit(Strict):
    """First-boot settings of a VM (cloud-init, NoCloud)."""

    user_data: Annotated[str, Field(max_length=262_144)] = Field(
        description="The user data. ${vm}, ${cluster}, ${role} and ${index} are filled in.",
        examples=["#cloud-config\nhostname: ${vm}\n"],
    )


class VmTemplate(Strict):
    """How a VM is built (libvirt). The twin takes no notice of it."""

    image: AbsolutePath | None = Field(
        default=None,
        description="The qcow2 image that disks are laid over. Left out: no disk.",
        examples=["/srv/frota/images/node.qcow2"],
    )
    network: Annotated[str, Field(pattern=NETWORK_PATTERN, max_length=63)] | None = Field(
        default=None,
        description="A libvirt network, or bridge:NAME. Left out: no network.",
        examples=["bridge:br0"],
    )
    accelerator: Literal["kvm", "qemu"] = Field(
        default="kvm", description="kvm, or qemu for emulation in software.", examples=["qemu"]
    )
    kernel: AbsolutePath | None = Field(
        default=None,
        description="A kernel to boot directly. Left out: the disk boots.",
        examples=["/srv/frota/images/vmlinuz"],
    )
    initrd: AbsolutePath | None = Field(
        default=None,
        description="The initial RAM disk that goes with kernel.",
        examples=["/srv/frota/images/initrd.img"],
    )
    cmdline: Line | None = Field(
        default=None,
        description="The command line that goes with kernel.",
        examples=["console=ttyS0"],
    )
    cloud_init: CloudInit | None = Field(
        default=None,
        description="First-boot settings. Left out: none.",
        examples=[{"userData": "#cloud-config\n"}],
    )


class ClusterSpec(Strict):
    """What a Cluster declares."""

    provider: Provider = Field(
        description="libvirt or twin, the same as its host group's. Never changes.",
        examples=["twin"],
    )
    host_group: Name = Field(
        description="The HostGroup whose hosts run the VMs. Never changes.", examples=["plant-east"]
    )
    function: Literal["training", "inference", "experimentation"] | None = Field(
        default=None, description="What the cluster is for.", examples=["inference"]
    )
    environment: Literal["dev", "staging", "prod"] | None = Field(
        default=None, description="How serious it is.", examples=["prod"]
    )
    control_plane: ControlPlane = Field(
        description="The VMs of the control plane.",
        examples=[{"count": 3, "vmSize": {"memory": "8Gi", "cpus": 4}}],
    )
    node_pools: list[NodePool] = Field(
        default=[],
        description="The pools of worker VMs.",
        max_length=1000,
        json_schema_extra=by_key("name"),
        examples=[[{"name": "web", "count": 4, "vmSize": {"memory": "16Gi", "cpus": 4}}]],
    )
    template: VmTemplate | None = Field(
        default=None,
        description="How a VM is built. Required with libvirt.",
        examples=[{"image": "/srv/frota/images/node.qcow2", "network": "default"}],
    )


class Cluster(Strict):
    """A Kubernetes cluster on VMs: its control plane, its node pools, one set for each."""

    api_version: Literal["frota.dev/v1alpha1"] = Field(
        description="The version of this form.", examples=["frota.dev/v1alpha1"]
    )
    kind: Literal["Cluster"] = Field(description="The kind.", examples=["Cluster"])
    metadata: Metadata = Field(description="Name and labels.", examples=[{"name": "east"}])
    spec: ClusterSpec = Field(
        description="What is wanted.",
        examples=[{"provider": "twin", "hostGroup": "plant-east"}],
    )

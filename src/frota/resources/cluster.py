"""Cluster: one Kubernetes cluster, on VMs that Frota runs or anywhere else
(docs/kinds/Cluster.md)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from frota.resources.fields import (
    HTTPS_PATTERN,
    NETWORK_PATTERN,
    UUID_PATTERN,
    AbsolutePath,
    LabelKey,
    LabelValue,
    Line,
    Metadata,
    Name,
    Strict,
    by_key,
)
from frota.resources.nodepools import ControlPlane, NodePool

Function = Literal["training", "inference", "experimentation"]
EnvironmentName = Literal["dev", "staging", "prod"]


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


class Kubeconfig(Strict):
    """How the cluster's API server is reached."""

    path: AbsolutePath = Field(
        description="The kubeconfig file, on the machine where Frota runs.",
        examples=["/etc/frota/kubeconfig"],
    )
    context: Line | None = Field(
        default=None,
        description="The context in it. Left out: its current one.",
        examples=["east-prod"],
    )


class Identity(Strict):
    """The workload identity of this one cluster; no other cluster has it."""

    client_id: Annotated[str, Field(pattern=UUID_PATTERN, max_length=36)] = Field(
        description="The client id that service accounts of the workloads are given.",
        examples=["11111111-2222-3333-4444-555555555555"],
    )
    issuer: Annotated[str, Field(pattern=HTTPS_PATTERN, max_length=1024)] | None = Field(
        default=None,
        description="The cluster's own issuer of service account tokens.",
        examples=["https://oidc.example/east-prod/"],
    )


class Prometheus(Strict):
    """Where Frota asks for metrics of this cluster."""

    url: Annotated[
        str, Field(pattern=r"^https://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[^\s?#@]*)?$", max_length=1024)
    ] = Field(
        description="The address to which `/api/v1/query` is added, as Frota reaches it.",
        examples=["https://prometheus.east-prod.internal:9090"],
    )
    ca: AbsolutePath | None = Field(
        default=None,
        description="The file of the CA that its certificate is checked against, in PEM. "
        "Left out: the CAs of the machine where Frota runs.",
        examples=["/etc/frota/metrics-ca.pem"],
    )
    token_file: AbsolutePath | None = Field(
        default=None,
        description="The file of a bearer token. It is read anew for each question.",
        examples=["/run/frota/metrics-token"],
    )


class Telemetry(Strict):
    """Who reads metrics in this cluster, and where they are read from."""

    namespace: Name = Field(
        default="monitoring",
        description="The namespace from which metrics are scraped.",
        examples=["kube-system"],
    )
    prometheus: Prometheus | None = Field(
        default=None,
        description="Where the burn rates of objectives are asked for: a rollout waits in this "
        "cluster until each is below 1. Left out: no rollout waits for them.",
        examples=[{"url": "https://prometheus.east-prod.internal:9090"}],
    )


class Dns(Strict):
    """Who answers DNS in this cluster."""

    namespace: Name = Field(
        default="kube-system", description="Its namespace.", examples=["kube-system"]
    )
    labels: dict[LabelKey, LabelValue] = Field(
        default={"k8s-app": "kube-dns"},
        description="The labels of its pods.",
        examples=[{"k8s-app": "kube-dns"}],
    )


class ClusterSpec(Strict):
    """What a Cluster declares."""

    provider: Literal["libvirt", "twin", "kubeconfig"] = Field(
        description="libvirt: Frota runs its VMs; kubeconfig: it is there already; twin: "
        "simulated, with VMs on simulated hosts, or without a hostGroup as an API server "
        "alone. Never changes.",
        examples=["twin"],
    )
    fleet: Name | None = Field(
        default=None,
        description="The Fleet it is a member of. Required with kubeconfig.",
        examples=["acme"],
    )
    host_group: Name | None = Field(
        default=None,
        description="The HostGroup whose hosts run the VMs. Required with libvirt. Never changes.",
        examples=["plant-east"],
    )
    function: Function | None = Field(
        default=None,
        description="What the cluster is for. Required in a fleet.",
        examples=["inference"],
    )
    environment: EnvironmentName | None = Field(
        default=None,
        description="How serious it is. Required in a fleet.",
        examples=["prod"],
    )
    region: Name | None = Field(
        default=None,
        description="Where it is: a region of its fleet. Required where the fleet has regions.",
        examples=["east"],
    )
    kubeconfig: Kubeconfig | None = Field(
        default=None,
        description="How its API server is reached. Required with kubeconfig and delivery push.",
        examples=[{"path": "/etc/frota/kubeconfig", "context": "east-prod"}],
    )
    delivery: Literal["push", "pull"] = Field(
        default="push",
        description="push: Frota writes to its API server; pull: an agent in it fetches "
        "signed bundles, and nobody else holds its credentials.",
        examples=["pull"],
    )
    control_plane: ControlPlane | None = Field(
        default=None,
        description="The VMs of the control plane. Required with a hostGroup.",
        examples=[{"count": 3, "vmSize": {"memory": "8Gi", "cpus": 4}}],
    )
    node_pools: list[NodePool] = Field(
        default=[],
        description="The pools of worker nodes.",
        max_length=1000,
        json_schema_extra=by_key("name"),
        examples=[[{"name": "web", "count": 4, "vmSize": {"memory": "16Gi", "cpus": 4}}]],
    )
    template: VmTemplate | None = Field(
        default=None,
        description="How a VM is built. Required with libvirt.",
        examples=[{"image": "/srv/frota/images/node.qcow2", "network": "default"}],
    )
    identity: Identity | None = Field(
        default=None,
        description="The workload identity of this cluster. Left out: its workloads have none.",
        examples=[{"clientId": "11111111-2222-3333-4444-555555555555"}],
    )
    telemetry: Telemetry = Field(
        default=Telemetry(),
        description="Who reads metrics in this cluster.",
        examples=[{"namespace": "kube-system"}],
    )
    dns: Dns = Field(
        default=Dns(),
        description="Who answers DNS in this cluster.",
        examples=[{"namespace": "kube-system", "labels": {"k8s-app": "kube-dns"}}],
    )


class Cluster(Strict):
    """A Kubernetes cluster: a member of a fleet, or VMs on a host group, or both."""

    api_version: Literal["frota.dev/v1alpha1"] = Field(
        description="The version of this form.", examples=["frota.dev/v1alpha1"]
    )
    kind: Literal["Cluster"] = Field(description="The kind.", examples=["Cluster"])
    metadata: Metadata = Field(description="Name and labels.", examples=[{"name": "east"}])
    spec: ClusterSpec = Field(
        description="What is wanted.",
        examples=[{"provider": "twin", "hostGroup": "plant-east"}],
    )

"""Hosts and racks as a HostGroup declares them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from frota.resources.fields import (
    AGENT_PATTERN,
    ENV_PATTERN,
    OPTION_PATTERN,
    AbsolutePath,
    GpuModel,
    Line,
    Memory,
    Name,
    ReservedMemory,
    Strict,
    Uri,
)

_Option = Annotated[str, Field(pattern=OPTION_PATTERN, max_length=63)]


class Rack(Strict):
    """A rack: hosts that fail together."""

    name: Name = Field(description="The rack's name.", examples=["r1"])


class Gpus(Strict):
    """GPUs of one model in one host."""

    model: GpuModel = Field(
        description="The model, the same word as in the pools that ask for it.", examples=["A100"]
    )
    count: int = Field(description="How many the host has.", ge=1, le=64, examples=[4])


class HostCapacity(Strict):
    """What a host has, before its reserve. With libvirt what is left out is as found, and
    of what is declared and found the smaller holds; on the twin memory and cpus are needed."""

    memory: Memory | None = Field(
        default=None, description="Memory of the host. Required on the twin.", examples=["256Gi"]
    )
    cpus: int | None = Field(
        default=None,
        description="CPUs of the host. Required on the twin.",
        ge=1,
        le=65536,
        examples=[64],
    )
    gpus: list[Gpus] | None = Field(
        default=None,
        description="GPUs, each model once. Left out: as found with libvirt, none on the twin.",
        json_schema_extra={
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["model"],
        },
        examples=[[{"model": "A100", "count": 4}]],
    )
    vms: int = Field(
        default=1000,
        description="The largest number of VMs at one time.",
        ge=1,
        le=100_000,
        examples=[100],
    )


class Reserve(Strict):
    """What the host keeps for itself."""

    memory: ReservedMemory = Field(
        default="0", description="Memory that VMs never get.", examples=["4Gi"]
    )
    cpus: int = Field(
        default=0, description="CPUs that VMs never get.", ge=0, le=65536, examples=[2]
    )


class SecretSource(Strict):
    """Where a secret is read when it is used: a file or an environment variable."""

    file: AbsolutePath | None = Field(
        default=None,
        description="A file that holds the secret alone.",
        examples=["/etc/frota/a.ipmi"],
    )
    env: Annotated[str, Field(pattern=ENV_PATTERN, max_length=128)] | None = Field(
        default=None,
        description="An environment variable that holds it.",
        examples=["A_IPMI_PASSWORD"],
    )


class FenceAgent(Strict):
    """One way to make sure that a host is off."""

    agent: Annotated[str, Field(pattern=AGENT_PATTERN, max_length=63)] = Field(
        description="The program of the fence-agents collection.", examples=["fence_ipmilan"]
    )
    options: dict[_Option, Line] = Field(
        default={},
        description="The agent's options, by their long names, all as text. No secrets.",
        examples=[{"ip": "10.0.0.1", "username": "admin", "lanplus": "1"}],
    )
    secrets: dict[_Option, SecretSource] = Field(
        default={},
        description="Options that are secret, each by the place where it is kept.",
        examples=[{"password": {"file": "/etc/frota/a.ipmi"}}],
    )


class DeclaredHost(Strict):
    """One host."""

    name: Name = Field(description="The host's name, unique in the group.", examples=["a"])
    rack: Name | None = Field(
        default=None,
        description="Its rack, one of spec.racks. Left out: the host is a rack of its own.",
        examples=["r1"],
    )
    uri: Uri | None = Field(
        default=None,
        description="Where its libvirt answers. Required with libvirt, refused on the twin.",
        examples=["qemu+tls://a.example/system"],
    )
    migrate_uri: Uri | None = Field(
        default=None,
        description="Where other hosts send a guest that migrates here. Left out: libvirt decides.",
        examples=["tcp://a.example"],
    )
    peer_to_peer: bool = Field(
        default=False,
        description="Migrate from libvirtd to libvirtd instead of through Frota.",
        examples=[True],
    )
    capacity: HostCapacity | None = Field(
        default=None,
        description="What the host has. Required on the twin.",
        examples=[{"memory": "256Gi", "cpus": 64}],
    )
    reserve: Reserve = Field(
        default=Reserve(),
        description="What it keeps for itself.",
        examples=[{"memory": "4Gi", "cpus": 2}],
    )
    fence: list[FenceAgent] = Field(
        default=[],
        description="Ways to prove it dead, tried in this order.",
        max_length=8,
        examples=[[{"agent": "fence_ipmilan"}]],
    )

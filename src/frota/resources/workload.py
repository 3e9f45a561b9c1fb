"""What services and jobs have in common: model, resources, flows, where they run."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from frota.resources.cluster import EnvironmentName, Function
from frota.resources.fields import (
    CIDR_PATTERN,
    DIGEST_PATTERN,
    ENV_PATTERN,
    IMAGE_PATTERN,
    LINE_PATTERN,
    SOURCE_PATTERN,
    GpuModel,
    LabelValue,
    Memory,
    Name,
    Strict,
)
from frota.resources.nodepools import GPU_RESOURCE, GpuResource

Image = Annotated[str, Field(pattern=IMAGE_PATTERN, max_length=512)]
EnvName = Annotated[str, Field(pattern=ENV_PATTERN, max_length=128)]
Argument = Annotated[str, Field(max_length=4096)]
EnvValue = Annotated[str, Field(pattern=LINE_PATTERN, max_length=4096)]
Port = Annotated[int, Field(ge=1, le=65535)]


class ModelRef(Strict):
    """One version of a model, by its digest: fetched when a pod starts, never in an image."""

    name: Name = Field(description="The model's name.", examples=["llama-8b"])
    version: Annotated[LabelValue, Field(min_length=1)] = Field(
        description="Its version, as a label can hold it.", examples=["2026-11-01"]
    )
    digest: Annotated[str, Field(pattern=DIGEST_PATTERN, max_length=71)] = Field(
        description="What was fetched must come to this digest.",
        examples=["sha256:" + "0" * 64],
    )
    source: Annotated[str, Field(pattern=SOURCE_PATTERN, max_length=1024)] = Field(
        description="Where it is fetched: https, http, az (ACCOUNT/CONTAINER/BLOB), abfss, s3, gs, "
        "hf, or pvc (CLAIM/FILE). No credentials: the cluster's identity opens it.",
        examples=["az://acme/models/llama-8b.tar"],
    )


class WorkloadGpu(Strict):
    """GPUs of one pod."""

    resource: GpuResource = Field(
        default=GPU_RESOURCE,
        description="The name under which Kubernetes counts them.",
        examples=["nvidia.com/mig-1g.10gb"],
    )
    model: GpuModel | None = Field(
        default=None,
        description="The model, as the pools name it. Left out: any.",
        examples=["A100"],
    )
    count: int = Field(default=1, description="How many.", ge=1, le=64, examples=[2])


class Resources(Strict):
    """What one pod asks for."""

    cpus: int = Field(description="CPUs.", ge=1, le=4096, examples=[8])
    memory: Memory = Field(description="Memory, in whole Mi.", examples=["64Gi"])
    gpu: WorkloadGpu | None = Field(
        default=None, description="GPUs. Left out: none.", examples=[{"model": "A100", "count": 1}]
    )


class Flow(Strict):
    """One way out that is open: to a network or to a namespace, at a TCP port."""

    name: Name = Field(
        description="What it is for. model-store says how the model is reached.",
        examples=["model-store"],
    )
    cidr: Annotated[str, Field(pattern=CIDR_PATTERN, max_length=49)] | None = Field(
        default=None,
        description="To this network. The metadata addresses of clouds are cut out, unless "
        "exactly they are named.",
        examples=["10.20.0.0/24"],
    )
    namespace: Name | None = Field(
        default=None, description="To this namespace of the same cluster.", examples=["vectors"]
    )
    port: Port = Field(description="The TCP port.", examples=[443])


class _Placement(Strict):
    """Which clusters of the fleet: all that fit every field that is given."""

    environments: list[EnvironmentName] = Field(
        default=[],
        description="In these environments. Left out: in all.",
        max_length=3,
        examples=[["dev", "prod"]],
    )
    regions: list[Name] = Field(
        default=[],
        description="In these regions. Left out: in all.",
        max_length=100,
        examples=[["east", "west"]],
    )
    clusters: list[Name] = Field(
        default=[],
        description="In these clusters. Left out: in all.",
        max_length=1000,
        examples=[["east-prod"]],
    )


class InferencePlacement(_Placement):
    """Which clusters of the fleet: all that fit every field that is given."""

    function: Function = Field(
        default="inference", description="In clusters of this function.", examples=["inference"]
    )


class TrainingPlacement(_Placement):
    """Which clusters of the fleet: all that fit every field that is given."""

    function: Function = Field(
        default="training",
        description="In clusters of this function.",
        examples=["experimentation"],
    )

"""InferenceService: a model that answers, in one cluster or in many
(docs/kinds/InferenceService.md)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from frota.resources.fields import (
    AVAILABILITY_PATTERN,
    AbsolutePath,
    Duration,
    LabelKey,
    LabelValue,
    Metadata,
    Name,
    Strict,
    by_key,
)
from frota.resources.workload import (
    Argument,
    EnvName,
    EnvValue,
    Flow,
    Image,
    InferencePlacement,
    ModelRef,
    Port,
    Resources,
)

_TARGETS = {"queue": 3, "kv-cache": 80, "cpu": 70}


class Runtime(Strict):
    """The server that loads the model and answers."""

    image: Image = Field(
        description="Its image, by digest. The model is not in it.",
        examples=["registry.example/vllm@sha256:" + "0" * 64],
    )
    port: Port = Field(default=8000, description="Where it answers.", examples=[8080])
    args: list[Argument] = Field(
        default=[],
        description="Its arguments. The model is at /models/NAME.",
        max_length=200,
        examples=[["--max-model-len=8192"]],
    )
    env: dict[EnvName, EnvValue] = Field(
        default={},
        description="Environment variables. No secrets.",
        examples=[{"VLLM_LOGGING_LEVEL": "INFO"}],
    )
    health: AbsolutePath = Field(
        default="/health",
        description="The path that says whether it can answer.",
        examples=["/v1/health/ready"],
    )
    metrics_port: Port | None = Field(
        default=None,
        description="Where its metrics are. Left out: at port.",
        examples=[9000],
    )
    startup: Duration = Field(
        default="10m",
        description="How long it may take to fetch and load the model.",
        examples=["30m"],
    )


class Traffic(Strict):
    """How requests are spread over clusters."""

    mode: Literal["single", "active-passive", "active-active"] = Field(
        default="single",
        description="single: each cluster for itself; active-passive: the primary region "
        "answers, others stand by; active-active: all answer.",
        examples=["active-active"],
    )
    primary: Name | None = Field(
        default=None,
        description="The region that answers while it can. Required with active-passive.",
        examples=["east"],
    )
    standby_replicas: int | None = Field(
        default=None,
        description="Replicas in clusters that stand by. Left out: as many as elsewhere.",
        ge=0,
        le=10_000,
        examples=[1],
    )
    weights: dict[Name, Annotated[int, Field(ge=0, le=1000)]] = Field(
        default={},
        description="With active-active: the part of each region. Left out: by room.",
        examples=[{"east": 70, "west": 30}],
    )


def _target(earlier: dict[str, Any]) -> int:
    return _TARGETS.get(earlier.get("metric", ""), 1)


class Scaling(Strict):
    """Between how many replicas, and by what."""

    min: int = Field(
        default=1, description="Replicas at least, in each cluster.", ge=0, le=10_000, examples=[2]
    )
    max: int = Field(
        description="Replicas at most, in each cluster.", ge=1, le=10_000, examples=[8]
    )
    metric: Literal["queue", "kv-cache", "cpu"] = Field(
        default="queue",
        description="queue: requests that wait, for each replica; kv-cache: percent of it in "
        "use; cpu: percent of what was asked for.",
        examples=["kv-cache"],
    )
    target: int = Field(
        default_factory=_target,
        description="The mean that is aimed at. Left out: 3 requests, 80 % or 70 %.",
        ge=1,
        le=1_000_000,
        examples=[5],
    )


class Slo(Strict):
    """What users are promised."""

    availability: Annotated[str, Field(pattern=AVAILABILITY_PATTERN, max_length=8)] | None = Field(
        default=None,
        description="The share of requests that are answered well.",
        examples=["99.9%"],
    )
    latency: Duration | None = Field(
        default=None,
        description="95 % of requests get their first answer within this time.",
        examples=["500ms"],
    )


class Gateway(Strict):
    """Who may send requests: pods of one namespace."""

    namespace: Name = Field(description="Its namespace.", examples=["gateway"])
    labels: dict[LabelKey, LabelValue] = Field(
        default={},
        description="The labels of its pods. Left out: all of the namespace.",
        examples=[{"app": "envoy"}],
    )


class ServiceOverride(Strict):
    """What is different in one environment; the rest is as above."""

    replicas: int | None = Field(
        default=None, description="Replicas in each cluster.", ge=0, le=10_000, examples=[1]
    )
    nodes_per_replica: int | None = Field(
        default=None, description="Nodes of one replica.", ge=1, le=64, examples=[1]
    )
    resources: Resources | None = Field(
        default=None,
        description="What one pod asks for.",
        examples=[{"cpus": 2, "memory": "16Gi"}],
    )
    scaling: Scaling | None = Field(
        default=None, description="Between how many replicas.", examples=[{"min": 1, "max": 2}]
    )
    args: list[Argument] | None = Field(
        default=None,
        description="Arguments in place of the others.",
        max_length=200,
        examples=[["--max-model-len=2048"]],
    )


class ServiceOverrides(Strict):
    """What is different in which environment."""

    dev: ServiceOverride | None = Field(
        default=None, description="In dev.", examples=[{"replicas": 1}]
    )
    staging: ServiceOverride | None = Field(
        default=None, description="In staging.", examples=[{"replicas": 1}]
    )
    prod: ServiceOverride | None = Field(
        default=None, description="In prod.", examples=[{"replicas": 4}]
    )


class InferenceServiceSpec(Strict):
    """What an InferenceService declares."""

    team: Name = Field(description="The Team that it belongs to.", examples=["ml"])
    model: ModelRef = Field(
        description="The model that answers.",
        examples=[{"name": "llama-8b", "version": "1", "source": "az://acme/models/llama-8b.tar"}],
    )
    runtime: Runtime = Field(
        description="The server that loads it.",
        examples=[{"image": "registry.example/vllm@sha256:" + "0" * 64}],
    )
    resources: Resources = Field(
        description="What one pod asks for.",
        examples=[{"cpus": 8, "memory": "64Gi", "gpu": {"model": "A100", "count": 1}}],
    )
    replicas: int = Field(
        default=1, description="Replicas in each cluster.", ge=0, le=10_000, examples=[3]
    )
    nodes_per_replica: int = Field(
        default=1,
        description="Nodes of one replica; more than one makes a LeaderWorkerSet.",
        ge=1,
        le=64,
        examples=[2],
    )
    placement: InferencePlacement = Field(
        default=InferencePlacement(),
        description="In which clusters. Left out: in all for inference.",
        examples=[{"environments": ["prod"], "regions": ["east"]}],
    )
    by_environment: ServiceOverrides = Field(
        default=ServiceOverrides(),
        description="What is different in which environment.",
        examples=[{"dev": {"replicas": 1}}],
    )
    pool: Name | None = Field(
        default=None,
        description="The node pool. Left out: any that has what is asked for.",
        examples=["gpu"],
    )
    traffic: Traffic = Field(
        default=Traffic(),
        description="How requests are spread over clusters.",
        examples=[{"mode": "active-passive", "primary": "east"}],
    )
    scaling: Scaling | None = Field(
        default=None,
        description="Between how many replicas, and by what. Left out: always replicas.",
        examples=[{"min": 2, "max": 8}],
    )
    slo: Slo = Field(
        default=Slo(),
        description="What users are promised.",
        examples=[{"availability": "99.9%", "latency": "500ms"}],
    )
    egress: list[Flow] = Field(
        default=[],
        description="Ways out that are open, beside DNS and where the model is fetched.",
        max_length=100,
        json_schema_extra=by_key("name"),
        examples=[[{"name": "vectors", "namespace": "vectors", "port": 6333}]],
    )
    gateway: Gateway | None = Field(
        default=None,
        description="Who may send requests. Left out: nobody.",
        examples=[{"namespace": "gateway", "labels": {"app": "envoy"}}],
    )


class InferenceService(Strict):
    """A model that answers requests, in one cluster or in many."""

    api_version: Literal["frota.dev/v1alpha1"] = Field(
        description="The version of this form.", examples=["frota.dev/v1alpha1"]
    )
    kind: Literal["InferenceService"] = Field(
        description="The kind.", examples=["InferenceService"]
    )
    metadata: Metadata = Field(description="Name and labels.", examples=[{"name": "chat"}])
    spec: InferenceServiceSpec = Field(description="What is wanted.", examples=[{"team": "ml"}])

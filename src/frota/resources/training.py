"""TrainingJob: a run that trains a model and ends (docs/kinds/TrainingJob.md)."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from frota.resources.fields import (
    AbsolutePath,
    Disk,
    Duration,
    Metadata,
    Name,
    Pause,
    Strict,
    by_key,
)
from frota.resources.workload import (
    Argument,
    EnvName,
    EnvValue,
    Flow,
    Image,
    ModelRef,
    Resources,
    TrainingPlacement,
)


class Checkpoint(Strict):
    """The volume that outlives a stopped run."""

    size: Disk = Field(description="How large, in whole Gi.", examples=["500Gi"])
    path: AbsolutePath = Field(
        default="/checkpoints", description="Where the run finds it.", examples=["/mnt/state"]
    )
    storage_class: Name | None = Field(
        default=None,
        description="The storage class. Left out: the cluster's default.",
        examples=["fast-shared"],
    )


def _suspend(earlier: dict[str, Any]) -> bool:
    return earlier.get("queue") is not None


class TrainingJobSpec(Strict):
    """What a TrainingJob declares."""

    team: Name = Field(description="The Team that it belongs to.", examples=["ml"])
    image: Image = Field(
        description="The image, by digest.",
        examples=["registry.example/train@sha256:" + "0" * 64],
    )
    command: list[Argument] = Field(
        default=[],
        description="The command. Left out: that of the image.",
        max_length=200,
        examples=[["torchrun", "train.py"]],
    )
    args: list[Argument] = Field(
        default=[], description="Its arguments.", max_length=200, examples=[["--epochs=3"]]
    )
    env: dict[EnvName, EnvValue] = Field(
        default={},
        description="Environment variables. No secrets.",
        examples=[{"NCCL_DEBUG": "WARN"}],
    )
    nodes: int = Field(
        default=1,
        description="Nodes at one time; more than one makes a JobSet.",
        ge=1,
        le=1000,
        examples=[4],
    )
    resources: Resources = Field(
        description="What the pod on each node asks for.",
        examples=[{"cpus": 32, "memory": "256Gi", "gpu": {"model": "A100", "count": 8}}],
    )
    queue: Name | None = Field(
        default=None,
        description="The Kueue queue that admits it. Left out: none, it starts at once.",
        examples=["training"],
    )
    suspend: bool = Field(
        default_factory=_suspend,
        description="Whether it waits to be let go. Left out: it does when it has a queue.",
        examples=[True],
    )
    spot: bool = Field(
        default=False,
        description="Whether it may run on nodes that can be taken away.",
        examples=[True],
    )
    pool: Name | None = Field(
        default=None,
        description="The node pool. Left out: any that has what is asked for.",
        examples=["gpu"],
    )
    deadline: Duration | None = Field(
        default=None,
        description="How long it may take in all; then it is ended. Left out: for ever.",
        examples=["72h"],
    )
    ttl_after_finished: Pause = Field(
        default="24h",
        description="How long it is kept after its end.",
        examples=["1h"],
    )
    checkpoint: Checkpoint | None = Field(
        default=None,
        description="A volume that outlives a stopped run. Left out: none.",
        examples=[{"size": "500Gi"}],
    )
    model: ModelRef | None = Field(
        default=None,
        description="The model it begins from, at /models/NAME. Left out: none.",
        examples=[{"name": "llama-8b", "version": "1", "source": "az://acme/models/llama-8b.tar"}],
    )
    placement: TrainingPlacement = Field(
        default=TrainingPlacement(),
        description="In which clusters, at most one of each environment. Left out: in all for "
        "training.",
        examples=[{"environments": ["prod"]}],
    )
    egress: list[Flow] = Field(
        default=[],
        description="Ways out that are open, beside DNS and where the model is fetched.",
        max_length=100,
        json_schema_extra=by_key("name"),
        examples=[[{"name": "data", "cidr": "10.30.0.0/24", "port": 443}]],
    )


class TrainingJob(Strict):
    """A run that trains a model and ends."""

    api_version: Literal["frota.dev/v1alpha1"] = Field(
        description="The version of this form.", examples=["frota.dev/v1alpha1"]
    )
    kind: Literal["TrainingJob"] = Field(description="The kind.", examples=["TrainingJob"])
    metadata: Metadata = Field(description="Name and labels.", examples=[{"name": "llama-sft"}])
    spec: TrainingJobSpec = Field(description="What is wanted.", examples=[{"team": "ml"}])

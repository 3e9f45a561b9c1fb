"""Team: people who share a fleet, and how much of it they get (docs/kinds/Team.md)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from frota.resources.cluster import EnvironmentName, Function
from frota.resources.fields import SUBJECT_PATTERN, Duration, Memory, Metadata, Name, Strict

Group = Annotated[str, Field(pattern=SUBJECT_PATTERN, max_length=253)]


class Members(Strict):
    """Who may do what in the team's namespaces: groups, as the clusters know them."""

    viewers: list[Group] = Field(
        default=[], description="May read.", max_length=100, examples=[["ml-guests"]]
    )
    operators: list[Group] = Field(
        default=[],
        description="May read, look into pods and restart them.",
        max_length=100,
        examples=[["ml-oncall"]],
    )
    team: list[Group] = Field(
        default=[],
        description="May run what the quotas allow.",
        max_length=100,
        examples=[["ml"]],
    )


class Namespaces(Strict):
    """The team's namespace in clusters of each function. Left out: TEAM-FUNCTION."""

    training: Name | None = Field(
        default=None, description="In training clusters.", examples=["ml-batch"]
    )
    inference: Name | None = Field(
        default=None, description="In inference clusters.", examples=["ml-serving"]
    )
    experimentation: Name | None = Field(
        default=None, description="In experimentation clusters.", examples=["ml-lab"]
    )


class TeamQuota(Strict):
    """How much the team's namespace gets in each cluster that fits. What is left out is not
    limited."""

    environment: EnvironmentName | None = Field(
        default=None, description="Only in clusters of this environment.", examples=["dev"]
    )
    function: Function | None = Field(
        default=None, description="Only in clusters of this function.", examples=["training"]
    )
    cluster: Name | None = Field(
        default=None, description="Only in this cluster.", examples=["east-prod"]
    )
    gpus: int | None = Field(
        default=None, description="GPUs, of each sort.", ge=0, le=1_000_000, examples=[8]
    )
    cpus: int | None = Field(default=None, description="CPUs.", ge=0, le=1_000_000, examples=[64])
    memory: Memory | None = Field(
        default=None, description="Memory, in whole Mi.", examples=["512Gi"]
    )
    pods: int | None = Field(default=None, description="Pods.", ge=0, le=1_000_000, examples=[50])
    volumes: int | None = Field(
        default=None, description="Volume claims.", ge=0, le=1_000_000, examples=[10]
    )


class TeamSpec(Strict):
    """What a Team declares."""

    fleet: Name = Field(description="The Fleet in which it works.", examples=["acme"])
    members: Members = Field(
        default=Members(),
        description="Who may do what.",
        examples=[{"team": ["ml"], "viewers": ["ml-guests"]}],
    )
    namespaces: Namespaces = Field(
        default=Namespaces(),
        description="Names of its namespaces. Left out: TEAM-FUNCTION.",
        examples=[{"inference": "ml-serving"}],
    )
    quotas: list[TeamQuota] = Field(
        default=[],
        description="How much it gets; of those that fit a cluster the first counts. None that "
        "fits: no limit.",
        max_length=1000,
        examples=[[{"environment": "dev", "gpus": 2}, {"gpus": 8}]],
    )
    ttl: Duration | None = Field(
        default=None,
        description="How long what it tries out in experimentation clusters lives. Left out: "
        "for ever.",
        examples=["168h"],
    )


class Team(Strict):
    """People who share a fleet: members, namespaces and quotas."""

    api_version: Literal["frota.dev/v1alpha1"] = Field(
        description="The version of this form.", examples=["frota.dev/v1alpha1"]
    )
    kind: Literal["Team"] = Field(description="The kind.", examples=["Team"])
    metadata: Metadata = Field(description="Name and labels.", examples=[{"name": "ml"}])
    spec: TeamSpec = Field(description="What is wanted.", examples=[{"fleet": "acme"}])

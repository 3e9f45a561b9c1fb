"""Fleet: clusters that are kept together, and in which order they change
(docs/kinds/Fleet.md)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from frota.resources.cluster import EnvironmentName
from frota.resources.fields import (
    STORE_PATTERN,
    Duration,
    Metadata,
    Name,
    Pause,
    Share,
    Strict,
    by_key,
)


class Gates(Strict):
    """What must hold before the next wave, or the next environment, begins."""

    soak: Pause = Field(
        default="10m", description="How long it must have been well.", examples=["1h"]
    )
    approval: bool = Field(
        default=False, description="Whether a person must approve the next.", examples=[True]
    )
    healthy: bool = Field(
        default=True,
        description="Whether all delivered objects must be healthy.",
        examples=[False],
    )


class Environment(Strict):
    """One stage of promotion."""

    name: EnvironmentName = Field(
        description="The environment, as clusters name it.", examples=["prod"]
    )
    waves: list[Annotated[list[Name], Field(min_length=1, max_length=1000)]] = Field(
        default=[],
        description="Its clusters in waves, every cluster once. Left out: all in one wave, but "
        "regions that stand in for each other one after the other.",
        max_length=1000,
        examples=[[["east-prod"], ["west-prod"]]],
    )
    gates: Gates = Field(
        default=Gates(),
        description="What must hold before the next wave, or the next environment, begins.",
        examples=[{"soak": "1h", "approval": True}],
    )


class Region(Strict):
    """A place whose clusters may fail together."""

    name: Name = Field(description="The region's name.", examples=["east"])
    stands_in_for: list[Name] = Field(
        default=[],
        description="Regions whose traffic comes here when they fail. The two are never in one "
        "wave.",
        max_length=100,
        examples=[["west"]],
    )


class DeliveryBrake(Strict):
    """When deletions wait for an approval."""

    share: Share = Field(
        default="20%",
        description="Deleting more than this share of a cluster's objects waits.",
        examples=["10%"],
    )
    least: int = Field(
        default=10,
        description="So few deletions never wait, except those of namespaces with volumes.",
        ge=0,
        le=1_000_000,
        examples=[5],
    )


class DeliveryOptions(Strict):
    """How clusters are made and kept as declared."""

    drift: Literal["correct", "observe"] = Field(
        default="correct",
        description="What happens when somebody changes an object that is Frota's: put right, "
        "or told.",
        examples=["observe"],
    )
    brake: DeliveryBrake = Field(
        default=DeliveryBrake(),
        description="When deletions wait for an approval.",
        examples=[{"share": "10%"}],
    )
    compare: Duration = Field(
        default="5m",
        description="Between two full comparisons with each cluster, beside the watches.",
        examples=["1m"],
    )
    unreachable_after: Duration = Field(
        default="10s",
        description="Silence that makes a cluster Unreachable.",
        examples=["30s"],
    )


class Bundles(Strict):
    """Where clusters with delivery pull find what is theirs."""

    store: Annotated[str, Field(pattern=STORE_PATTERN, max_length=1024)] = Field(
        description="A directory (file:///…) or an object store. No credentials.",
        examples=["https://acme.blob.example/frota"],
    )


class FleetSpec(Strict):
    """What a Fleet declares."""

    environments: list[Environment] = Field(
        default=[
            Environment(name="dev"),
            Environment(name="staging"),
            Environment(name="prod"),
        ],
        description="The environments, in the order in which changes reach them. Left out: "
        "dev, staging, prod.",
        min_length=1,
        max_length=3,
        json_schema_extra=by_key("name"),
        examples=[[{"name": "dev"}, {"name": "prod", "gates": {"approval": True}}]],
    )
    regions: list[Region] = Field(
        default=[],
        description="The regions. None: where clusters are plays no part.",
        max_length=100,
        json_schema_extra=by_key("name"),
        examples=[[{"name": "east", "standsInFor": ["west"]}, {"name": "west"}]],
    )
    delivery: DeliveryOptions = Field(
        default=DeliveryOptions(),
        description="How clusters are made and kept as declared.",
        examples=[{"drift": "observe"}],
    )
    bundles: Bundles | None = Field(
        default=None,
        description="Where bundles are put. Required where a cluster has delivery pull.",
        examples=[{"store": "file:///srv/frota/bundles"}],
    )


class Fleet(Strict):
    """Clusters that are kept together: stages, regions, and how changes are delivered."""

    api_version: Literal["frota.dev/v1alpha1"] = Field(
        description="The version of this form.", examples=["frota.dev/v1alpha1"]
    )
    kind: Literal["Fleet"] = Field(description="The kind.", examples=["Fleet"])
    metadata: Metadata = Field(description="Name and labels.", examples=[{"name": "acme"}])
    spec: FleetSpec = Field(
        description="What is wanted.",
        examples=[{"regions": [{"name": "east"}, {"name": "west"}]}],
    )

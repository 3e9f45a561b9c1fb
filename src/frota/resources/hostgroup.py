"""HostGroup: the hosts of one site and how Frota treats them (docs/kinds/HostGroup.md)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from frota.resources.fields import (
    ADDRESS_PATTERN,
    AbsolutePath,
    Duration,
    Metadata,
    Pause,
    Share,
    Strict,
    by_key,
)
from frota.resources.hosts import DeclaredHost, Rack

Provider = Literal["libvirt", "twin"]


class Overcommit(Strict):
    """How much more is promised than there is. Memory is never promised twice."""

    cpus: float = Field(
        default=1.0,
        description="Virtual CPUs for each CPU left after the reserve.",
        ge=1,
        le=64,
        examples=[4],
    )


class Storage(Strict):
    """Storage that all hosts share (libvirt)."""

    disks: AbsolutePath = Field(
        description="The directory of the VMs' disks, under the same path on all hosts.",
        examples=["/srv/frota/disks"],
    )


class Lease(Strict):
    """Leases by which the host agents fence themselves."""

    path: AbsolutePath | None = Field(
        default=None,
        description="The directory of the leases, shared by all hosts. Required with libvirt.",
        examples=["/srv/frota/leases"],
    )


class Fencing(Strict):
    """Fencing that all hosts share, beside their own fence agents."""

    lease: Lease | None = Field(
        default=None,
        description="Hosts that cannot renew their lease end their own VMs. Left out: no leases.",
        examples=[{"path": "/srv/frota/leases"}],
    )


class Witness(Strict):
    """Something outside the group that answers as long as Frota's own network is well."""

    address: Annotated[str, Field(pattern=ADDRESS_PATTERN, max_length=260)] = Field(
        description="Address and TCP port; that it accepts a connection is enough.",
        examples=["10.0.0.254:53"],
    )


def _grace(earlier: dict[str, Any]) -> str:
    return "4m" if earlier.get("preset") == "wsfc" else "30s"


class TimerSpec(Strict):
    """How long Frota waits for what."""

    preset: Literal["default", "wsfc"] = Field(
        default="default",
        description="wsfc waits as long as Windows clusters do: isolationGrace is 4m then.",
        examples=["wsfc"],
    )
    beat: Duration = Field(default="1s", description="Between two heartbeats.", examples=["500ms"])
    suspect_beats: int = Field(
        default=3, description="Missed beats that make a host Suspect.", ge=1, le=100, examples=[5]
    )
    isolated: Duration = Field(
        default="10s", description="Silence that makes a host Isolated.", examples=["15s"]
    )
    isolation_grace: Pause = Field(
        default_factory=_grace,
        description="From Isolated until the host is fenced: 30s, or 4m with the preset wsfc.",
        examples=["60s"],
    )
    lease: Duration = Field(
        default="20s",
        description="A host without its lease for so long ends its VMs.",
        examples=["30s"],
    )
    lease_renew: Duration = Field(
        default="5s", description="Between two renewals of a lease.", examples=["5s"]
    )
    hold: Pause = Field(
        default="1m",
        description="How long a host that came back must be well before it is Up.",
        examples=["2m"],
    )
    quarantine: Pause = Field(
        default="2h", description="How long a flapping host is kept out.", examples=["1h"]
    )
    quarantine_leaves: int = Field(
        default=3,
        description="Failures within quarantineWindow that bring quarantine.",
        ge=1,
        le=100,
        examples=[5],
    )
    quarantine_window: Duration = Field(
        default="1h", description="The time in which failures are counted.", examples=["2h"]
    )
    move_timeout: Duration = Field(
        default="10m", description="After so long a live migration is given up.", examples=["30m"]
    )
    audit: Duration = Field(
        default="15m",
        description="Between two looks at spread when nothing happens.",
        examples=["1h"],
    )
    move_cooldown: Pause = Field(
        default="10m", description="Between two voluntary moves of one VM.", examples=["5m"]
    )


class ThrottleSpec(Strict):
    """The most voluntary and drain moves at one time."""

    out_per_host: int = Field(
        default=2, description="Leaving one host.", ge=1, le=1000, examples=[4]
    )
    in_per_host: int = Field(
        default=2, description="Entering one host.", ge=1, le=1000, examples=[4]
    )
    per_cluster: int = Field(
        default=8, description="Within one cluster.", ge=1, le=10000, examples=[16]
    )


class RebalanceSpec(Strict):
    """How evenness is restored."""

    mode: Literal["min_moves", "home"] = Field(
        default="min_moves",
        description="min_moves: by the fewest moves; home: VMs go back where they were first.",
        examples=["home"],
    )
    cold_moves: bool = Field(
        default=False,
        description="Whether cold and pinned VMs may be moved by stopping and starting them.",
        examples=[True],
    )


class BrakeSpec(Strict):
    """When a plan of voluntary moves, or of deletions, waits for an approval."""

    share: Share = Field(
        default="50%",
        description="Plans that move more than this share of the VMs wait.",
        examples=["30%"],
    )
    delete_share: Share = Field(
        default="20%",
        description="Plans that delete more than this share of the VMs wait.",
        examples=["10%"],
    )
    least: int = Field(
        default=10,
        description="Plans of so few moves, or deletions, never wait.",
        ge=0,
        le=1_000_000,
        examples=[20],
    )


class HostGroupSpec(Strict):
    """What a HostGroup declares."""

    provider: Provider = Field(
        description="libvirt: real hosts; twin: simulated ones. Never changes.", examples=["twin"]
    )
    racks: list[Rack] = Field(
        default=[],
        description="Racks, for hosts that fail together. None: every host is its own.",
        max_length=1000,
        json_schema_extra=by_key("name"),
        examples=[[{"name": "r1"}, {"name": "r2"}]],
    )
    hosts: list[DeclaredHost] = Field(
        description="The hosts.",
        min_length=1,
        max_length=50_000,
        json_schema_extra=by_key("name"),
        examples=[[{"name": "a", "rack": "r1", "uri": "qemu+tls://a.example/system"}]],
    )
    overcommit: Overcommit = Field(
        default=Overcommit(),
        description="How much is promised beyond what is there.",
        examples=[{"cpus": 4}],
    )
    storage: Storage | None = Field(
        default=None,
        description="Shared storage; needed where VMs have disks. Refused on the twin.",
        examples=[{"disks": "/srv/frota/disks"}],
    )
    fencing: Fencing = Field(
        default=Fencing(),
        description="Fencing that all hosts share.",
        examples=[{"lease": {"path": "/srv/frota/leases"}}],
    )
    witness: Witness | None = Field(
        default=None,
        description="What tells a dead host from a cut-off controller. Left out: none.",
        examples=[{"address": "10.0.0.254:53"}],
    )
    timers: TimerSpec = Field(
        default_factory=TimerSpec,
        description="How long Frota waits for what.",
        examples=[{"preset": "wsfc"}],
    )
    throttle: ThrottleSpec = Field(
        default=ThrottleSpec(),
        description="The most moves at one time.",
        examples=[{"perCluster": 4}],
    )
    rebalance: RebalanceSpec = Field(
        default=RebalanceSpec(),
        description="How evenness is restored.",
        examples=[{"mode": "home"}],
    )
    brake: BrakeSpec = Field(
        default=BrakeSpec(),
        description="When a plan waits for an approval.",
        examples=[{"share": "30%"}],
    )
    admission: Literal["warn", "strict"] = Field(
        default="warn",
        description="What happens to a new VM that leaves the group unable to lose one host: "
        "placed with a warning, or held back.",
        examples=["strict"],
    )
    preempt: bool = Field(
        default=False,
        description="Whether a restart may push out VMs of lower priority.",
        examples=[True],
    )


class HostGroup(Strict):
    """The hosts of one site: one placement, one failure story, one writer."""

    api_version: Literal["frota.dev/v1alpha1"] = Field(
        description="The version of this form.", examples=["frota.dev/v1alpha1"]
    )
    kind: Literal["HostGroup"] = Field(description="The kind.", examples=["HostGroup"])
    metadata: Metadata = Field(description="Name and labels.", examples=[{"name": "plant-east"}])
    spec: HostGroupSpec = Field(
        description="What is wanted.", examples=[{"provider": "twin", "hosts": [{"name": "a"}]}]
    )

"""The form of a snapshot file: one host group, frozen (docs/snapshot.md).

All but the essential has a default, so that a small one is written by hand. Times are
numbers of seconds on Frota's clock; memory is as in every kind.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from frota.resources.fields import Memory, Metadata, Name, ReservedMemory, Strict, by_key
from frota.resources.hosts import Gpus

_Text = Annotated[str, Field(max_length=4096)]
_Count = Annotated[int, Field(ge=0, le=1_000_000_000)]
_Cpus = Annotated[int, Field(ge=0, le=10_000_000)]
_Time = Annotated[float, Field(ge=-1e18, le=1e18)]
_Seconds = Annotated[float, Field(ge=0, le=1e9)]
_Share = Annotated[float, Field(ge=0, le=1)]
_Domain = Annotated[str, Field(pattern=r"^(rack|host)/[^\s/]+$", max_length=80)]
HostStateName = Literal[
    "Joining", "Up", "Suspect", "Isolated", "Fencing", "Down", "Quarantined", "Recovering",
    "Draining", "Maintenance", "Removed",
]  # fmt: skip
VmStateName = Literal[
    "Pending", "Starting", "Running", "Migrating", "Unmonitored", "Lost", "Unplaceable",
    "Stopping", "Stopped",
]  # fmt: skip
_Mobility = Literal["live", "cold", "pinned"]


class SnapshotGpu(Strict):
    """GPUs of one VM."""

    model: _Text = Field(description="The model.", examples=["A100"])
    count: int = Field(default=1, description="How many.", ge=1, le=64)


class SnapshotHost(Strict):
    """One host: name, memory and cpus are enough."""

    name: Name = Field(description="Its name.", examples=["a"])
    rack: Name | None = Field(
        default=None, description="Its rack. Left out: the host is a rack of its own."
    )
    memory: ReservedMemory = Field(description="What it gives to VMs.", examples=["256Gi"])
    cpus: _Cpus = Field(description="Virtual CPUs it gives to VMs.", examples=[64])
    vms: _Count = Field(default=1000, description="The most VMs at one time.")
    gpus: list[Gpus] = Field(
        default=[], description="GPUs, each model once.", json_schema_extra=by_key("model")
    )
    state: HostStateName = Field(default="Up", description="Its state.")
    since: _Time = Field(default=0.0, description="When it came into this state.")
    incarnation: _Text = Field(default="", description="The name of its present life.")
    intent: Literal["Active", "Drained", "Removed"] = Field(
        default="Active", description="What the operator wants of it."
    )
    leaves: list[_Time] = Field(
        default=[], description="When it left service, oldest first.", max_length=1000
    )
    fence_proof: _Text = Field(default="", description="How its death was proved.")
    declared_dead: _Text = Field(default="", description="The life that was declared dead.")
    cleared: bool = Field(default=False, description="Whether its quarantine was ended.")
    before: HostStateName = Field(default="Up", description="The state left for Suspect.")
    until: _Time = Field(default=0.0, description="The end of its quarantine.")
    tenure: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=1, description="How often a host of this name joined."
    )
    reason: _Text = Field(default="", description="Why it is in this state.")
    cause_id: _Text = Field(default="", description="The story it is part of.")


class SnapshotMembers(Strict):
    """A short way to write VMs of one size: how many of them run on each host. They are
    called SET-1, SET-2, … in the order of the hosts as written."""

    hosts: dict[Name, Annotated[int, Field(ge=0, le=100_000)]] = Field(
        description="How many run on each host.", examples=[{"a": 2, "b": 1}]
    )
    memory: Memory = Field(description="Memory of each.", examples=["8Gi"])
    cpus: _Cpus = Field(description="Virtual CPUs of each.", examples=[4])
    gpu: SnapshotGpu | None = Field(default=None, description="GPUs of each.")
    priority: int | None = Field(
        default=None,
        description="Left out: 1000 for a control plane, else 0.",
        ge=-1_000_000_000,
        le=1_000_000_000,
    )
    mobility: _Mobility | None = Field(
        default=None, description="Left out: live, or pinned with GPUs."
    )


class SnapshotSet(Strict):
    """One availability set."""

    name: Name = Field(description="Its name.", examples=["east-gpu"])
    cluster: Name = Field(description="Its cluster.", examples=["east"])
    role: _Text = Field(
        default="pool/default", description="control-plane or pool/NAME.", examples=["pool/gpu"]
    )
    levels: list[Literal["rack", "host"]] = Field(
        default=["host"], description="From coarse to fine.", min_length=1, max_length=2
    )
    generations: list[list[_Domain]] | None = Field(
        default=None,
        description="The fault domains it was configured with, oldest first. Left out: once, "
        "with those of all hosts.",
        max_length=10_000,
    )
    removed: list[_Domain] = Field(default=[], description="Domains lost for good.")
    adopt_new_domains: bool = Field(
        default=False, description="Whether members move to domains that joined later."
    )
    deleting: bool = Field(default=False, description="Whether it is being deleted.")
    redeploy: bool = Field(default=False, description="Whether it is to be replaced.")
    successor_of: _Text = Field(default="", description="The set it replaces.")
    next_number: _Count | None = Field(
        default=None, description="Of the next VM's name. Left out: one more than it has VMs."
    )
    members: SnapshotMembers | None = Field(
        default=None, description="Its VMs in short. Left out: they stand under vms."
    )


class SnapshotOperation(Strict):
    """What is being done to a VM."""

    id: _Text = Field(description="Its id.")
    verb: Literal["start", "live", "cold", "stop", "kill"] = Field(description="What is done.")
    src: _Text = Field(default="", description="From which host.")
    dst: _Text = Field(default="", description="To which host.")
    epoch: _Count = Field(default=0, description="The epoch of the copy it makes.")
    voluntary: bool = Field(default=False, description="Whether it is for evenness.")
    since: _Time = Field(default=0.0, description="When it was ordered.")
    cause_id: _Text = Field(default="", description="The story it is part of.")


class SnapshotVm(Strict):
    """One VM: name, set, host, memory and cpus are enough."""

    name: Name = Field(description="Its name.", examples=["east-gpu-1"])
    set: _Text = Field(default="", description="Its set. Left out: none.", examples=["east-gpu"])
    host: _Text = Field(default="", description="Where it runs. Left out: nowhere.")
    memory: Memory = Field(description="Its memory.", examples=["8Gi"])
    cpus: _Cpus = Field(description="Its virtual CPUs.", examples=[4])
    gpu: SnapshotGpu | None = Field(default=None, description="Its GPUs.")
    state: VmStateName | None = Field(
        default=None, description="Left out: Running with a host, else Pending."
    )
    home: _Text | None = Field(default=None, description="Left out: its host.")
    order: _Count | None = Field(
        default=None, description="Of admission. Left out: its place in the list, from 1."
    )
    generation: _Count = Field(
        default=0, description="The configuration of its set when it was admitted."
    )
    priority: int | None = Field(
        default=None,
        description="Left out: 1000 in a control plane, else 0.",
        ge=-1_000_000_000,
        le=1_000_000_000,
    )
    mobility: _Mobility | None = Field(
        default=None, description="Left out: live, or pinned with GPUs."
    )
    epoch: _Count | None = Field(
        default=None, description="How often it was started. Left out: 1 with a host, else 0."
    )
    ready: bool = Field(default=True, description="Whether it serves.")
    moved_at: _Time | None = Field(default=None, description="Its last voluntary move.")
    failures: _Count = Field(default=0, description="Failed acts in a row.")
    retry_at: _Time | None = Field(default=None, description="Not to be tried before.")
    operation: SnapshotOperation | None = Field(default=None, description="Under way.")
    transit: _Text = Field(default="", description="The final host of a swap.")
    wanted: bool = Field(default=True, description="Whether it is still wanted.")
    halted: bool = Field(default=False, description="Whether it is stopped by agreement.")
    reason: _Text = Field(default="", description="Why it is in this state.")
    cause_id: _Text = Field(default="", description="The story it is part of.")


class SnapshotTimers(Strict):
    """All in seconds, except the two counts."""

    beat: _Seconds | None = Field(default=None, description="Between two heartbeats.")
    suspect_beats: _Count | None = Field(default=None, description="Missed beats: Suspect.")
    isolated: _Seconds | None = Field(default=None, description="Silence: Isolated.")
    isolation_grace: _Seconds | None = Field(default=None, description="Then until Fencing.")
    lease: _Seconds | None = Field(default=None, description="Length of a host's lease.")
    lease_renew: _Seconds | None = Field(default=None, description="Between its renewals.")
    lease_margin: _Seconds | None = Field(default=None, description="To end its VMs.")
    hold: _Seconds | None = Field(default=None, description="Recovering.")
    quarantine_leaves: _Count | None = Field(default=None, description="Leaves: quarantine.")
    quarantine_window: _Seconds | None = Field(default=None, description="To count them in.")
    quarantine: _Seconds | None = Field(default=None, description="Its length.")
    move_timeout: _Seconds | None = Field(default=None, description="Of a migration.")
    start_timeout: _Seconds | None = Field(default=None, description="Of a start.")
    fence_retry: _Seconds | None = Field(default=None, description="Between two tries.")
    retry_first: _Seconds | None = Field(default=None, description="First wait.")
    retry_most: _Seconds | None = Field(default=None, description="Longest wait.")
    move_cooldown: _Seconds | None = Field(default=None, description="Between moves of a VM.")
    audit: _Seconds | None = Field(default=None, description="Between two audits.")


class SnapshotThrottle(Strict):
    """The most moves at one time."""

    out_per_host: _Count | None = Field(default=None, description="Leaving one host.")
    in_per_host: _Count | None = Field(default=None, description="Entering one host.")
    per_cluster: _Count | None = Field(default=None, description="Within one cluster.")


class SnapshotPolicy(Strict):
    """The numbers and choices of the group; what is left out is as documented."""

    timers: SnapshotTimers = Field(default=SnapshotTimers(), description="Waits.")
    throttle: SnapshotThrottle = Field(default=SnapshotThrottle(), description="Moves.")
    rebalance: Literal["min_moves", "home"] | None = Field(default=None, description="Mode.")
    admission: Literal["warn", "strict"] | None = Field(default=None, description="N-1.")
    quarantine_share: _Share | None = Field(default=None, description="Most in quarantine.")
    storm_share: _Share | None = Field(default=None, description="More silent hosts: storm.")
    brake_share: _Share | None = Field(default=None, description="Of VMs moved unasked.")
    brake_delete_share: _Share | None = Field(default=None, description="Of VMs deleted at once.")
    brake_least: _Count | None = Field(default=None, description="Moves, deletions never braked.")
    preempt: bool | None = Field(default=None, description="Push out lower priority.")
    cold_rebalance: bool | None = Field(default=None, description="Move by stop and start.")
    work_limit: _Seconds | None = Field(default=None, description="Of the exact step.")
    lease_usable: bool | None = Field(default=None, description="Hosts fence themselves.")


class SnapshotSpec(Strict):
    """What was there."""

    now: _Time = Field(default=0.0, description="The time of the snapshot.")
    policy: SnapshotPolicy = Field(default=SnapshotPolicy(), description="How it is treated.")
    hosts: list[SnapshotHost] = Field(
        description="The hosts.", max_length=50_000, json_schema_extra=by_key("name")
    )
    sets: list[SnapshotSet] = Field(
        default=[], description="The sets.", max_length=100_000, json_schema_extra=by_key("name")
    )
    vms: list[SnapshotVm] = Field(
        default=[], description="The VMs.", max_length=1_000_000, json_schema_extra=by_key("name")
    )


class SnapshotFile(Strict):
    """The frozen state of one host group; metadata.name is the group's."""

    api_version: Literal["frota.dev/v1alpha1"] = Field(
        description="The version of this form.", examples=["frota.dev/v1alpha1"]
    )
    kind: Literal["Snapshot"] = Field(description="The kind.", examples=["Snapshot"])
    metadata: Metadata = Field(description="The group's name.", examples=[{"name": "plant-east"}])
    spec: SnapshotSpec = Field(
        description="What was there.",
        examples=[{"hosts": [{"name": "a", "memory": "64Gi", "cpus": 32}]}],
    )


def plain(model: Strict) -> dict[str, Any]:
    """A part of a snapshot by the names of the model's fields, what was left out not there."""
    return model.model_dump(exclude_none=True)

"""What one cluster is to run, worked out from the fleet: the input of every emitter.

Overrides are applied, teams have their namespaces, pools are chosen: nothing here needs to
be looked up in another document.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Gpu:
    """GPUs by the resource name that nodes offer; ``count`` for each node or replica."""

    resource: str
    count: int
    model: str = ""


@dataclass(frozen=True, slots=True)
class Taint:
    """What keeps pods off the nodes of a pool unless they tolerate it."""

    key: str
    effect: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class Pool:
    """Nodes of one sort. ``selector``: labels that exactly its nodes have; none: any node
    that has what is asked for."""

    name: str
    selector: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()
    gpu: Gpu | None = None
    spot: bool = False


@dataclass(frozen=True, slots=True)
class Peer:
    """Pods of a namespace; no labels: all of them."""

    namespace: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Flow:
    """One declared way out: to a network (``cidr``) or to a namespace, at a TCP port."""

    name: str
    port: int
    cidr: str = ""
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class Quota:
    """What a namespace may ask for; None: not limited. ``memory`` as Kubernetes writes it."""

    gpus: int | None = None
    cpus: int | None = None
    memory: str | None = None
    pods: int | None = None
    volumes: int | None = None


@dataclass(frozen=True, slots=True)
class Tenancy:
    """A team in this cluster. ``ttl``: seconds that what it tries out may live; 0: for ever.
    ``viewers``, ``operators`` and ``members`` are names of groups."""

    team: str
    namespace: str
    viewers: tuple[str, ...] = ()
    operators: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    quota: Quota = Quota()
    ttl: int = 0


@dataclass(frozen=True, slots=True)
class ModelRef:
    """One version of a model: where it is fetched, and what it must come to."""

    name: str
    version: str
    digest: str
    source: str


@dataclass(frozen=True, slots=True)
class Resources:
    """What one pod asks for. ``memory`` as Kubernetes writes it."""

    cpus: int
    memory: str
    gpu: Gpu | None = None


@dataclass(frozen=True, slots=True)
class Scaling:
    """Between how many replicas, and the mean of ``metric`` for each that is aimed at."""

    least: int
    most: int
    metric: str  # queue, kv-cache or cpu
    target: int


@dataclass(frozen=True, slots=True)
class Slo:
    """``availability``: the share of requests that is answered well, below 1. ``latency``:
    the time in seconds in which 95 % of them get their first answer. 0: none."""

    availability: float = 0.0
    latency: float = 0.0


@dataclass(frozen=True, slots=True)
class Service:
    """An InferenceService in this cluster."""

    name: str
    team: str
    namespace: str
    model: ModelRef
    image: str
    port: int
    resources: Resources
    replicas: int
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    metrics_port: int = 0  # 0: the same as ``port``
    startup: int = 600  # seconds
    health: str = "/health"
    nodes_per_replica: int = 1
    pool: str = ""
    scaling: Scaling | None = None
    slo: Slo = Slo()
    egress: tuple[Flow, ...] = ()
    gateway: Peer | None = None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The volume that outlives a stopped job."""

    size: str
    path: str
    storage_class: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """A TrainingJob in this cluster. Times in seconds; 0: none."""

    name: str
    team: str
    namespace: str
    image: str
    resources: Resources
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    nodes: int = 1
    queue: str = ""
    suspend: bool = False
    spot: bool = False
    pool: str = ""
    deadline: int = 0
    ttl_after_finished: int = 0
    checkpoint: Checkpoint | None = None
    model: ModelRef | None = None
    egress: tuple[Flow, ...] = ()


@dataclass(frozen=True, slots=True)
class Site:
    """One cluster. ``client_id``: its own workload identity; empty: it has none.
    ``telemetry``: the namespace that metrics are scraped from."""

    fleet: str
    cluster: str
    function: str
    environment: str
    region: str = ""
    pools: tuple[Pool, ...] = ()
    client_id: str = ""
    telemetry: str = "monitoring"
    dns: Peer = field(default_factory=lambda: Peer("kube-system", {"k8s-app": "kube-dns"}))
    tenancies: tuple[Tenancy, ...] = ()
    services: tuple[Service, ...] = ()
    jobs: tuple[Job, ...] = ()

    @property
    def gpu_resources(self) -> tuple[str, ...]:
        """The resource names of all GPUs that the cluster has."""
        return tuple(sorted({pool.gpu.resource for pool in self.pools if pool.gpu}))

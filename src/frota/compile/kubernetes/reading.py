"""From the documents of a fleet to what each of its clusters is to run.

The documents are right: they passed the rules of their kinds. What is worked out here is
who runs where, under which overrides, and with which share of what a team was given.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from frota.compile.kubernetes import site as values
from frota.resources.cluster import Cluster
from frota.resources.fields import Strict
from frota.resources.inference import InferenceService, Scaling, ServiceOverride
from frota.resources.nodepools import NodePool
from frota.resources.quantity import parse_duration
from frota.resources.team import Team, TeamQuota
from frota.resources.training import TrainingJob
from frota.resources.workload import (
    Flow,
    InferencePlacement,
    ModelRef,
    Resources,
    TrainingPlacement,
)

_Kind = TypeVar("_Kind", bound=Strict)


@dataclass(frozen=True, slots=True)
class _Documents:
    """The kinds that matter here, by name."""

    clusters: Mapping[str, Cluster]
    teams: Mapping[str, Team]
    services: Mapping[str, InferenceService]
    jobs: Mapping[str, TrainingJob]


def sites(documents: Iterable[Mapping[str, Any]]) -> tuple[values.Site, ...]:
    """Every cluster that is a member of a fleet, by name."""
    held = list(documents)
    found = _Documents(
        _of_kind(held, Cluster),
        _of_kind(held, Team),
        _of_kind(held, InferenceService),
        _of_kind(held, TrainingJob),
    )
    members = [cluster for cluster in found.clusters.values() if cluster.spec.fleet]
    return tuple(_site(cluster, found) for cluster in members)


def _of_kind(documents: list[Mapping[str, Any]], kind: type[_Kind]) -> dict[str, _Kind]:
    named = {
        document["metadata"]["name"]: kind.model_validate(dict(document))
        for document in documents
        if document["kind"] == kind.__name__
    }
    return dict(sorted(named.items()))


def _site(cluster: Cluster, found: _Documents) -> values.Site:
    spec = cluster.spec
    teams = {name: team for name, team in found.teams.items() if team.spec.fleet == spec.fleet}
    services = [
        _service(cluster, service, teams[service.spec.team])
        for service in found.services.values()
        if service.spec.team in teams and _fits(service.spec.placement, cluster)
    ]
    jobs = [
        _job(cluster, job, teams[job.spec.team])
        for job in found.jobs.values()
        if job.spec.team in teams and _fits(job.spec.placement, cluster)
    ]
    busy = {service.team for service in services} | {job.team for job in jobs}
    tenancies = [_tenancy(cluster, team) for team in teams.values() if _works(cluster, team, busy)]
    return values.Site(
        fleet=spec.fleet or "",
        cluster=cluster.metadata.name,
        function=spec.function or "inference",
        environment=spec.environment or "prod",
        region=spec.region or "",
        pools=tuple(_pool(pool) for pool in sorted(spec.node_pools, key=lambda pool: pool.name)),
        client_id=spec.identity.client_id if spec.identity else "",
        telemetry=spec.telemetry.namespace,
        dns=values.Peer(spec.dns.namespace, spec.dns.labels),
        tenancies=tuple(tenancies),
        services=tuple(services),
        jobs=tuple(jobs),
    )


def _fits(placement: InferencePlacement | TrainingPlacement, cluster: Cluster) -> bool:
    spec = cluster.spec
    return (
        placement.function == spec.function
        and (not placement.environments or spec.environment in placement.environments)
        and (not placement.regions or spec.region in placement.regions)
        and (not placement.clusters or cluster.metadata.name in placement.clusters)
    )


def _works(cluster: Cluster, team: Team, busy: set[str]) -> bool:
    """Where a team has a namespace: where something of it runs, where it was given a share,
    and wherever things are tried out."""
    given = any(_meant(cluster, quota) for quota in team.spec.quotas)
    return team.metadata.name in busy or given or cluster.spec.function == "experimentation"


def _meant(cluster: Cluster, quota: TeamQuota) -> bool:
    spec = cluster.spec
    return (
        quota.environment in (None, spec.environment)
        and quota.function in (None, spec.function)
        and quota.cluster in (None, cluster.metadata.name)
    )


def _tenancy(cluster: Cluster, team: Team) -> values.Tenancy:
    members = team.spec.members
    given = next((quota for quota in team.spec.quotas if _meant(cluster, quota)), None)
    quota = values.Quota()
    if given:
        quota = values.Quota(given.gpus, given.cpus, given.memory, given.pods, given.volumes)
    return values.Tenancy(
        team=team.metadata.name,
        namespace=_namespace(cluster, team),
        viewers=tuple(members.viewers),
        operators=tuple(members.operators),
        members=tuple(members.team),
        quota=quota,
        ttl=_seconds(team.spec.ttl),
    )


def _namespace(cluster: Cluster, team: Team) -> str:
    function = cluster.spec.function or "inference"
    named: str | None = getattr(team.spec.namespaces, function)
    return named or f"{team.metadata.name}-{function}"


def _pool(pool: NodePool) -> values.Pool:
    taints = tuple(values.Taint(taint.key, taint.effect, taint.value) for taint in pool.taints)
    gpu = None
    if pool.gpu:
        gpu = values.Gpu(pool.gpu.resource, pool.gpu.count, pool.gpu.model)
    return values.Pool(pool.name, pool.labels, taints, gpu, pool.spot)


def _service(cluster: Cluster, service: InferenceService, team: Team) -> values.Service:
    spec, runtime = service.spec, service.spec.runtime
    own = getattr(spec.by_environment, cluster.spec.environment or "prod") or ServiceOverride()
    replicas = spec.replicas if own.replicas is None else own.replicas
    scaling = own.scaling or (None if own.replicas is not None else spec.scaling)
    replicas, scaling = _standing_by(cluster, service, replicas, scaling)
    availability = spec.slo.availability
    return values.Service(
        name=service.metadata.name,
        team=spec.team,
        namespace=_namespace(cluster, team),
        model=_model(spec.model),
        image=runtime.image,
        port=runtime.port,
        resources=_resources(own.resources or spec.resources),
        replicas=replicas,
        args=tuple(runtime.args if own.args is None else own.args),
        env=runtime.env,
        metrics_port=runtime.metrics_port or 0,
        startup=_seconds(runtime.startup),
        health=runtime.health,
        nodes_per_replica=own.nodes_per_replica or spec.nodes_per_replica,
        pool=spec.pool or "",
        scaling=_scaling(scaling),
        slo=values.Slo(
            float(availability.rstrip("%")) / 100 if availability else 0.0,
            parse_duration(spec.slo.latency) if spec.slo.latency else 0.0,
        ),
        egress=_flows(spec.egress),
        gateway=values.Peer(spec.gateway.namespace, spec.gateway.labels) if spec.gateway else None,
    )


def _scaling(scaling: Scaling | None) -> values.Scaling | None:
    if scaling is None:
        return None
    return values.Scaling(scaling.min, scaling.max, scaling.metric, scaling.target)


def _standing_by(
    cluster: Cluster, service: InferenceService, replicas: int, scaling: Scaling | None
) -> tuple[int, Scaling | None]:
    """Fewer replicas where others answer; none at all is not scaled."""
    traffic = service.spec.traffic
    waits = traffic.mode == "active-passive" and cluster.spec.region != traffic.primary
    fewer = traffic.standby_replicas
    if not waits or fewer is None:
        return replicas, scaling
    if scaling is None or fewer == 0:
        return fewer, None
    return fewer, scaling.model_copy(update={"min": min(fewer, scaling.max)})


def _job(cluster: Cluster, job: TrainingJob, team: Team) -> values.Job:
    spec, kept = job.spec, job.spec.checkpoint
    return values.Job(
        name=job.metadata.name,
        team=spec.team,
        namespace=_namespace(cluster, team),
        image=spec.image,
        resources=_resources(spec.resources),
        command=tuple(spec.command),
        args=tuple(spec.args),
        env=spec.env,
        nodes=spec.nodes,
        queue=spec.queue or "",
        suspend=spec.suspend,
        spot=spec.spot,
        pool=spec.pool or "",
        deadline=_seconds(spec.deadline),
        ttl_after_finished=_seconds(spec.ttl_after_finished),
        checkpoint=values.Checkpoint(kept.size, kept.path, kept.storage_class or "")
        if kept
        else None,
        model=_model(spec.model) if spec.model else None,
        egress=_flows(spec.egress),
    )


def _model(model: ModelRef) -> values.ModelRef:
    return values.ModelRef(model.name, model.version, model.digest, model.source)


def _resources(wanted: Resources) -> values.Resources:
    gpu = wanted.gpu
    asked = values.Gpu(gpu.resource, gpu.count, gpu.model or "") if gpu else None
    return values.Resources(wanted.cpus, wanted.memory, asked)


def _flows(flows: Iterable[Flow]) -> tuple[values.Flow, ...]:
    return tuple(
        values.Flow(flow.name, flow.port, flow.cidr or "", flow.namespace or "")
        for flow in sorted(flows, key=lambda flow: flow.name)
    )


def _seconds(duration: str | None) -> int:
    """Whole seconds, rounded up: Kubernetes knows no others."""
    return -int(-parse_duration(duration) // 1) if duration else 0

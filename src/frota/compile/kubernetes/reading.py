"""From the documents of a fleet to what each of its clusters is to run.

The documents are right: they passed the rules of their kinds. What is worked out here is
who runs where, under which overrides, and with which share of what a team was given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, TypeVar

from frota.compile.kubernetes import site as values
from frota.compile.kubernetes.memo import Memo
from frota.resources.cluster import Cluster
from frota.resources.fields import Strict
from frota.resources.inference import InferenceService, Scaling
from frota.resources.nodepools import NodePool
from frota.resources.placing import fits, in_environment, namespace_of, quota_of
from frota.resources.quantity import parse_duration
from frota.resources.team import Team
from frota.resources.training import TrainingJob
from frota.resources.workload import Flow, ModelRef, Resources

_Kind = TypeVar("_Kind", bound=Strict)
_Workload = TypeVar("_Workload", InferenceService, TrainingJob)
_Read = TypeVar("_Read")


@dataclass(frozen=True)
class _Documents:
    """The documents of all fleets. ``written``: by kind and name, as they are."""

    written: Mapping[str, Mapping[str, Mapping[str, Any]]]
    memo: Memo

    @cached_property
    def clusters(self) -> Mapping[str, Cluster]:
        """The members of fleets."""
        found = self._read(Cluster)
        return {name: cluster for name, cluster in found.items() if cluster.spec.fleet}

    @cached_property
    def teams(self) -> Mapping[str, Team]:
        return self._read(Team)

    @cached_property
    def jobs(self) -> Mapping[str, TrainingJob]:
        return self._read(TrainingJob)

    @cached_property
    def services(self) -> Mapping[str, Mapping[str, InferenceService]]:
        """By environment, as they are there: of those that a cluster is of."""
        used = {"prod", *map(_environment, self.clusters.values())}
        return {name: self._read(InferenceService, name) for name in sorted(used)}

    @cached_property
    def led(self) -> frozenset[tuple[str, str]]:
        """(service, environment) where a cluster of the service's primary region has it."""
        return frozenset(
            (name, _environment(cluster))
            for name, service in self.services["prod"].items()
            for cluster in self.clusters.values()
            if cluster.spec.region == service.spec.traffic.primary and self.placed(service, cluster)
        )

    def leads(self, service: InferenceService, cluster: Cluster) -> bool:
        """Whether the service's primary region answers in the environment of a cluster."""
        return (service.metadata.name, _environment(cluster)) in self.led

    def _read(self, kind: type[_Kind], environment: str = "") -> dict[str, _Kind]:
        """The documents of a kind, as they are in an environment."""

        def read(document: Mapping[str, Any]) -> _Kind:
            if environment:
                document = {**document, "spec": in_environment(document, environment)}
            return kind.model_validate(dict(document))

        own = sorted(self.written.get(kind.__name__, {}).items())
        return {
            name: self.memo.of((kind, environment, name), (document,), partial(read, document))
            for name, document in own
        }

    def placed(self, workload: InferenceService | TrainingJob, cluster: Cluster) -> bool:
        """Whether a cluster is one of those that a workload of its fleet asks for."""
        team = self.teams.get(workload.spec.team)
        name = cluster.metadata.name
        written = self.written[workload.kind][workload.metadata.name]
        own = team is not None and team.spec.fleet == cluster.spec.fleet
        return own and fits(written, name, self.written["Cluster"][name])

    def here(
        self,
        cluster: Cluster,
        workload: _Workload,
        read: Callable[[Cluster, _Workload, _Documents], _Read],
        *more: object,
    ) -> _Read | None:
        """A workload as it is in a cluster; None where it is not. ``more``: what that rests on
        besides the two and the team."""

        def found() -> _Read | None:
            return read(cluster, workload, self) if self.placed(workload, cluster) else None

        name = workload.kind, cluster.metadata.name, workload.metadata.name
        rests_on = cluster, workload, self.teams.get(workload.spec.team), *more
        return self.memo.of(name, rests_on, found)

    def namespace(self, cluster: Cluster, team: str) -> str:
        """That of a team in a cluster."""
        return namespace_of(self.written["Team"][team], cluster.spec.function or "inference")


def sites(
    documents: Iterable[Mapping[str, Any]], memo: Memo | None = None
) -> tuple[values.Site, ...]:
    """Every cluster that is a member of a fleet, by name. ``memo``, of the last reading, keeps
    what rests on documents that are the same objects: they must not have been changed since."""
    written: dict[str, dict[str, Mapping[str, Any]]] = {}
    for document in documents:
        written.setdefault(document["kind"], {})[document["metadata"]["name"]] = document
    found = _Documents(written, memo or Memo())
    return tuple(_site(cluster, found) for cluster in found.clusters.values())


def _site(cluster: Cluster, found: _Documents) -> values.Site:
    spec = cluster.spec
    teams = [team for team in found.teams.values() if team.spec.fleet == spec.fleet]
    services = [
        service
        for written in found.services[_environment(cluster)].values()
        if (service := found.here(cluster, written, _service, found.leads(written, cluster)))
    ]
    jobs = [job for written in found.jobs.values() if (job := found.here(cluster, written, _job))]
    busy = {service.team for service in services} | {job.team for job in jobs}
    tenancies = [_tenancy(cluster, team, found) for team in teams]
    return values.Site(
        fleet=spec.fleet or "",
        cluster=cluster.metadata.name,
        function=spec.function or "inference",
        environment=_environment(cluster),
        region=spec.region or "",
        pools=tuple(_pool(pool) for pool in sorted(spec.node_pools, key=lambda pool: pool.name)),
        client_id=spec.identity.client_id if spec.identity else "",
        telemetry=spec.telemetry.namespace,
        dns=values.Peer(spec.dns.namespace, spec.dns.labels),
        tenancies=tuple(
            tenancy
            for tenancy, given in tenancies
            # Where something of it runs, where it was given a share, and wherever things are
            # tried out.
            if given or tenancy.team in busy or spec.function == "experimentation"
        ),
        services=tuple(services),
        jobs=tuple(jobs),
    )


def _environment(cluster: Cluster) -> str:
    return cluster.spec.environment or "prod"


def _tenancy(cluster: Cluster, team: Team, found: _Documents) -> tuple[values.Tenancy, bool]:
    """A team in a cluster, and whether it was given a share of it."""
    members, name = team.spec.members, team.metadata.name
    share = quota_of(
        found.written["Team"][name],
        cluster.metadata.name,
        found.written["Cluster"][cluster.metadata.name],
    )
    quota = values.Quota()
    if share is not None:
        given = team.spec.quotas[share[0]]
        quota = values.Quota(given.gpus, given.cpus, given.memory, given.pods, given.volumes)
    tenancy = values.Tenancy(
        team=name,
        namespace=found.namespace(cluster, name),
        viewers=tuple(members.viewers),
        operators=tuple(members.operators),
        members=tuple(members.team),
        quota=quota,
        ttl=_seconds(team.spec.ttl),
    )
    return tenancy, share is not None


def _pool(pool: NodePool) -> values.Pool:
    taints = tuple(values.Taint(taint.key, taint.effect, taint.value) for taint in pool.taints)
    gpu = None
    if pool.gpu:
        gpu = values.Gpu(pool.gpu.resource, pool.gpu.count, pool.gpu.model)
    return values.Pool(pool.name, pool.labels, taints, gpu, pool.spot)


def _service(cluster: Cluster, service: InferenceService, found: _Documents) -> values.Service:
    spec, runtime = service.spec, service.spec.runtime
    replicas, scaling = _standing_by(cluster, service, found)
    availability = spec.slo.availability
    return values.Service(
        name=service.metadata.name,
        team=spec.team,
        namespace=found.namespace(cluster, spec.team),
        model=_model(spec.model),
        image=runtime.image,
        port=runtime.port,
        resources=_resources(spec.resources),
        replicas=replicas,
        args=tuple(runtime.args),
        env=runtime.env,
        metrics_port=runtime.metrics_port or 0,
        startup=_seconds(runtime.startup),
        health=runtime.health,
        nodes_per_replica=spec.nodes_per_replica,
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
    cluster: Cluster, service: InferenceService, found: _Documents
) -> tuple[int, Scaling | None]:
    """Fewer replicas where others of the environment answer; none at all is not scaled."""
    spec, traffic = service.spec, service.spec.traffic
    fewer = traffic.standby_replicas
    answers = cluster.spec.region == traffic.primary or (not found.leads(service, cluster))
    if traffic.mode != "active-passive" or answers or fewer is None:
        return spec.replicas, spec.scaling
    if spec.scaling is None or fewer == 0:
        return fewer, None
    return fewer, spec.scaling.model_copy(update={"min": min(fewer, spec.scaling.max)})


def _job(cluster: Cluster, job: TrainingJob, found: _Documents) -> values.Job:
    spec, kept = job.spec, job.spec.checkpoint
    return values.Job(
        name=job.metadata.name,
        team=spec.team,
        namespace=found.namespace(cluster, spec.team),
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

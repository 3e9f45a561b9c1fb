"""All objects of one cluster: every emitter asked in turn, then labelled and sorted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import TypeVar

from frota.compile.kubernetes import (
    admission,
    inference,
    namespaces,
    network,
    queues,
    quotas,
    rbac,
    telemetry,
    training,
)
from frota.compile.kubernetes.applyset import PART_OF, membership, parent
from frota.compile.kubernetes.labels import TEAM, Manifest, site_labels
from frota.compile.kubernetes.memo import Memo
from frota.compile.kubernetes.order import batches
from frota.compile.kubernetes.site import Job, Service, Site, Tenancy
from frota.model.objects import Object, ObjectKey, key_of

T = TypeVar("T")
Part = dict[ObjectKey, Manifest]


def compile_site(site: Site, memo: Memo | None = None) -> tuple[Object, ...]:
    """The objects of a cluster, in the order in which they are written, each with the
    labels of where it belongs. The same site gives the same objects, byte for byte.

    ``memo``, of this cluster alone, keeps the objects of workloads. Raises ValueError when two
    objects would have one name: the rules of the kinds are to keep that from happening.
    """
    memo = memo or Memo()
    frame = memo.same("frame", replace(site, services=(), jobs=()))
    mark = _Marking(frame)
    parts = [_shared_part(site, frame, mark, memo), *_workloads(site, frame, mark, memo)]
    objects: dict[ObjectKey, Manifest] = {}
    for part in parts:
        objects.update(part)
    keys = memo.same("keys", tuple(objects))
    head = memo.of("head", (frame, keys), lambda: mark.all([parent(site.fleet, keys)]))
    objects.update(head)
    if len(objects) < sum(map(len, (*parts, head))):
        found = Counter(key for part in (*parts, head) for key in part)
        twice = sorted(str(key) for key, count in found.items() if count > 1)
        raise ValueError(f"cluster {site.cluster}: {', '.join(twice)} would be there twice")
    order = memo.of("order", (keys,), lambda: _ordered(objects))
    return tuple(map(objects.__getitem__, order))


def _ordered(objects: Mapping[ObjectKey, Object]) -> tuple[ObjectKey, ...]:
    return tuple(key_of(item) for batch in batches(objects.values()) for item in batch)


class _Marking:
    """Labels of where objects belong."""

    def __init__(self, site: Site) -> None:
        self._common = {**site_labels(site), PART_OF: membership(site.fleet)}
        self._teams = {tenancy.namespace: {TEAM: tenancy.team} for tenancy in site.tenancies}

    def all(self, objects: Iterable[Manifest]) -> Part:
        """The same objects, labelled, by key."""
        marked = {}
        for item in objects:
            metadata = item["metadata"]
            own = self._teams.get(metadata.get("namespace", ""), {})
            metadata["labels"] = {**self._common, **own, **metadata.get("labels", {})}
            marked[key_of(item)] = item
        return marked


def _shared(site: Site) -> Iterator[Manifest]:
    """What is there whatever runs."""
    spaces = list(namespaces.namespaces(site))
    yield from spaces
    for space in spaces:
        yield rbac.default_account(space["metadata"]["name"])
    yield from rbac.personas(site)
    for tenancy in site.tenancies:
        yield from rbac.bindings(tenancy)
        yield quotas.quota(site, tenancy)
        yield quotas.limit_range(tenancy)
    yield from quotas.priority_classes()
    yield from network.policies(site)
    yield from admission.policies(site)
    yield from queues.objects(site)
    yield from telemetry.objects(site)


def _shared_part(site: Site, frame: Site, mark: _Marking, memo: Memo) -> Part:
    queued = sorted({(job.namespace, job.queue) for job in site.jobs})
    rest = memo.same("rest", (bool(site.services), *queued))
    return memo.of("shared", (frame, rest), lambda: mark.all(_shared(site)))


def _workloads(site: Site, frame: Site, mark: _Marking, memo: Memo) -> Iterator[Part]:
    """What runs. It rests on its own document and on the cluster, without all others and without
    what its teams may do and use there."""
    names = tuple(Tenancy(tenancy.team, tenancy.namespace) for tenancy in frame.tenancies)
    ground = memo.same("ground", replace(frame, tenancies=names))
    for service in site.services:
        yield memo.of(
            ("service", service.name),
            (ground, service),
            partial(_marked, mark, _of_service, ground, service),
        )
    for job in site.jobs:
        yield memo.of(
            ("job", job.name),
            (ground, job),
            partial(_marked, mark, _of_job, ground, job),
        )


def _marked(
    mark: _Marking, emit: Callable[[Site, T], Iterable[Manifest]], frame: Site, workload: T
) -> Part:
    return mark.all(emit(frame, workload))


def _of_service(site: Site, service: Service) -> Iterator[Manifest]:
    yield from network.of_service(site, service)
    yield from inference.objects(site, service)
    yield from telemetry.of_service(site, service)


def _of_job(site: Site, job: Job) -> Iterator[Manifest]:
    yield from network.of_job(job)
    yield from training.objects(site, job)

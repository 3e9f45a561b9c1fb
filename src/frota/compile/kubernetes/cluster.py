"""All objects of one cluster: every emitter asked in turn, then labelled and sorted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

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
from frota.compile.kubernetes.order import batches
from frota.compile.kubernetes.site import Site
from frota.model.objects import Object, key_of


def compile_site(site: Site) -> tuple[Object, ...]:
    """The objects of a cluster, in the order in which they are written, each with the
    labels of where it belongs. The same site gives the same objects, byte for byte.

    Raises ValueError when two objects would have one name: the rules of the kinds are to
    keep that from happening.
    """
    members = list(_members(site))
    objects = [*members, parent(site.fleet, members)]
    keys = [key_of(item) for item in objects]
    twice = sorted(str(key) for key, count in Counter(keys).items() if count > 1)
    if twice:
        raise ValueError(f"cluster {site.cluster}: {', '.join(twice)} would be there twice")
    common = {**site_labels(site), PART_OF: membership(site.fleet)}
    teams = {tenancy.namespace: {TEAM: tenancy.team} for tenancy in site.tenancies}
    for item in objects:
        metadata = item["metadata"]
        own = teams.get(metadata.get("namespace", ""), {})
        metadata["labels"] = {**common, **own, **metadata.get("labels", {})}
    return tuple(item for batch in batches(objects) for item in batch)


def _members(site: Site) -> Iterator[Manifest]:
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
    for service in site.services:
        yield from inference.objects(site, service)
    for job in site.jobs:
        yield from training.objects(site, job)
    yield from queues.objects(site)
    yield from telemetry.objects(site)

"""The queues that training jobs wait in (Kueue): one store of quota for each team, from
which it may lend to the others of its fleet and take back when it needs it."""

from __future__ import annotations

from collections.abc import Iterator

from frota.compile.kubernetes.labels import TEAM, Manifest, fitted, manifest, named
from frota.compile.kubernetes.site import Site, Tenancy

_KUEUE = "kueue.x-k8s.io/v1beta2"
_FLAVOR = "frota"
# Kueue admits only what a queue has a number for; these stand for "no limit declared".
_COUNT_MOST, _MEMORY_MOST = "1000000", "1Pi"


def objects(site: Site) -> Iterator[Manifest]:
    """The queues that jobs of this cluster name, and what stands behind them."""
    wanted = {(job.namespace, job.queue) for job in site.jobs if job.queue}
    if not wanted:
        return
    # One flavor without labels: which nodes a pod runs on is said in its own template.
    yield manifest(_KUEUE, "ResourceFlavor", named(_flavor(site)), spec={})
    for tenancy in site.tenancies:
        queues = sorted(queue for namespace, queue in wanted if namespace == tenancy.namespace)
        if queues:
            yield _cluster_queue(site, tenancy)
        for queue in queues:
            metadata = named(queue, tenancy.namespace)
            spec = {"clusterQueue": _queue_name(site, tenancy)}
            yield manifest(_KUEUE, "LocalQueue", metadata, spec=spec)


def _cluster_queue(site: Site, tenancy: Tenancy) -> Manifest:
    quota = tenancy.quota
    limits = {
        "cpu": _COUNT_MOST if quota.cpus is None else str(quota.cpus),
        "memory": quota.memory or _MEMORY_MOST,
        **dict.fromkeys(site.gpu_resources, _COUNT_MOST if quota.gpus is None else str(quota.gpus)),
    }
    resources = [{"name": name, "nominalQuota": value} for name, value in limits.items()]
    group = {
        "coveredResources": list(limits),
        "flavors": [{"name": _flavor(site), "resources": resources}],
    }
    own = {"kubernetes.io/metadata.name": tenancy.namespace}
    spec = {
        "cohortName": site.fleet,
        "namespaceSelector": {"matchLabels": own},
        "preemption": {"reclaimWithinCohort": "Any", "withinClusterQueue": "LowerPriority"},
        "queueingStrategy": "BestEffortFIFO",
        "resourceGroups": [group],
    }
    metadata = named(_queue_name(site, tenancy), "", {TEAM: tenancy.team})
    return manifest(_KUEUE, "ClusterQueue", metadata, spec=spec)


def _flavor(site: Site) -> str:
    return fitted(_FLAVOR, site.fleet)


def _queue_name(site: Site, tenancy: Tenancy) -> str:
    return fitted(site.fleet, tenancy.namespace)

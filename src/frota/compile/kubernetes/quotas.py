"""How much a team may ask for, what a container gets that asks for nothing, and who goes
before whom when room is short."""

from __future__ import annotations

from collections.abc import Iterator

from frota.compile.kubernetes.labels import Manifest, manifest, named
from frota.compile.kubernetes.site import Site, Tenancy

INFERENCE = "frota-inference"
TRAINING_DEADLINE = "frota-training-deadline"
TRAINING = "frota-training"
EXPERIMENT = "frota-experiment"
# Far apart, so that a class of the operator's own fits between any two of them; all below
# the 1,000,000,000 from which on Kubernetes keeps priorities for itself.
_PRIORITIES = (
    (INFERENCE, 1_000_000, "serves people now"),
    (TRAINING_DEADLINE, 100_000, "training that must end in time"),
    (TRAINING, 10_000, "training that can wait"),
    (EXPERIMENT, 1_000, "what is tried out"),
)


def priority_classes() -> Iterator[Manifest]:
    """The order in which workloads get room. What is tried out never ends another pod."""
    for name, value, meaning in _PRIORITIES:
        policy = "Never" if name == EXPERIMENT else "PreemptLowerPriority"
        yield manifest(
            "scheduling.k8s.io/v1",
            "PriorityClass",
            named(name),
            value=value,
            globalDefault=False,
            preemptionPolicy=policy,
            description=meaning,
        )


def quota(site: Site, tenancy: Tenancy) -> Manifest:
    """The quota of a team's namespace. A number of GPUs holds for each sort of GPU that the
    cluster has. Load balancers and node ports are not for teams: traffic comes in by the
    gateway."""
    limits = tenancy.quota
    hard: dict[str, str] = {"services.loadbalancers": "0", "services.nodeports": "0"}
    if limits.gpus is not None:
        hard.update({f"requests.{name}": str(limits.gpus) for name in site.gpu_resources})
    if limits.cpus is not None:
        hard["requests.cpu"] = str(limits.cpus)
    if limits.memory is not None:
        hard["requests.memory"] = limits.memory
    if limits.pods is not None:
        hard["pods"] = str(limits.pods)
    if limits.volumes is not None:
        hard["persistentvolumeclaims"] = str(limits.volumes)
    metadata = named("frota", tenancy.namespace)
    return manifest("v1", "ResourceQuota", metadata, spec={"hard": dict(sorted(hard.items()))})


def limit_range(tenancy: Tenancy) -> Manifest:
    """What a container gets that says nothing: little, and memory with an end. No limit of
    CPU: it would slow down what asked for more than it."""
    limits = [
        {
            "type": "Container",
            "default": {"memory": "1Gi"},
            "defaultRequest": {"cpu": "100m", "memory": "256Mi"},
        }
    ]
    metadata = named("frota", tenancy.namespace)
    return manifest("v1", "LimitRange", metadata, spec={"limits": limits})

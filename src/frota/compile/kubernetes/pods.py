"""What the pods of all workloads share: who they are, what they may, and where they run.

Every pod template made here passes the Pod Security level ``restricted``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from frota.compile.kubernetes.fetching import DIRECTORY, command
from frota.compile.kubernetes.labels import (
    MODEL_DIGEST,
    TEAM,
    Manifest,
    fitted,
    manifest,
    model_labels,
    named,
    site_labels,
)
from frota.compile.kubernetes.site import Job, ModelRef, Pool, Resources, Service, Site
from frota.compile.kubernetes.sources import CLAIM_DIRECTORY, claim

Workload = Service | Job

_USER = 65532  # "nonroot" of distroless images; any that is not 0 would do
_IDENTITY = "azure.workload.identity"
_SHARED_MEMORY = "/dev/shm"  # noqa: S108 -- the path inside a pod, not one of ours
_SCRATCH = "/tmp"  # noqa: S108 -- the path inside a pod, not one of ours


@dataclass(frozen=True, slots=True)
class Container:
    """The container of a workload. ``more`` is what only some have: ports, probes."""

    name: str
    image: str
    resources: Resources
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Manifest, ...] = ()
    more: Mapping[str, Any] = field(default_factory=dict)


def account(site: Site, workload: Workload, labels: Mapping[str, str]) -> Manifest:
    """The workload's own service account, with the identity of this cluster, if it has one."""
    annotations = {f"{_IDENTITY}/client-id": site.client_id} if site.client_id else {}
    return manifest(
        "v1",
        "ServiceAccount",
        named(account_name(workload), workload.namespace, labels, annotations),
        automountServiceAccountToken=False,
    )


def account_name(workload: Workload) -> str:
    """Services and jobs may share a name; their accounts may not."""
    kind = "serve" if isinstance(workload, Service) else "train"
    return fitted(kind, workload.name)


def labels_of(site: Site, workload: Workload, own: Mapping[str, str]) -> dict[str, str]:
    """The labels of a workload's pods."""
    labels = {**site_labels(site), TEAM: workload.team, **model_labels(workload.model), **own}
    if site.client_id:
        labels[f"{_IDENTITY}/use"] = "true"
    return labels


def annotations_of(workload: Workload) -> dict[str, str]:
    """The annotations of a workload's pods."""
    return {MODEL_DIGEST: workload.model.digest} if workload.model else {}


def spec(workload: Workload, container: Container, pools: Iterable[Pool]) -> Manifest:
    """The pod: its server or trainer, and before it what fetches the model."""
    volumes: list[Manifest] = [{"name": "scratch", "emptyDir": {}}]
    mounts = [{"name": "scratch", "mountPath": _SCRATCH}, *container.mounts]
    before: list[Manifest] = []
    if workload.model:
        volumes.append({"name": "model", "emptyDir": {}})
        mounts.append({"name": "model", "mountPath": DIRECTORY, "readOnly": True})
        before.append(_fetcher(workload.model, container))
        if name := claim(workload.model.source):
            held = {"claimName": name, "readOnly": True}
            volumes.append({"name": "store", "persistentVolumeClaim": held})
    gpu = container.resources.gpu
    if gpu and gpu.count > 1:  # processes of one pod pass tensors through shared memory
        volumes.append({"name": "shared-memory", "emptyDir": {"medium": "Memory"}})
        mounts.append({"name": "shared-memory", "mountPath": _SHARED_MEMORY})
    pod: Manifest = {
        "serviceAccountName": account_name(workload),
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "fsGroup": _USER,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(container, mounts)],
        "volumes": volumes,
        **where(pools),
    }
    if before:
        pod["initContainers"] = before
    return pod


def _container(container: Container, mounts: list[Manifest]) -> Manifest:
    made: Manifest = {
        "name": container.name,
        "image": container.image,
        "resources": _resources(container.resources),
        "securityContext": _unprivileged(),
        "volumeMounts": mounts,
        **container.more,
    }
    if container.command:
        made["command"] = list(container.command)
    if container.args:
        made["args"] = list(container.args)
    if container.env:
        made["env"] = [{"name": k, "value": v} for k, v in sorted(container.env.items())]
    return made


def _fetcher(model: ModelRef, container: Container) -> Manifest:
    small = Resources(cpus=1, memory="256Mi")
    mounts: list[Manifest] = [{"name": "model", "mountPath": DIRECTORY}]
    if claim(model.source):
        mounts.append({"name": "store", "mountPath": CLAIM_DIRECTORY, "readOnly": True})
    return {
        "name": "fetch-model",
        "image": container.image,
        "resources": _resources(small),
        "securityContext": {**_unprivileged(), "readOnlyRootFilesystem": True},
        "volumeMounts": mounts,
        **command(model),
    }


def _unprivileged() -> Manifest:
    return {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def _resources(wanted: Resources) -> Manifest:
    """Memory is asked for and limited alike; CPU is not limited, since idle CPUs cost
    nothing; GPUs can only be asked for and limited alike."""
    requests = {"cpu": str(wanted.cpus), "memory": wanted.memory}
    limits = {"memory": wanted.memory}
    if wanted.gpu:
        requests[wanted.gpu.resource] = limits[wanted.gpu.resource] = str(wanted.gpu.count)
    return {"requests": requests, "limits": limits}


def suitable(site: Site, wanted: Resources, *, pool: str, spot: bool) -> tuple[Pool, ...]:
    """The pools whose nodes a pod may run on. With neither a pool nor GPUs asked for: none
    in particular. GPU pods go to GPU pools only, to spot nodes only when they said so."""
    if pool:
        return tuple(p for p in site.pools if p.name == pool)
    gpu = wanted.gpu
    if gpu is None:
        return ()
    return tuple(
        p
        for p in site.pools
        if p.gpu
        and p.gpu.resource == gpu.resource
        and (not gpu.model or p.gpu.model == gpu.model)
        and (spot or not p.spot)
    )


def where(pools: Iterable[Pool]) -> Manifest:
    """Node selection and tolerations for the nodes of these pools, any of them."""
    chosen = sorted(pools, key=lambda pool: pool.name)
    if not chosen:
        return {}
    taints = sorted({taint for pool in chosen for taint in pool.taints}, key=repr)
    found: Manifest = {}
    if taints:
        found["tolerations"] = [
            {"key": t.key, "operator": "Equal", "value": t.value, "effect": t.effect}
            if t.value
            else {"key": t.key, "operator": "Exists", "effect": t.effect}
            for t in taints
        ]
    if not all(pool.selector for pool in chosen):
        return found  # one of them is any node that has what is asked for
    if len(chosen) == 1:
        return {"nodeSelector": dict(chosen[0].selector), **found}
    terms = [{"matchExpressions": _expressions(pool)} for pool in chosen]
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    return {"affinity": {"nodeAffinity": required}, **found}


def _expressions(pool: Pool) -> list[Manifest]:
    return [
        {"key": key, "operator": "In", "values": [value]}
        for key, value in sorted(pool.selector.items())
    ]

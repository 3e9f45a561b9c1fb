"""A TrainingJob in one cluster: the job, its volume, and the queue it waits in.

Jobs are written once. Kueue and the job controllers rewrite what was sent (suspension,
node selectors), templates cannot change, and a job that ended must not begin again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from frota.compile.kubernetes import pods, quotas
from frota.compile.kubernetes.labels import (
    APPLY,
    GROUP_NAME_MOST,
    JOB,
    ONCE,
    TTL_AFTER_FINISHED,
    Manifest,
    fitted,
    manifest,
    model_labels,
    named,
)
from frota.compile.kubernetes.site import Checkpoint, Job, Pool, Site

_QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
_TRIES = 3  # of a pod on its own; more is a bug of the program, not of a node
# A node that was taken away is no failure of the program; see ``_failures``.
_LOST_NODE = {
    "name": "lost-node",
    "action": "RestartJobSetAndIgnoreMaxRestarts",
    "onJobFailureReasons": ["PodFailurePolicy"],
}
_GRACE_SECONDS = 120  # to write a last checkpoint, also when a spot node is taken


def objects(site: Site, job: Job) -> Iterator[Manifest]:
    """Everything that one job needs, except its network policies and its queue."""
    labels = {JOB: job.name, **model_labels(job.model)}
    yield pods.account(site, job, labels)
    if job.checkpoint:
        yield _volume(job, job.checkpoint, labels)
    if not job.checkpoint and not job.spot:
        yield _disruption(job, labels)
    yield _set(site, job, labels) if job.nodes > 1 else _alone(site, job, labels)


def _alone(site: Site, job: Job, labels: dict[str, str]) -> Manifest:
    spec = {**_job(site, job), "suspend": job.suspend}
    return manifest("batch/v1", "Job", _metadata(job, labels), spec=spec)


def _set(site: Site, job: Job, labels: dict[str, str]) -> Manifest:
    """Several nodes begin and end together: when one of them is lost, all go back to the
    last checkpoint."""
    spec = {
        "suspend": job.suspend,
        # The subdomain of its pods; without one, its name: a Service may have that.
        "network": {"subdomain": fitted("train", job.name)},
        "failurePolicy": {"maxRestarts": _TRIES, "rules": [_LOST_NODE]},
        "replicatedJobs": [
            {"name": "node", "replicas": 1, "template": {"spec": _job(site, job)}},
        ],
    }
    return manifest("jobset.x-k8s.io/v1alpha2", "JobSet", _metadata(job, labels), spec=spec)


def _job(site: Site, job: Job) -> Manifest:
    spec: dict[str, Any] = {
        "parallelism": job.nodes,
        "completions": job.nodes,
        "completionMode": "Indexed",
        "backoffLimit": 0 if job.nodes > 1 else _TRIES,
        "podReplacementPolicy": "Failed",
        "podFailurePolicy": _failures(job),
        "template": _template(site, job),
    }
    if job.deadline:
        spec["activeDeadlineSeconds"] = job.deadline
    return spec


def _failures(job: Job) -> Manifest:
    """A pod whose node was taken away did not fail: it does not count as a try."""
    lost = {"type": "DisruptionTarget", "status": "True"}
    rules: list[Manifest] = [{"action": "Ignore", "onPodConditions": [lost]}]
    if job.nodes > 1:
        rules = [{"action": "FailJob", "onPodConditions": [lost]}]
    return {"rules": rules}


def _template(site: Site, job: Job) -> Manifest:
    mounts: tuple[Manifest, ...] = ()
    if job.checkpoint:
        mounts = ({"name": "checkpoint", "mountPath": job.checkpoint.path},)
    container = pods.Container(
        name="trainer",
        image=job.image,
        resources=job.resources,
        command=job.command,
        args=job.args,
        env=job.env,
        mounts=mounts,
    )
    spec = pods.spec(job, container, _nodes(site, job))
    spec["restartPolicy"] = "Never"
    spec["priorityClassName"] = priority(site, job)
    spec["terminationGracePeriodSeconds"] = _GRACE_SECONDS
    if job.checkpoint:
        claim = {"claimName": _claim(job)}
        spec["volumes"].append({"name": "checkpoint", "persistentVolumeClaim": claim})
    labels = pods.labels_of(site, job, {JOB: job.name})
    metadata: Manifest = {"labels": labels}
    if annotations := pods.annotations_of(job):
        metadata["annotations"] = annotations
    return {"metadata": metadata, "spec": spec}


def _nodes(site: Site, job: Job) -> tuple[Pool, ...]:
    return pods.suitable(site, job.resources, pool=job.pool, spot=job.spot)


def priority(site: Site, job: Job) -> str:
    """The class of a job: what is tried out waits for everything else."""
    if site.function == "experimentation":
        return quotas.EXPERIMENT
    return quotas.TRAINING_DEADLINE if job.deadline else quotas.TRAINING


def _volume(job: Job, checkpoint: Checkpoint, labels: dict[str, str]) -> Manifest:
    spec: dict[str, Any] = {
        "accessModes": ["ReadWriteMany" if job.nodes > 1 else "ReadWriteOnce"],
        "resources": {"requests": {"storage": checkpoint.size}},
    }
    if checkpoint.storage_class:
        spec["storageClassName"] = checkpoint.storage_class
    metadata = named(_claim(job), job.namespace, labels)
    return manifest("v1", "PersistentVolumeClaim", metadata, spec=spec)


def _disruption(job: Job, labels: dict[str, str]) -> Manifest:
    """What cannot go on from a checkpoint is not moved: a drain waits until it has ended."""
    spec = {"minAvailable": job.nodes, "selector": {"matchLabels": {JOB: job.name}}}
    metadata = named(pods.account_name(job), job.namespace, labels)
    return manifest("policy/v1", "PodDisruptionBudget", metadata, spec=spec)


def _claim(job: Job) -> str:
    return fitted(job.name, "checkpoint")


def _metadata(job: Job, labels: dict[str, str]) -> Manifest:
    queued = {_QUEUE_LABEL: job.queue} if job.queue else {}
    annotations = {APPLY: ONCE}
    if job.ttl_after_finished:
        annotations[TTL_AFTER_FINISHED] = str(job.ttl_after_finished)
    name = fitted(job.name, most=GROUP_NAME_MOST)
    return named(name, job.namespace, {**labels, **queued}, annotations)

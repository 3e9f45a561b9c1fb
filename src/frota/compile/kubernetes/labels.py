"""Labels, annotations and names that compiled objects share."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from frota.compile.kubernetes.site import ModelRef, Site

PREFIX = "frota.dev"
FLEET = f"{PREFIX}/fleet"
CLUSTER = f"{PREFIX}/cluster"
ENVIRONMENT = f"{PREFIX}/environment"
FUNCTION = f"{PREFIX}/function"
TEAM = f"{PREFIX}/team"
MODEL = f"{PREFIX}/model"
MODEL_VERSION = f"{PREFIX}/model-version"
SERVICE = f"{PREFIX}/service"
JOB = f"{PREFIX}/job"
POOL = f"{PREFIX}/pool"
MANAGED_BY = "app.kubernetes.io/managed-by"

MODEL_DIGEST = f"{PREFIX}/model-digest"  # annotation: 71 characters, too long for a label
TTL_SECONDS = f"{PREFIX}/ttl-seconds"  # annotation of an experimentation namespace
TTL_AFTER_FINISHED = f"{PREFIX}/ttl-after-finished-seconds"  # annotation of a job
RELAXED = f"{PREFIX}/relaxed-because"  # annotation of a namespace that is not restricted
# Annotation of what is written at its creation and then left to the controllers that run it.
APPLY = f"{PREFIX}/apply"
ONCE = "once"

SYSTEM_NAMESPACE = "frota-system"
GPU_NAMESPACE = "frota-gpu"
NAME_MOST = 63  # a DNS label; label values too
# Job, JobSet and LeaderWorkerSet make host names and labels by adding up to 18 characters.
GROUP_NAME_MOST = 45
_HASH_LENGTH = 8

Manifest = dict[str, Any]


def fitted(*parts: str, most: int = NAME_MOST, by: str = "-") -> str:
    """Words joined by ``by``; where that is longer than ``most``, its end gives way to a
    hash of the whole, so that different words stay different."""
    name = by.join(parts)
    if len(name) <= most:
        return name
    digest = sha256(name.encode()).hexdigest()[:_HASH_LENGTH]
    return f"{name[: most - _HASH_LENGTH - 1].rstrip('-.')}-{digest}"


def site_labels(site: Site) -> dict[str, str]:
    """What every object of a cluster says about where it belongs."""
    return {
        MANAGED_BY: "frota",
        FLEET: site.fleet,
        CLUSTER: site.cluster,
        ENVIRONMENT: site.environment,
        FUNCTION: site.function,
    }


def model_labels(model: ModelRef | None) -> dict[str, str]:
    """Name and version of a model."""
    return {MODEL: model.name, MODEL_VERSION: model.version} if model else {}


def manifest(api_version: str, kind: str, metadata: Mapping[str, Any], **body: Any) -> Manifest:
    """An object; parts that are None are left out."""
    parts = {key: value for key, value in body.items() if value is not None}
    return {"apiVersion": api_version, "kind": kind, "metadata": dict(metadata), **parts}


def named(
    name: str,
    namespace: str = "",
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Metadata without what is not there."""
    metadata: dict[str, Any] = {"name": name}
    if namespace:
        metadata["namespace"] = namespace
    if labels:
        metadata["labels"] = dict(labels)
    if annotations:
        metadata["annotations"] = dict(annotations)
    return metadata

"""Namespaces, with the Pod Security level that each is held to.

Everything Frota compiles passes ``restricted``, so that is what is enforced. Two
relaxations, each written on the namespace: people who try things out are held to
``baseline`` and warned; the pods that speak to GPUs need devices of the host.
"""

from __future__ import annotations

from collections.abc import Iterator

from frota.compile.kubernetes.labels import (
    GPU_NAMESPACE,
    RELAXED,
    SYSTEM_NAMESPACE,
    TEAM,
    TTL_SECONDS,
    Manifest,
    manifest,
    named,
)
from frota.compile.kubernetes.site import Site, Tenancy

_SECURITY = "pod-security.kubernetes.io"
_EXPERIMENTS = "people run images of their own here; what restricted would refuse is warned of"
_DEVICES = "device plugins and GPU exporters need the devices of their host"


def namespaces(site: Site) -> Iterator[Manifest]:
    """The namespaces of a cluster: Frota's own, that of the GPU system pods where there are
    GPUs, and one for each team."""
    yield _namespace(SYSTEM_NAMESPACE, "restricted")
    if site.gpu_resources:
        yield _namespace(GPU_NAMESPACE, "privileged", annotations={RELAXED: _DEVICES})
    for tenancy in site.tenancies:
        yield _of_team(site, tenancy)


def _of_team(site: Site, tenancy: Tenancy) -> Manifest:
    labels = {TEAM: tenancy.team}
    if site.function != "experimentation":
        return _namespace(tenancy.namespace, "restricted", labels)
    annotations = {RELAXED: _EXPERIMENTS}
    if tenancy.ttl:
        annotations[TTL_SECONDS] = str(tenancy.ttl)
    return _namespace(tenancy.namespace, "baseline", labels, annotations)


def _namespace(
    name: str,
    enforced: str,
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
) -> Manifest:
    levels = {
        f"{_SECURITY}/enforce": enforced,
        f"{_SECURITY}/warn": "restricted",
        f"{_SECURITY}/audit": "restricted",
    }
    if enforced == "privileged":  # a warning at every pod that is meant to be so is noise
        levels = {f"{_SECURITY}/enforce": enforced}
    return manifest("v1", "Namespace", named(name, "", {**(labels or {}), **levels}, annotations))

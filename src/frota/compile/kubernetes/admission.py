"""What quotas and Pod Security cannot say, as admission policies (CEL) that the API server
itself keeps: no controller of Frota needs to run for them to hold.

They hold in the namespaces of the fleet. In dev a breach is written to the audit log, in
staging its author is warned too, in prod it is refused; only the end of what is tried out
is kept everywhere, since a team asked for it. Pods are judged when they are made,
never later: a pod that is there must be able to end.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from frota.compile.kubernetes.labels import (
    FLEET,
    JOB,
    MODEL,
    MODEL_DIGEST,
    SERVICE,
    TTL_SECONDS,
    Manifest,
    fitted,
    manifest,
    named,
)
from frota.compile.kubernetes.site import Pool, Site

_GROUP = "admissionregistration.k8s.io/v1"
_ACTIONS = {"dev": ("Audit",), "staging": ("Warn", "Audit"), "prod": ("Deny",)}
_IDENTITIES = (
    "azure.workload.identity/client-id",
    "eks.amazonaws.com/role-arn",
    "iam.gke.io/gcp-service-account",
)
_PODS = {
    "apiGroups": [""],
    "apiVersions": ["v1"],
    "operations": ["CREATE"],
    "resources": ["pods"],
}
_ACCOUNTS = {
    "apiGroups": [""],
    "apiVersions": ["v1"],
    "operations": ["CREATE", "UPDATE"],
    "resources": ["serviceaccounts"],
}


@dataclass(frozen=True, slots=True)
class _Rule:
    """One policy, with the effect of the environment unless it has ``actions`` of its own.
    ``checks``: expressions that must hold, each with what is said when it
    does not. ``variables`` may be used in them."""

    name: str
    target: Manifest
    checks: tuple[tuple[str, str], ...]
    variables: tuple[tuple[str, str], ...] = ()
    actions: tuple[str, ...] = ()


def policies(site: Site) -> Iterator[Manifest]:
    """The policies of a cluster, each with its binding."""
    rules = [_images(), _models(), _accounts(site)]
    # Where nothing marks the nodes of a GPU pool, there is nothing that a pod could select.
    if all(pool.selector for pool in site.pools if pool.gpu):
        rules.append(_gpus(site))
    if site.function == "experimentation":
        rules.append(_lifetimes())
    for rule in rules:
        name = fitted("frota", site.fleet, rule.name)
        yield _policy(name, rule)
        yield _binding(name, site, rule.actions or _ACTIONS[site.environment])


def _images() -> _Rule:
    """``latest`` is another image every day: what was tested is not what runs."""
    containers = (
        "object.spec.containers + "
        "(has(object.spec.initContainers) ? object.spec.initContainers : [])"
    )
    pinned = (
        "variables.containers.all(c, c.image.contains('@sha256:') || "
        "(c.image.matches('^.*:[^/]+$') && !c.image.endsWith(':latest')))"
    )
    said = "an image has no tag or the tag latest; name it by digest (IMAGE@sha256:...)"
    return _Rule("images", _PODS, ((pinned, said),), (("containers", containers),))


def _models() -> _Rule:
    served = f"has(object.metadata.labels) && {_text(MODEL)} in object.metadata.labels"
    digest = (
        "!variables.served || (has(object.metadata.annotations) && "
        f"{_text(MODEL_DIGEST)} in object.metadata.annotations && "
        f"object.metadata.annotations[{_text(MODEL_DIGEST)}].matches('^sha256:[0-9a-f]{{64}}$'))"
    )
    said = f"a pod with the label {MODEL} needs the annotation {MODEL_DIGEST}: sha256:..."
    return _Rule("models", _PODS, ((digest, said),), (("served", served),))


def _gpus(site: Site) -> _Rule:
    """A GPU pod that names no GPU pool may wait for ever, or land where its team has no
    claim; a node that is no GPU node must not be taken for one."""
    pools = [pool for pool in site.pools if pool.gpu]
    names = _list(site.gpu_resources)
    asks = (
        "(object.spec.containers + "
        "(has(object.spec.initContainers) ? object.spec.initContainers : []))"
        ".exists(c, has(c.resources.limits) && "
        f"{names}.exists(r, r in c.resources.limits && quantity(c.resources.limits[r])"
        ".isGreaterThan(quantity('0'))))"
    )
    selected = "has(object.spec.nodeSelector) && (" + _any(_selected(pool) for pool in pools) + ")"
    required = "object.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution"
    bound = (
        f"has(object.spec.affinity) && has(object.spec.affinity.nodeAffinity) && has({required}) "
        f"&& {required}.nodeSelectorTerms.all(t, has(t.matchExpressions) && ("
        + _any(_bound(pool) for pool in pools)
        + "))"
    )
    where = ", ".join(pool.name for pool in pools) or "none here"
    said = f"a pod with GPUs must select the nodes of a GPU pool of this cluster ({where})"
    variables = (("asks", asks), ("selected", selected), ("bound", bound))
    check = "!variables.asks || variables.selected || variables.bound"
    return _Rule("gpus", _PODS, ((check, said),), variables)


def _selected(pool: Pool) -> str:
    parts = (
        f"({_text(key)} in object.spec.nodeSelector && "
        f"object.spec.nodeSelector[{_text(key)}] == {_text(value)})"
        for key, value in sorted(pool.selector.items())
    )
    return "(" + " && ".join(parts) + ")"


def _bound(pool: Pool) -> str:
    parts = (
        f"t.matchExpressions.exists(e, e.key == {_text(key)} && e.operator == 'In' && "
        f"e.values == [{_text(value)}])"
        for key, value in sorted(pool.selector.items())
    )
    return "(" + " && ".join(parts) + ")"


def _accounts(site: Site) -> _Rule:
    """An annotation is all it takes to ask the cloud for another's identity."""
    own = _list([site.client_id] if site.client_id else [])
    keys = _list(_IDENTITIES)
    check = (
        "!has(object.metadata.annotations) || "
        f"{keys}.all(k, !(k in object.metadata.annotations) || "
        f"object.metadata.annotations[k] in {own})"
    )
    said = "a service account may carry only the workload identity of this cluster"
    return _Rule("identities", _ACCOUNTS, ((check, said),))


def _lifetimes() -> _Rule:
    """What is tried out ends by itself: the kubelet keeps the time, and needs no help. What
    the fleet file declares ends when it is taken out of there."""
    key = _text(TTL_SECONDS)
    annotations = "namespaceObject.metadata.annotations"
    limited = (
        f"has({annotations}) && {key} in {annotations} && !(has(object.metadata.labels) && "
        f"{_list([SERVICE, JOB])}.exists(k, k in object.metadata.labels))"
    )
    check = (
        "!variables.limited || (has(object.spec.activeDeadlineSeconds) && "
        f"object.spec.activeDeadlineSeconds <= int({annotations}[{key}]))"
    )
    said = (
        "pods here need activeDeadlineSeconds of at most what the annotation "
        f"{TTL_SECONDS} of their namespace says"
    )
    variables = (("limited", limited),)
    return _Rule("lifetimes", _PODS, ((check, said),), variables, actions=("Deny",))


def _policy(name: str, rule: _Rule) -> Manifest:
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [rule.target]},
        "variables": [{"name": key, "expression": text} for key, text in rule.variables],
        "validations": [{"expression": text, "message": said} for text, said in rule.checks],
    }
    if not rule.variables:
        del spec["variables"]
    return manifest(_GROUP, "ValidatingAdmissionPolicy", named(name), spec=spec)


def _binding(name: str, site: Site, actions: tuple[str, ...]) -> Manifest:
    chosen = {"namespaceSelector": {"matchLabels": {FLEET: site.fleet}}}
    spec = {
        "policyName": name,
        "validationActions": list(actions),
        "matchResources": chosen,
    }
    return manifest(_GROUP, "ValidatingAdmissionPolicyBinding", named(name), spec=spec)


def _text(value: str) -> str:
    """A string of CEL: JSON's escapes are a part of CEL's."""
    return json.dumps(value)


def _list(values: list[str] | tuple[str, ...]) -> str:
    return json.dumps(list(values))


def _any(parts: Iterator[str]) -> str:
    return " || ".join(parts) or "false"

"""What a real API server knows of its types, as far as delivery meets it: which lists are
associative, which values are whole, and what is filled in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Node = dict[str, Any]

SET = ("",)  # a list of scalars without order
_BY_NAME = ("name",)
_KEYS: Mapping[str, tuple[str, ...]] = {
    "containers": _BY_NAME,
    "initContainers": _BY_NAME,
    "volumes": _BY_NAME,
    "env": _BY_NAME,
    "imagePullSecrets": _BY_NAME,
    "variables": _BY_NAME,
    "matchConditions": _BY_NAME,
    "volumeMounts": ("mountPath",),
    "conditions": ("type",),
    "ownerReferences": ("uid",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "finalizers": SET,
}
# Maps that are one value, whoever writes them.
_WHOLE = frozenset({"selector", "nodeSelector", "podSelector", "namespaceSelector", "matchLabels"})
KEY_DEFAULTS: Mapping[str, Any] = {"protocol": "TCP"}
# What may not change: (group, kind) and the field of its spec.
IMMUTABLE: Mapping[tuple[str, str], str] = {
    ("apps", "Deployment"): "selector",
    ("batch", "Job"): "template",
}


def list_keys(path: tuple[str, ...]) -> tuple[str, ...]:
    """The keys of the items of the list at ``path``; empty for a list that is one value."""
    name = path[-1].removeprefix("f:")
    if name == "ports":
        return ("containerPort", "protocol") if "f:containers" in path else ("port", "protocol")
    return _KEYS.get(name, ())


def is_whole(path: tuple[str, ...]) -> bool:
    """Whether the map at ``path`` is one value."""
    return path[-1].removeprefix("f:") in _WHOLE


def fill_in(item: Node) -> None:
    """Defaults, and quantities in the form in which they are kept."""
    rule = _DEFAULTS.get(item["kind"])
    if rule is not None:
        rule(item)
    _canonical(item.get("spec"))


def _deployment(item: Node) -> None:
    spec = item.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)
    spec.setdefault("strategy", {"type": "RollingUpdate"})
    _pod(spec)


def _job(item: Node) -> None:
    spec = item.setdefault("spec", {})
    spec.setdefault("backoffLimit", 6)
    spec.setdefault("suspend", False)
    _pod(spec)


def _pod(spec: Node) -> None:
    template = spec.get("template")
    pod = template.get("spec") if isinstance(template, dict) else None
    if not isinstance(pod, dict):
        return
    pod.setdefault("dnsPolicy", "ClusterFirst")
    pod.setdefault("restartPolicy", "Always")
    for container in [*pod.get("containers", ()), *pod.get("initContainers", ())]:
        container.setdefault("imagePullPolicy", "IfNotPresent")
        for port in container.get("ports", ()):
            port.setdefault("protocol", "TCP")


def _service(item: Node) -> None:
    spec = item.setdefault("spec", {})
    spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    for port in spec.get("ports", ()):
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port["port"])


def _namespace(item: Node) -> None:
    item["metadata"].setdefault("labels", {}).setdefault(
        "kubernetes.io/metadata.name", item["metadata"]["name"]
    )
    item.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
    item.setdefault("status", {"phase": "Active"})


_DEFAULTS: Mapping[str, Callable[[Node], None]] = {
    "Deployment": _deployment,
    "Job": _job,
    "Service": _service,
    "Namespace": _namespace,
}
_QUANTITIES = frozenset({"limits", "requests", "hard"})


def _canonical(node: object) -> None:
    """``1000m`` is kept as ``1``, and ``0.5`` as ``500m``: as much as tests need."""
    if isinstance(node, list):
        for item in node:
            _canonical(item)
    elif isinstance(node, dict):
        for name, value in node.items():
            if name in _QUANTITIES and isinstance(value, dict):
                node[name] = {key: _quantity(text) for key, text in value.items()}
            else:
                _canonical(value)


def _quantity(written: Any) -> str:
    text = str(written)
    if text.endswith("m") and text[:-1].isdigit():
        milli = int(text[:-1])
    elif text.replace(".", "", 1).isdigit():
        milli = round(float(text) * 1000)
    else:
        return text
    return str(milli // 1000) if milli % 1000 == 0 else f"{milli}m"

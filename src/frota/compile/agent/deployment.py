"""The pull agent itself, as objects: its namespace, identity, settings, pod and network."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from frota.compile.agent.rights import AGENT, AGENT_NAMESPACE, STATE, guards, rights
from frota.compile.kubernetes.labels import CLUSTER, FLEET, MANAGED_BY, Manifest, manifest, named
from frota.model.objects import Object

TRUST, KUBECONFIG, CREDENTIALS = "frota-agent-trust", "frota-agent-kubeconfig", "frota-agent-store"
BUNDLES_SAS, STATUS_SAS = "bundles.sas", "status.sas"
_KEY_FILE = "keys.pem"
_TRUST_AT, _KUBECONFIG_AT = "/etc/frota/trust", "/etc/frota/kubeconfig"
_CREDENTIALS_AT, _STATE_AT = "/etc/frota/store", "/var/lib/frota-agent"
_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105 - a path
_USER = 65532  # nobody's number in any usual image
_LINK_LOCAL = "169.254.0.0/16"  # where clouds hand out identities
_POD = {"app.kubernetes.io/name": AGENT}


@dataclass(frozen=True, slots=True)
class AgentPod:
    """What the agent of one cluster is to be. ``keys``: the text of the public keys it
    trusts. ``client_id``: the workload identity with which it opens the store; empty: two
    SAS in the Secret ``frota-agent-store``. ``dns``: namespace and labels of the pods that
    answer DNS; ``api_ports``: TCP ports of the API server's endpoints."""

    fleet: str
    cluster: str
    store: str
    image: str
    keys: str
    client_id: str = ""
    dns_namespace: str = "kube-system"
    dns_labels: Mapping[str, str] = field(default_factory=lambda: {"k8s-app": "kube-dns"})
    api_ports: tuple[int, ...] = (443, 6443)


def agent_manifests(pod: AgentPod, objects: Iterable[Object]) -> tuple[Object, ...]:
    """All that an administrator applies to a cluster, in order: what fences the agent in,
    its rights over the objects of the cluster, and the agent. Raises ValueError as
    ``rights`` does."""
    held = list(objects)
    ours = [*_place(pod), *rights(held), *_settings(pod), _network(pod), _deployment(pod)]
    common = {MANAGED_BY: "frota", FLEET: pod.fleet, CLUSTER: pod.cluster}
    for item in ours:
        metadata = item["metadata"]
        metadata["labels"] = {**metadata.get("labels", {}), **common}
    return (*guards(held), *ours)


def _place(pod: AgentPod) -> Iterator[Manifest]:
    levels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
    yield manifest("v1", "Namespace", named(AGENT_NAMESPACE, "", levels))
    annotations = {"azure.workload.identity/client-id": pod.client_id} if pod.client_id else None
    yield manifest(
        "v1",
        "ServiceAccount",
        named(AGENT, AGENT_NAMESPACE, None, annotations),
        automountServiceAccountToken=False,  # only the agent's own pod asks for it
    )


def _settings(pod: AgentPod) -> Iterator[Manifest]:
    # Without data: applying this again never sets the agent's memory back.
    yield manifest("v1", "ConfigMap", named(STATE, AGENT_NAMESPACE))
    yield manifest("v1", "ConfigMap", named(TRUST, AGENT_NAMESPACE), data={_KEY_FILE: pod.keys})
    yield manifest(
        "v1", "ConfigMap", named(KUBECONFIG, AGENT_NAMESPACE), data={"config": _kubeconfig()}
    )


def _kubeconfig() -> str:
    """The way to the cluster's own API server. It names the token's file and holds none."""
    server = {
        "server": "https://kubernetes.default.svc",
        "certificate-authority": f"{_TOKEN}/ca.crt",
    }
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "own", "cluster": server}],
        "users": [{"name": "own", "user": {"tokenFile": f"{_TOKEN}/token"}}],
        "contexts": [{"name": "own", "context": {"cluster": "own", "user": "own"}}],
        "current-context": "own",
    }
    return json.dumps(document, indent=1)


def _network(pod: AgentPod) -> Manifest:
    """Nobody reaches the agent. It reaches DNS, the API server and HTTPS, but nothing that
    is link-local: no token of the node's identity."""
    dns = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": pod.dns_namespace}},
        "podSelector": {"matchLabels": dict(pod.dns_labels)},
    }
    anywhere = {"ipBlock": {"cidr": "0.0.0.0/0", "except": [_LINK_LOCAL]}}
    ports = [{"protocol": "TCP", "port": port} for port in sorted({443, *pod.api_ports})]
    return manifest(
        "networking.k8s.io/v1",
        "NetworkPolicy",
        named(AGENT, AGENT_NAMESPACE),
        spec={
            "podSelector": {},
            "policyTypes": ["Egress", "Ingress"],
            "egress": [
                {
                    "to": [dns],
                    "ports": [{"protocol": name, "port": 53} for name in ("TCP", "UDP")],
                },
                {"to": [anywhere, {"ipBlock": {"cidr": "::/0", "except": ["fe80::/10"]}}],
                 "ports": ports},
            ],
        },
    )  # fmt: skip


def _deployment(pod: AgentPod) -> Manifest:
    labels = dict(_POD)
    if pod.client_id:
        labels["azure.workload.identity/use"] = "true"
    return manifest(
        "apps/v1",
        "Deployment",
        named(AGENT, AGENT_NAMESPACE),
        spec={
            "replicas": 1,
            "strategy": {"type": "Recreate"},  # never two of them
            "selector": {"matchLabels": _POD},
            "template": {"metadata": {"labels": labels}, "spec": _pod(pod)},
        },
    )


def _pod(pod: AgentPod) -> dict[str, Any]:
    volumes: list[dict[str, Any]] = [
        {"name": "trust", "configMap": {"name": TRUST}},
        {"name": "kubeconfig", "configMap": {"name": KUBECONFIG}},
        {"name": "state", "emptyDir": {"sizeLimit": "512Mi"}},
    ]
    mounts: list[dict[str, Any]] = [
        {"name": "trust", "mountPath": _TRUST_AT, "readOnly": True},
        {"name": "kubeconfig", "mountPath": _KUBECONFIG_AT, "readOnly": True},
        {"name": "state", "mountPath": _STATE_AT},
    ]
    if not pod.client_id:
        # Mounted, so that no right to read Secrets is needed; 0440: the group is the pod's.
        secret = {"secretName": CREDENTIALS, "defaultMode": 0o440}
        volumes.append({"name": "store", "secret": secret})
        mounts.append({"name": "store", "mountPath": _CREDENTIALS_AT, "readOnly": True})
    return {
        "serviceAccountName": AGENT,
        "automountServiceAccountToken": True,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "fsGroup": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(pod, mounts)],
        "volumes": volumes,
    }


def _container(pod: AgentPod, mounts: list[dict[str, Any]]) -> dict[str, Any]:
    args = ["agent", "run", "--fleet", pod.fleet, "--cluster", pod.cluster]
    args += ["--bundles", pod.store, "--trust", f"{_TRUST_AT}/{_KEY_FILE}", "--state", _STATE_AT]
    args += ["--kubeconfig", f"{_KUBECONFIG_AT}/config"]
    if not pod.client_id:
        args += ["--bundles-sas", f"{_CREDENTIALS_AT}/{BUNDLES_SAS}"]
        args += ["--status-sas", f"{_CREDENTIALS_AT}/{STATUS_SAS}"]
    return {
        "name": "agent",
        "image": pod.image,
        "args": args,
        "resources": {
            "requests": {"cpu": "50m", "memory": "192Mi"},
            "limits": {"memory": "1Gi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": mounts,
    }

"""Who may speak to whom: nobody, except as declared.

Every namespace denies everything both ways; each further policy is one flow of one
workload. The address at which clouds hand out a node's credentials (link-local,
169.254.0.0/16) is cut out of every network that holds it, unless it is declared by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from frota.compile.kubernetes.labels import (
    GPU_NAMESPACE,
    JOB,
    SERVICE,
    SYSTEM_NAMESPACE,
    Manifest,
    fitted,
    manifest,
    named,
)
from frota.compile.kubernetes.site import Flow, Job, ModelRef, Peer, Service, Site
from frota.compile.kubernetes.sources import endpoint

Network = IPv4Network | IPv6Network
# Link-local, the metadata services in it and beside it, and the host agent of Azure.
_HIDDEN: tuple[Network, ...] = tuple(
    ip_network(text)
    for text in (
        "168.63.129.16/32",
        "169.254.0.0/16",
        "169.254.169.254/32",
        "fd00:ec2::254/128",
        "fe80::/10",
    )
)
_ANYWHERE = "0.0.0.0/0"
_DNS = 53
DCGM_PORT = 9400
DCGM_EXPORTER = {"app.kubernetes.io/name": "dcgm-exporter"}
MODEL_STORE = "model-store"
_NAMESPACE_NAME = "kubernetes.io/metadata.name"  # set by the API server itself


def policies(site: Site) -> Iterator[Manifest]:
    """The policies of a cluster, but for those of its workloads."""
    yield _deny(SYSTEM_NAMESPACE)
    if site.gpu_resources:
        yield _deny(GPU_NAMESPACE)
        yield _scraped(site, "from-metrics", GPU_NAMESPACE, DCGM_EXPORTER, DCGM_PORT)
    for tenancy in site.tenancies:
        yield _deny(tenancy.namespace)
        yield _names(site, tenancy.namespace)


def _deny(namespace: str) -> Manifest:
    spec = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    return manifest("networking.k8s.io/v1", "NetworkPolicy", named("deny", namespace), spec=spec)


def _names(site: Site, namespace: str) -> Manifest:
    ports = [{"protocol": protocol, "port": _DNS} for protocol in ("TCP", "UDP")]
    rule = {"to": [_peer(site.dns)], "ports": ports}
    return _policy("names", namespace, {}, egress=[rule])


def of_service(site: Site, service: Service) -> Iterator[Manifest]:
    """The flows of one service."""
    chosen, namespace = {SERVICE: service.name}, service.namespace
    if service.gateway:
        rule = {"from": [_peer(service.gateway)], "ports": _tcp(service.port)}
        name = _named("serve", service.name, "from", "gateway")
        yield _policy(name, namespace, chosen, ingress=[rule])
    port = service.metrics_port or service.port
    name = _named("serve", service.name, "from", "metrics")
    yield _scraped(site, name, namespace, chosen, port)
    if service.nodes_per_replica > 1:
        yield _among(_named("serve", service.name, "among"), namespace, chosen)
    for flow in (*_store_flows(service.model, service.egress), *service.egress):
        yield _outward(_named("serve", service.name, "to", flow.name), namespace, chosen, flow)


def of_job(job: Job) -> Iterator[Manifest]:
    """The flows of one job."""
    chosen = {JOB: job.name}
    if job.nodes > 1:
        yield _among(_named("train", job.name, "among"), job.namespace, chosen)
    store = _store_flows(job.model, job.egress) if job.model else ()
    for flow in (*store, *job.egress):
        yield _outward(_named("train", job.name, "to", flow.name), job.namespace, chosen, flow)


def _named(*words: str) -> str:
    """Names of workloads hold no dots: joined by them, no two policies share a name."""
    return fitted(*words, by=".")


def _scraped(site: Site, name: str, namespace: str, chosen: dict[str, str], port: int) -> Manifest:
    rule = {"from": [_peer(Peer(site.telemetry))], "ports": _tcp(port)}
    return _policy(name, namespace, chosen, ingress=[rule])


def _among(name: str, namespace: str, chosen: dict[str, str]) -> Manifest:
    """The pods of one workload among each other, at any port: collective communication
    picks its ports as it goes."""
    own = {"podSelector": {"matchLabels": chosen}}
    policy = _policy(name, namespace, chosen, ingress=[{"from": [own]}])
    policy["spec"]["egress"] = [{"to": [own]}]
    policy["spec"]["policyTypes"] = ["Ingress", "Egress"]
    return policy


def _outward(name: str, namespace: str, chosen: dict[str, str], flow: Flow) -> Manifest:
    to = _peer(Peer(flow.namespace)) if flow.namespace else {"ipBlock": _block(flow.cidr)}
    rule = {"to": [to], "ports": _tcp(flow.port)}
    return _policy(name, namespace, chosen, egress=[rule])


def _store_flows(model: ModelRef, declared: tuple[Flow, ...]) -> Iterator[Flow]:
    """The way to where the model is kept, unless a flow of that name says it better.

    A network policy knows no names of hosts: a store outside the cluster that is named by
    one is reached at any address, at its one port, link-local addresses excepted.
    """
    if any(flow.name == MODEL_STORE for flow in declared):
        return
    store = endpoint(model.source)
    if store is None:
        return
    inside = _namespace_of(store.host)
    yield Flow(MODEL_STORE, store.port, "" if inside else _network_of(store.host), inside)


def _namespace_of(host: str) -> str:
    """The namespace in the cluster-local name of a service, ``NAME.NAMESPACE.svc[…]``."""
    parts = host.split(".")
    return parts[1] if len(parts) >= 3 and parts[2] == "svc" else ""


def _network_of(host: str) -> str:
    try:
        return str(ip_network(host))
    except ValueError:
        return _ANYWHERE


def _block(cidr: str) -> Manifest:
    """A network without the addresses in it that give a node's credentials away; one of
    them alone was declared on purpose."""
    network = ip_network(cidr)
    hidden = [part for part in _HIDDEN if _holds(network, part)]
    wide = [part for part in hidden if not any(_holds(other, part) for other in hidden)]
    return {"cidr": cidr, "except": [str(part) for part in wide]} if wide else {"cidr": cidr}


def _holds(network: Network, part: Network) -> bool:
    """Whether ``part`` lies in a network that is more than it."""
    larger = network.version == part.version and network.prefixlen < part.prefixlen
    return larger and part.network_address in network


def _peer(peer: Peer) -> Manifest:
    found: dict[str, Any] = {
        "namespaceSelector": {"matchLabels": {_NAMESPACE_NAME: peer.namespace}}
    }
    if peer.labels:
        found["podSelector"] = {"matchLabels": dict(peer.labels)}
    return found


def _tcp(port: int) -> list[Manifest]:
    return [{"protocol": "TCP", "port": port}]


def _policy(
    name: str,
    namespace: str,
    chosen: dict[str, str],
    *,
    ingress: list[Manifest] | None = None,
    egress: list[Manifest] | None = None,
) -> Manifest:
    spec: dict[str, Any] = {
        "podSelector": {"matchLabels": dict(chosen)} if chosen else {},
        "policyTypes": ["Ingress" if ingress is not None else "Egress"],
    }
    if ingress is not None:
        spec["ingress"] = ingress
    if egress is not None:
        spec["egress"] = egress
    return manifest("networking.k8s.io/v1", "NetworkPolicy", named(name, namespace), spec=spec)

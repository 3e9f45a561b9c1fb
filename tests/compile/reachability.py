"""Who can reach whom, worked out from policies alone: an evaluator of NetworkPolicy written
from its Kubernetes page, independent of the compiler.

Of blocks of addresses only the world outside the cluster is taken: whether they match pods
too is left open by Kubernetes, and every pod here is behind policies of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

from frota.model.objects import Object


@dataclass(frozen=True)
class Pod:
    """A pod somewhere."""

    namespace: str
    name: str
    labels: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


End = Pod | str  # a pod, or an address outside


@dataclass(frozen=True)
class Cluster:
    """The policies of a cluster, and the labels of its namespaces."""

    policies: tuple[Object, ...]
    namespaces: Mapping[str, Mapping[str, str]]

    def open(self, source: End, target: End, port: int, protocol: str = "TCP") -> bool:
        """Whether a connection from ``source`` to ``target`` is let through at both ends."""
        out = isinstance(source, str) or self._lets(source, target, port, protocol, "Egress")
        into = isinstance(target, str) or self._lets(target, source, port, protocol, "Ingress")
        return out and into

    def _lets(self, pod: Pod, other: End, port: int, protocol: str, way: str) -> bool:
        over = [policy for policy in self.policies if self._selects(policy, pod, way)]
        if not over:
            return True  # a pod that no policy selects is not isolated
        return any(
            self._matches(rule, policy, other, port, protocol, way)
            for policy in over
            for rule in policy["spec"].get(way.lower()) or []
        )

    def _selects(self, policy: Object, pod: Pod, way: str) -> bool:
        spec = policy["spec"]
        ways = spec.get("policyTypes") or ["Ingress", *(["Egress"] if "egress" in spec else [])]
        return (
            policy["metadata"]["namespace"] == pod.namespace
            and way in ways
            and _selected(spec["podSelector"], pod.labels)
        )

    def _matches(
        self, rule: Any, policy: Object, other: End, port: int, protocol: str, way: str
    ) -> bool:
        peers = rule.get("from" if way == "Ingress" else "to")
        ports = rule.get("ports")
        right_port = not ports or any(_port(item, port, protocol) for item in ports)
        namespace = policy["metadata"]["namespace"]
        return right_port and (
            not peers or any(self._peer(peer, other, namespace) for peer in peers)
        )

    def _peer(self, peer: Any, other: End, namespace: str) -> bool:
        if "ipBlock" in peer:
            return isinstance(other, str) and _in_block(peer["ipBlock"], other)
        if isinstance(other, str):
            return False
        if "namespaceSelector" in peer:
            right = _selected(peer["namespaceSelector"], self.namespaces[other.namespace])
        else:
            right = other.namespace == namespace
        return right and _selected(peer.get("podSelector", {}), other.labels)

    def flows(self, ends: Iterable[End], ports: Iterable[int]) -> set[str]:
        """Every TCP connection between two of these that is open, as ``a -> b:port``."""
        every, at = list(ends), list(ports)
        return {
            f"{source} -> {target}:{port}"
            for source in every
            for target in every
            for port in at
            if source != target
            and not (isinstance(source, str) and isinstance(target, str))
            and self.open(source, target, port)
        }


def _selected(selector: Any, labels: Mapping[str, str]) -> bool:
    for key, value in (selector.get("matchLabels") or {}).items():
        if labels.get(key) != value:
            return False
    for one in selector.get("matchExpressions") or []:
        found, values = labels.get(one["key"]), one.get("values", [])
        holds = {
            "In": found in values,
            "NotIn": found not in values,
            "Exists": found is not None,
            "DoesNotExist": found is None,
        }
        if not holds[one["operator"]]:
            return False
    return True


def _port(item: Any, port: int, protocol: str) -> bool:
    if item.get("protocol", "TCP") != protocol:
        return False
    first = item.get("port")
    if first is None:
        return True
    return bool(first <= port <= item.get("endPort", first))


def _in_block(block: Any, address: str) -> bool:
    where = ip_address(address)
    return where in ip_network(block["cidr"]) and not any(
        where in ip_network(part) for part in block.get("except", [])
    )

"""Documents of a small fleet, for tests: each right, each easily made wrong."""

from __future__ import annotations

from typing import Any

Doc = dict[str, Any]
DIGEST = "sha256:" + "ab" * 32
IMAGE = f"registry.example/vllm@{DIGEST}"


def document(kind: str, name: str, spec: Doc) -> Doc:
    return {
        "apiVersion": "frota.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": spec,
    }


def fleet(name: str = "acme", **spec: Any) -> Doc:
    regions = [{"name": "east", "standsInFor": ["west"]}, {"name": "west"}]
    return document("Fleet", name, {"regions": regions} | spec)


def member(name: str, region: str = "east", **spec: Any) -> Doc:
    base = {
        "provider": "twin",
        "fleet": "acme",
        "function": "inference",
        "environment": "prod",
        "region": region,
        "nodePools": [{"name": "gpu", "count": 4, "gpu": {"model": "A100", "count": 8}}],
    }
    return document("Cluster", name, base | spec)


def team(name: str = "ml", **spec: Any) -> Doc:
    return document("Team", name, {"fleet": "acme", "members": {"team": [name]}} | spec)


def service(name: str = "chat", **spec: Any) -> Doc:
    base = {
        "team": "ml",
        "model": {
            "name": "llama-8b",
            "version": "1",
            "digest": DIGEST,
            "source": "az://models/llama-8b",
        },
        "runtime": {"image": IMAGE},
        "resources": {"cpus": 8, "memory": "64Gi", "gpu": {"model": "A100"}},
        "replicas": 2,
    }
    return document("InferenceService", name, base | spec)


def job(name: str = "sft", **spec: Any) -> Doc:
    base = {
        "team": "ml",
        "image": IMAGE,
        "resources": {"cpus": 8, "memory": "64Gi", "gpu": {"model": "A100", "count": 8}},
        "nodes": 2,
    }
    return document("TrainingJob", name, base | spec)


def pair() -> tuple[Doc, ...]:
    """A fleet of two inference clusters in two regions, and a team."""
    return fleet(), member("a", "east"), member("b", "west"), team()

"""JSON Schema and Kubernetes CustomResourceDefinitions of the kinds that people write.

Both come from the pydantic models. A CRD takes a structural schema only
(apiextensions.k8s.io/v1): no references, null, const or additionalProperties beside
properties; nothing of the kind is left in what ``crd`` returns. Tests hold it to the rules of
KEP-2335, and kube-apiserver 1.36 takes all of them.
"""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from typing import Any

from frota.resources.fields import API_VERSION
from frota.resources.kinds import FORMS, WRITTEN

Schema = dict[str, Any]

GROUP, VERSION = API_VERSION.split("/")
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_PLURALS = {
    "HostGroup": "hostgroups",
    "Fleet": "fleets",
    "Cluster": "clusters",
    "Team": "teams",
    "InferenceService": "inferenceservices",
    "TrainingJob": "trainingjobs",
}
_SHORT_NAMES = {
    "HostGroup": ["hg"],
    "Fleet": ["fl"],
    "Cluster": ["fcl"],
    "Team": ["ftm"],
    "InferenceService": ["fis"],
    "TrainingJob": ["ftj"],
}
_COLUMNS = {
    "HostGroup": (("Provider", ".spec.provider"),),
    "Fleet": (("Drift", ".spec.delivery.drift"),),
    "Cluster": (
        ("Fleet", ".spec.fleet"),
        ("Host Group", ".spec.hostGroup"),
        ("Function", ".spec.function"),
        ("Environment", ".spec.environment"),
        ("Region", ".spec.region"),
    ),
    "Team": (("Fleet", ".spec.fleet"),),
    "InferenceService": (
        ("Team", ".spec.team"),
        ("Model", ".spec.model.name"),
        ("Version", ".spec.model.version"),
        ("Traffic", ".spec.traffic.mode"),
    ),
    "TrainingJob": (("Team", ".spec.team"), ("Queue", ".spec.queue")),
}
_NOT_STRUCTURAL = ("additionalProperties", "propertyNames", "examples")
_VALUES = ("default", "examples", "enum")  # keys whose values are no schemas


def json_schema(kind: str) -> Schema:
    """The schema of one kind for editors and other tools, without references."""
    schema = deepcopy(inlined(kind))
    return {"$schema": _DIALECT, "$id": f"https://{GROUP}/{VERSION}/{kind}.json"} | schema


@cache
def inlined(kind: str) -> Schema:
    """The schema of one kind, without references and without null. Do not change it."""
    schema = {**WRITTEN, **FORMS}[kind].model_json_schema()
    definitions = schema.pop("$defs", {})
    plain: Schema = _plain(schema, definitions)
    return plain | {"title": kind}


def crd(kind: str) -> Schema:
    """The CustomResourceDefinition of one kind."""
    plural = _PLURALS[kind]
    columns = [{"name": name, "type": "string", "jsonPath": path} for name, path in _COLUMNS[kind]]
    columns.append({"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"})
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": _structural_root(kind)},
        "subresources": {"status": {}},
        "additionalPrinterColumns": columns,
    }
    names = {
        "kind": kind,
        "listKind": f"{kind}List",
        "plural": plural,
        "singular": kind.lower(),
        "shortNames": _SHORT_NAMES[kind],
        "categories": ["frota"],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {"group": GROUP, "names": names, "scope": "Cluster", "versions": [version]},
    }


def _plain(node: Any, definitions: Schema) -> Any:
    if isinstance(node, list):
        return [_plain(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    node = dict(node)
    if "$ref" in node:
        target = definitions[node.pop("$ref").removeprefix("#/$defs/")]
        # What a field says of itself goes before what its type says.
        node = {**target, **node}
    choices = node.get("anyOf", [])
    if {"type": "null"} in choices:
        (only,) = (choice for choice in choices if choice != {"type": "null"})
        del node["anyOf"]
        if node.get("default", ...) is None:
            del node["default"]
        return _plain({**only, **node}, definitions)
    if "const" in node:
        node["enum"] = [node.pop("const")]
    if "patternProperties" in node:
        node["additionalProperties"] = False
    return {
        key: _plain_part(key, value, definitions) for key, value in node.items() if key != "title"
    }


def _plain_part(key: str, value: Any, definitions: Schema) -> Any:
    if key == "default" and isinstance(value, dict):
        return {name: part for name, part in value.items() if part is not None}
    if key in _VALUES:
        return value
    if key in ("properties", "patternProperties"):
        return {name: _plain(part, definitions) for name, part in value.items()}
    return _plain(value, definitions)


def _structural_root(kind: str) -> Schema:
    """The API server checks apiVersion, kind and metadata itself."""
    root = inlined(kind)
    return {
        "type": "object",
        "description": root["description"],
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": _structural(root["properties"]["spec"]),
            "status": _status(),
        },
    }


def _structural(node: Schema) -> Schema:
    kept = {key: value for key, value in node.items() if key not in _NOT_STRUCTURAL}
    if "properties" in kept:
        kept["properties"] = {name: _structural(part) for name, part in kept["properties"].items()}
    if "items" in kept:
        kept["items"] = _structural(kept["items"])
    # A map with patterned keys: the server knows maps, not the patterns of their keys.
    for value in kept.pop("patternProperties", {}).values():
        kept["additionalProperties"] = _structural(value)
    if isinstance(node.get("additionalProperties"), dict):
        kept["additionalProperties"] = _structural(node["additionalProperties"])
    if kept.get("x-kubernetes-int-or-string"):
        kept.pop("type", None)
    return kept


def _status() -> Schema:
    text = {"type": "string"}
    condition = {
        "type": "object",
        "required": ["type", "status", "lastTransitionTime", "reason", "message"],
        "properties": {
            "type": text,
            "status": {"type": "string", "enum": ["True", "False", "Unknown"]},
            "observedGeneration": {"type": "integer", "format": "int64", "minimum": 0},
            "lastTransitionTime": {"type": "string", "format": "date-time"},
            "reason": text,
            "message": text,
        },
    }
    return {
        "type": "object",
        "description": "What Frota last saw and did.",
        "x-kubernetes-preserve-unknown-fields": True,
        "properties": {
            "observedGeneration": {"type": "integer", "format": "int64", "minimum": 0},
            "conditions": {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["type"],
                "items": condition,
            },
        },
    }

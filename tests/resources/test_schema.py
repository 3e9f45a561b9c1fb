"""Schemas: as strict as an API server about their form, true to the kinds, and current."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from frota.resources.documents import load
from frota.resources.kinds import WRITTEN
from frota.resources.schema import Schema, crd, inlined, json_schema
from tests.resources.members import job, member, pair, service
from tests.resources.test_bad_input import CLUSTER, GROUP, REAL
from tools.generate import END, ROOT, fields, outputs

KINDS = sorted(WRITTEN)
# The keys of a schema that apiextensions.k8s.io/v1 knows and we use; it refuses others.
KNOWN = {
    "type", "description", "properties", "required", "items", "additionalProperties", "default",
    "enum", "pattern", "format", "minimum", "maximum", "minLength", "maxLength", "minItems",
    "maxItems", "anyOf", "x-kubernetes-int-or-string", "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys", "x-kubernetes-preserve-unknown-fields",
}  # fmt: skip
TYPES = {"object", "array", "string", "integer", "number", "boolean"}


def nodes(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    yield path, schema
    for name, part in schema.get("properties", {}).items():
        yield from nodes(part, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from nodes(schema[key], f"{path}[]")


def structural(kind: str) -> Schema:
    (version,) = crd(kind)["spec"]["versions"]
    schema: Schema = version["schema"]["openAPIV3Schema"]
    return schema


@pytest.mark.parametrize("kind", KINDS)
def test_structural_form(kind: str) -> None:
    """The rules of structural schemas (KEP-2335, apiextensions.k8s.io/v1 validation)."""
    for path, node in nodes(structural(kind)):
        assert set(node) <= KNOWN, path
        if node.get("x-kubernetes-int-or-string"):
            assert "type" not in node, path
            assert node["anyOf"] == [{"type": "integer"}, {"type": "string"}], path
        else:
            assert node.get("type") in TYPES, path
            assert "anyOf" not in node, path
        assert not ("properties" in node and "additionalProperties" in node), path
        assert (node.get("type") == "array") == ("items" in node), path
        assert set(node.get("required", ())) <= set(node.get("properties", {})), path
        for value in node.get("enum", ()):
            assert accepts({**node, "enum": [value]}, value), path
        if "default" in node:
            assert accepts(node, node["default"]), path
        for key in node.get("x-kubernetes-list-map-keys", ()):
            assert key in node["items"]["required"], path
            assert node["items"]["properties"][key]["type"] == "string", path


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_root_may_say(kind: str) -> None:
    root = structural(kind)
    assert root["type"] == "object"
    assert set(root["properties"]) == {"apiVersion", "kind", "metadata", "spec", "status"}
    assert root["properties"]["metadata"] == {"type": "object"}
    assert "default" not in root


@pytest.mark.parametrize("kind", KINDS)
def test_the_definition_around_the_schema(kind: str) -> None:
    definition = crd(kind)
    spec, names = definition["spec"], definition["spec"]["names"]
    assert definition["metadata"]["name"] == f"{names['plural']}.{spec['group']}"
    assert names["plural"] == names["plural"].lower()
    assert names["listKind"] == f"{kind}List"
    (version,) = spec["versions"]
    assert version["served"]
    assert version["storage"]
    assert version["subresources"] == {"status": {}}
    paths = {path for path, _ in nodes(structural(kind))}
    for column in version["additionalPrinterColumns"]:
        assert column["jsonPath"].startswith(".metadata.") or column["jsonPath"] in paths


@pytest.mark.parametrize("kind", KINDS)
def test_patterns_are_understood_everywhere(kind: str) -> None:
    """Go's and Rust's engines know no look-around and no back-references; all are anchored."""
    for path, node in nodes(inlined(kind)):
        pattern = node.get("pattern", "^$")
        assert re.compile(pattern), path
        assert not re.search(r"\(\?|\\[1-9]", pattern), path
        assert pattern.startswith("^"), path
        assert pattern.endswith("$"), path


@pytest.mark.parametrize("kind", KINDS)
def test_everything_is_bounded_and_explained(kind: str) -> None:
    for path, schema, _ in fields(kind):
        assert schema.get("description", "").strip().endswith("."), path
        assert schema["examples"], path
        if schema.get("type") in ("integer", "number") and "enum" not in schema:
            assert {"minimum", "maximum"} <= set(schema), path
        if schema.get("type") == "string" and "enum" not in schema:
            assert "pattern" in schema or "maxLength" in schema, path


@pytest.mark.parametrize("kind", KINDS)
def test_no_references_are_left(kind: str) -> None:
    text = str(json_schema(kind))
    for word in ("$ref", "$defs", "'const'", "'null'"):
        assert word not in text


def test_generated_files_are_current() -> None:
    for path, text in outputs().items():
        assert path.read_text(encoding="utf-8") == text, f"{path}: run python -m tools.generate"


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_names_every_field(kind: str) -> None:
    page = (ROOT / "docs" / "kinds" / f"{kind}.md").read_text(encoding="utf-8")
    assert END in page
    for path, schema, _ in fields(kind):
        assert f"| `{path}` |" in page
        assert schema["description"].replace("|", "\\|") in page


@pytest.mark.parametrize("text", [GROUP, REAL, CLUSTER])
def test_schemas_take_what_is_right(text: str) -> None:
    others = () if "HostGroup" in text else (("g", GROUP),)
    loaded = load([("f", text), *others])
    document = loaded.resources[0].document
    assert accepts(inlined(document["kind"]), document)
    assert accepts(structural(document["kind"]), document)


def one_of_each() -> dict[str, dict[str, Any]]:
    documents = (*pair(), member("t", function="training"), service(), job())
    texts = [(str(n), json.dumps(document)) for n, document in enumerate(documents)]
    loaded = load([("g", GROUP), ("c", CLUSTER), *texts])
    assert not loaded.problems
    return {resource.kind: resource.document for resource in loaded.resources}


# A field that each kind has, and a value that it refuses.
WRONG: dict[str, tuple[str, Any]] = {
    "HostGroup": ("provider", "other"),
    "Cluster": ("provider", "other"),
    "Fleet": ("environments", []),
    "Team": ("fleet", "No"),
    "InferenceService": ("replicas", -1),
    "TrainingJob": ("nodes", 0),
}


@pytest.mark.parametrize("kind", KINDS)
def test_schemas_take_one_of_each(kind: str) -> None:
    document = one_of_each()[kind]
    assert accepts(inlined(kind), document)
    assert accepts(structural(kind), document)


@pytest.mark.parametrize("kind", KINDS)
def test_schemas_refuse_what_is_wrong(kind: str) -> None:
    document = one_of_each()[kind]
    field, value = WRONG[kind]
    wrong = [
        document | {"spec": document["spec"] | {field: value}},
        document | {"spec": document["spec"] | {field: None}},
        document | {"spec": []},
        *([document | {"spec": {}}] if kind != "Fleet" else ()),
    ]
    for made in wrong:
        assert not accepts(inlined(kind), made)
        assert not accepts(structural(kind), made)
    assert not accepts(inlined(kind), document | {"other": 1})


def accepts(schema: Schema, value: Any) -> bool:
    """A small validator of the schema words that we use."""
    if "enum" in schema and value not in schema["enum"]:
        return False
    if "anyOf" in schema and not any(accepts(choice, value) for choice in schema["anyOf"]):
        return False
    if isinstance(value, str):
        return _accepts_text(schema, value)
    if isinstance(value, bool) or value is None:
        return schema.get("type", "boolean") == "boolean" and value is not None
    if isinstance(value, int | float):
        whole = isinstance(value, int) or value.is_integer()
        fits = schema.get("minimum", value) <= value <= schema.get("maximum", value)
        return fits and schema.get("type", "integer") in ("number", "integer" if whole else "")
    if isinstance(value, list):
        long = schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value))
        items = schema.get("items", {})
        return schema.get("type") == "array" and long and all(accepts(items, v) for v in value)
    return schema.get("type") == "object" and _accepts_mapping(schema, value)


def _accepts_text(schema: Schema, value: str) -> bool:
    fits = len(value) <= schema.get("maxLength", len(value))
    return (
        fits
        and schema.get("type", "string") == "string"
        and re.search(schema.get("pattern", ""), value) is not None
    )


def _accepts_mapping(schema: Schema, value: dict[str, Any]) -> bool:
    if not set(schema.get("required", ())) <= set(value):
        return False
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    more = schema.get("additionalProperties", True)
    for key, part in value.items():
        match = next(
            (inner for pattern, inner in patterns.items() if re.search(pattern, key)), None
        )
        inner = known.get(key, match if match is not None else more)
        if inner is False or (isinstance(inner, dict) and not accepts(inner, part)):
            return False
    return True

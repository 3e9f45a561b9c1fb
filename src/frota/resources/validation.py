"""One document against its kind: every field that is wrong, each where it stands.

pydantic finds what is wrong; what was expected is said from the kind's schema, so that
messages, JSON Schema and CRD can never disagree.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from frota.resources.building import Document
from frota.resources.errors import Path, Problem, one_of, path_text, quoted, shown
from frota.resources.fields import API_VERSION, PATTERN_WORDS, Strict
from frota.resources.kinds import MADE, WRITTEN
from frota.resources.quantity import (
    BYTES_EXPECTED,
    DURATION_EXPECTED,
    DURATION_PATTERN,
    SHARE_EXPECTED,
    SHARE_PATTERN,
)
from frota.resources.schema import Schema, inlined

_QUANTITY_WORDS = {DURATION_PATTERN: DURATION_EXPECTED, SHARE_PATTERN: SHARE_EXPECTED}
_FIELDS_SHOWN = 80  # characters of field names in one message
# Said of something that was reported already, or that only follows from it.
_CONSEQUENCES = frozenset({"default_factory_not_called"})
_QUOTE = "put it in quotes"
_KEY = "[key]"  # how pydantic marks that the key of a map is wrong


def check(
    document: Document, kinds: Mapping[str, type[Strict]] = WRITTEN
) -> tuple[Strict | None, list[Problem]]:
    """The document as its kind, one of ``kinds``, or None and at least one problem."""
    value = document.value
    if not isinstance(value, dict):
        expected = "a mapping with apiVersion, kind, metadata and spec"
        return None, [_problem(document, (), expected, shown(value))]
    kind = value.get("kind")
    model = kinds.get(kind) if isinstance(kind, str) else None
    if model is None or not isinstance(kind, str):
        return None, [_unknown_kind(document, kind, kinds)]
    # Status is Frota's to write; whoever edits what `frota get` printed need not remove it.
    wanted = {key: part for key, part in value.items() if key != "status"}
    problems = list(_nulls(document, kind, wanted))
    try:
        made = model.model_validate(wanted)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        mapped = (_mapped(document, kind, detail) for detail in details)
        problems.extend(problem for problem in mapped if problem is not None)
        return None, problems
    return (None, problems) if problems else (made, [])


def _unknown_kind(document: Document, kind: object, kinds: Mapping[str, type[Strict]]) -> Problem:
    expected = one_of(kinds)
    if isinstance(kind, str) and kind in MADE:
        write = f"Frota makes {kind} itself"
        hint = f"{write}; write {MADE[kind]}" if MADE[kind] else write
        return _problem(document, ("kind",), expected, quoted(kind), hint)
    if kind is None:
        hint = f"begin with apiVersion: {API_VERSION} and kind: …"
        return _problem(document, ("kind",), expected, "nothing", hint)
    place = document.locate(("kind",))
    word, choices = str(kind), tuple(kinds)
    return Problem(document.file, *place, "kind", expected, shown(kind), "", word, choices)


def _nulls(document: Document, kind: str, wanted: dict[str, Any]) -> Iterator[Problem]:
    """Keys and items without a value. pydantic takes them where a field is optional, but
    a person who wrote the key meant something."""
    todo: list[tuple[Path, Any]] = [((), wanted)]
    while todo:
        path, value = todo.pop()
        if value is None:
            expected = _words(_schema_at(kind, path))
            hint = "give it a value, or take it away"
            yield _problem(document, path, expected, "nothing", hint)
        elif isinstance(value, dict):
            todo.extend(((*path, key), part) for key, part in value.items())
        elif isinstance(value, list):
            todo.extend(((*path, index), part) for index, part in enumerate(value))


def _mapped(document: Document, kind: str, detail: ErrorDetails) -> Problem | None:
    sort, path = detail["type"], detail["loc"]
    if sort in _CONSEQUENCES:
        return None
    if sort == "missing":
        if document.broken:
            return None
        expected = _words(_schema_at(kind, path))
        place = document.locate(path[:-1], key=True)
        text, hint = path_text(path), "the field is required"
        return Problem(document.file, *place, text, expected, "nothing", hint)
    if sort == "extra_forbidden":
        return _unknown_field(document, kind, path)
    if path and path[-1] == _KEY:
        pattern = detail.get("ctx", {}).get("pattern", "")
        expected = PATTERN_WORDS.get(pattern, "a shorter key")
        place = document.locate(path[:-1], key=True)
        key = quoted(str(path[-2]))
        return Problem(document.file, *place, path_text(path[:-1]), expected, key)
    return _wrong_value(document, kind, detail)


def _unknown_field(document: Document, kind: str, path: Path) -> Problem:
    fields = _schema_at(kind, path[:-1]).get("properties", {})
    present = _value_at(document.value, path[:-1])
    free = [name for name in fields if not isinstance(present, dict) or name not in present]
    word = str(path[-1])
    expected = f"a field it has: {one_of(free)}" if free else "no more fields"
    place = document.locate(path, key=True)
    found = f"the unknown field {quoted(word)}"
    text = path_text(path)
    return Problem(document.file, *place, text, expected, found, "", word, tuple(free))


def _wrong_value(document: Document, kind: str, detail: ErrorDetails) -> Problem:
    path, context = detail["loc"], detail.get("ctx", {})
    schema = _schema_at(kind, path)
    value = _value_at(document.value, path)
    expected, hint = _words(schema), ""
    if detail["type"] == "quantity":
        expected, hint = context["expected"], context["hint"]
    elif detail["type"] in ("string_too_long", "too_long"):
        things = "characters" if detail["type"] == "string_too_long" else "items"
        expected = f"at most {context['max_length']} {things}"
    elif detail["type"] == "too_short":
        expected = f"at least {context['min_length']} in the list"
    else:
        hint = _quotes_hint(schema, value)
        expected = "text" if hint == _QUOTE else expected
    found = shown(value, path)
    if "not shown" in found:
        hint = ""
    choices = tuple(str(choice) for choice in schema.get("enum", ()))
    word = str(value) if choices and isinstance(value, str | int) else ""
    place = document.locate(path)
    return Problem(document.file, *place, path_text(path), expected, found, hint, word, choices)


def _quotes_hint(schema: Schema, value: object) -> str:
    wanted = schema.get("type")
    if wanted == "string" and isinstance(value, bool | int | float):
        return _QUOTE if "enum" not in schema else ""
    if wanted in ("integer", "number") and isinstance(value, str) and value.isdecimal():
        return "take the quotes away"
    if wanted == "boolean" and value in ("true", "false"):
        return "take the quotes away"
    if wanted == "array" and isinstance(value, dict):
        return 'start each item with "- "'
    return ""


def _problem(document: Document, path: Path, expected: str, found: str, hint: str = "") -> Problem:
    place = document.locate(path)
    return Problem(document.file, *place, path_text(path), expected, found, hint)


def _value_at(value: Any, path: Path) -> Any:
    for part in path:
        if isinstance(value, dict) and isinstance(part, str):
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            return None
    return value


def _schema_at(kind: str, path: Path) -> Schema:
    """The schema of what belongs at a path; empty where nothing does."""
    schema: Any = inlined(kind)
    for part in path:
        if isinstance(part, int):
            schema = schema.get("items", {})
        elif part in schema.get("properties", {}):
            schema = schema["properties"][part]
        elif "patternProperties" in schema:
            schema = next(iter(schema["patternProperties"].values()))
        else:
            more = schema.get("additionalProperties")
            schema = more if isinstance(more, dict) else {}
    return dict(schema)


def _words(schema: Schema) -> str:
    """What a schema asks for, in words that fit after "expected"."""
    if "enum" in schema:
        return one_of(str(choice) for choice in schema["enum"])
    if schema.get("x-kubernetes-int-or-string"):
        return BYTES_EXPECTED
    wanted = schema.get("type")
    if wanted == "string":
        pattern = schema.get("pattern", "")
        return PATTERN_WORDS.get(pattern) or _QUANTITY_WORDS.get(pattern, "text")
    if wanted in ("integer", "number"):
        number = "a whole number" if wanted == "integer" else "a number"
        return f"{number} from {schema['minimum']} to {schema['maximum']}"
    if wanted == "object":
        fields = ", ".join(schema.get("properties", {}))
        return f"a mapping with {fields}" if 0 < len(fields) < _FIELDS_SHOWN else "a mapping"
    return {"boolean": "true or false", "array": "a list"}.get(str(wanted), "a value")

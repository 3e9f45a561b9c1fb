"""Writes what follows from the kinds: JSON Schemas, CRDs, the field tables of the docs; and
the example fleets as ``frota init`` writes them.

    python -m tools.generate            write what is out of date
    python -m tools.generate --check    change nothing; exit 1 when something is

The tables stand between two comment lines in ``docs/kinds/<Kind>.md``; the rest of a page
is written by hand.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from frota.resources.kinds import FORMS, WRITTEN
from frota.resources.quantity import DURATION_PATTERN, SHARE_PATTERN
from frota.resources.schema import Schema, crd, inlined, json_schema

ROOT = Path(__file__).resolve().parent.parent
FLEETS = ROOT / "src" / "frota" / "cli" / "fleets"
BEGIN = "<!-- fields: written by `python -m tools.generate` -->"
END = "<!-- end of fields -->"
_NOTE = "# Written by `python -m tools.generate`; change src/frota/resources instead.\n"
_QUANTITIES = {DURATION_PATTERN: "time", SHARE_PATTERN: "share"}


def outputs() -> dict[Path, str]:
    """Every generated file with the text it should have."""
    files: dict[Path, str] = {}
    for kind in WRITTEN:
        schema = json.dumps(json_schema(kind), indent=2, ensure_ascii=False) + "\n"
        files[ROOT / "schemas" / f"{kind}.json"] = schema
        name = f"{crd(kind)['metadata']['name']}.yaml"
        files[ROOT / "schemas" / "crds" / name] = _NOTE + yaml.safe_dump(
            crd(kind), sort_keys=False, allow_unicode=True, width=100
        )
        page = ROOT / "docs" / "kinds" / f"{kind}.md"
        files[page] = _with_table(page.read_text(encoding="utf-8"), field_table(kind))
    for kind in FORMS:
        schema = json.dumps(json_schema(kind), indent=2, ensure_ascii=False) + "\n"
        files[ROOT / "schemas" / f"{kind}.json"] = schema
    for path in sorted(FLEETS.glob("*/*.yaml")):
        example = ROOT / "examples" / path.relative_to(FLEETS)
        files[example] = path.read_text(encoding="utf-8")
    return files


def fields(kind: str) -> Iterator[tuple[str, Schema, bool]]:
    """Every field of a kind: path, schema, whether it is required."""
    return _below("", inlined(kind))


def field_table(kind: str) -> str:
    """The fields of a kind as a Markdown table."""
    lines = ["| field | type | default | meaning | example |", "|---|---|---|---|---|"]
    for path, schema, required in fields(kind):
        cells = (
            f"`{path}`",
            _type(schema),
            "required" if required else _default(schema),
            schema["description"],
            f"`{_flow(schema['examples'][0])}`",
        )
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def _below(path: str, schema: Schema) -> Iterator[tuple[str, Schema, bool]]:
    for name, part in schema.get("properties", {}).items():
        own = f"{path}.{name}" if path else name
        yield own, part, name in schema.get("required", ())
        yield from _below(own, part)
        yield from _below(f"{own}[]", part.get("items", {}))
        for inner in part.get("patternProperties", {}).values():
            yield from _below(f"{own}.KEY", inner)


def _type(schema: Schema) -> str:
    if "enum" in schema:
        return " \\| ".join(f"`{word}`" for word in schema["enum"]).replace("\\|", "or")
    if schema.get("x-kubernetes-int-or-string"):
        return "size"
    kind = schema["type"]
    if kind in ("integer", "number"):
        return f"{kind}, {schema['minimum']:,} to {schema['maximum']:,}".replace(".0", "")
    if kind == "string":
        return _QUANTITIES.get(schema.get("pattern", ""), "text")
    return {"array": "list", "object": "mapping"}.get(kind, str(kind))


def _default(schema: Schema) -> str:
    default = schema.get("default")
    if default is None or (isinstance(default, dict) and default):
        return "none"
    return f"`{_flow(default)}`"


def _flow(value: Any) -> str:
    """A value on one line, as it may stand in a document."""
    if isinstance(value, str):
        return json.dumps(value) if "\n" in value else value
    text: str = yaml.safe_dump(value, default_flow_style=True, width=10_000, allow_unicode=True)
    return text.removesuffix("...\n").strip()


def _with_table(page: str, table: str) -> str:
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table}\n\n{END}{after}"


def main() -> int:
    """Write or check; the exit code."""
    stale = [
        path
        for path, text in outputs().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    names = [str(path.relative_to(ROOT)) for path in stale]
    if "--check" in sys.argv[1:]:
        print(*(f"{name}: out of date; run python -m tools.generate" for name in names), sep="\n")
        return 1 if stale else 0
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(outputs()[path], encoding="utf-8")
    print(*(f"written: {name}" for name in names), sep="\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

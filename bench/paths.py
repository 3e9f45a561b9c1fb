"""Where objects are on an API server, for programs that ask no discovery."""

from __future__ import annotations

from frota.model.objects import Object


def path_of(item: Object) -> str:
    """The path of one object."""
    version, metadata = str(item["apiVersion"]), item["metadata"]
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    space = metadata.get("namespace")
    within = f"/namespaces/{space}" if space else ""
    return f"{root}{within}/{_plural(item['kind'])}/{metadata['name']}"


def _plural(kind: str) -> str:
    word = str(kind).lower()
    if word.endswith("y"):
        return f"{word[:-1]}ies"
    return f"{word}es" if word.endswith("s") else f"{word}s"

"""CustomResourceDefinitions from files, loaded into a test cluster."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from frota.drivers.devfleet.api import Api

_KIND = "CustomResourceDefinition"
_PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_OWNER = "frota-dev-fleet"
_SERVED_S = 60.0
_STEP_S = 0.05


def read(directory: Path) -> list[Any]:
    """Every definition in the YAML and JSON files below a directory. Raises ValueError for
    a file that is none, OSError."""
    files = [file for file in directory.rglob("*") if file.suffix in (".yaml", ".yml", ".json")]
    found: list[Any] = []
    for file in sorted(files):
        try:
            documents = list(yaml.load_all(file.read_bytes(), yaml.CSafeLoader))
        except yaml.YAMLError as error:
            raise ValueError(f"{file}: expected YAML or JSON: {error}") from None
        found += [one for one in documents if isinstance(one, dict) and one.get("kind") == _KIND]
    if not found:
        raise ValueError(f"{directory}: expected files with {_KIND} in them; found none")
    return found


def load(api: Api, definitions: Sequence[Any]) -> None:
    """Apply them, and wait until all are served. Raises CallRefused, OSError, TimeoutError."""
    for definition in definitions:
        path = f"{_PATH}/{definition['metadata']['name']}"
        api.apply(path, definition, _OWNER, force=True).demand()
    deadline = time.monotonic() + _SERVED_S
    for definition in definitions:
        # The condition "Established" comes earlier than the first list that is one.
        while not all(api.call("GET", path).ok for path in _lists(definition)):
            if time.monotonic() > deadline:
                name = definition["metadata"]["name"]
                raise TimeoutError(f"{name} is not served {_SERVED_S:.0f} s after it was applied")
            time.sleep(_STEP_S)


def _lists(definition: Any) -> list[str]:
    """A list in each version that is served. A limit would go past the API server's memory,
    and say nothing of whether that is ready."""
    spec = definition["spec"]
    served = [version["name"] for version in spec["versions"] if version["served"]]
    return [f"/apis/{spec['group']}/{one}/{spec['names']['plural']}" for one in served]

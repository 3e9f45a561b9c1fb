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
    names = [str(definition["metadata"]["name"]) for definition in definitions]
    for name, definition in zip(names, definitions, strict=True):
        api.apply(f"{_PATH}/{name}", definition, _OWNER, force=True).demand()
    deadline = time.monotonic() + _SERVED_S
    for name in names:
        while not _is_established(api.get(f"{_PATH}/{name}")):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{name} is not served {_SERVED_S:.0f} s after it was applied")
            time.sleep(_STEP_S)


def _is_established(found: Any) -> bool:
    conditions = found.get("status", {}).get("conditions") or ()  # null in files of some
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)

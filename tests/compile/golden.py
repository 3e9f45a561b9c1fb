"""What the example fleets come to, written down: ``python -m tests.compile.golden``.

What all clusters of a fleet have alike stands once, in ``all.yaml``; labels that all
objects of a cluster carry are left out (they are checked by themselves).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from frota.cli.manifests import as_yaml
from frota.compile.kubernetes.applyset import PART_OF
from frota.compile.kubernetes.labels import CLUSTER, ENVIRONMENT, FLEET, FUNCTION, MANAGED_BY
from frota.model.objects import Object
from tests.compile.fleets import EXAMPLES, HERE, ROOT, compiled

GOLDEN = HERE / "golden"
_COMMON = (MANAGED_BY, FLEET, CLUSTER, ENVIRONMENT, FUNCTION, PART_OF)


def texts(name: str) -> dict[str, str]:
    """The golden files of one example, by their names."""
    bare = {
        cluster: [_bare(item) for item in objects]
        for cluster, objects in compiled(ROOT / "examples" / name).items()
    }
    alike = set.intersection(*({json.dumps(item) for item in items} for items in bare.values()))
    first = next(iter(bare.values()))
    found = {"all.yaml": as_yaml(item for item in first if json.dumps(item) in alike)}
    for cluster, items in bare.items():
        own = (item for item in items if json.dumps(item) not in alike)
        found[f"{cluster}.yaml"] = as_yaml(own)
    return found


def _bare(item: Object) -> Object:
    return {**item, "metadata": _without(item["metadata"])}


def _without(metadata: Mapping[str, object]) -> dict[str, object]:
    labels = metadata["labels"]
    assert isinstance(labels, dict)
    kept = {key: value for key, value in labels.items() if key not in _COMMON}
    rest = {key: value for key, value in metadata.items() if key != "labels"}
    return {**rest, "labels": kept} if kept else rest


def _write(folder: Path, files: Mapping[str, str]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    for example in EXAMPLES:
        _write(GOLDEN / example, texts(example))

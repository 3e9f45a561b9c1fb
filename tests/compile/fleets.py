"""Fleets to compile: everything at once, and the examples people begin with."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from frota.compile.kubernetes import compile_fleet
from frota.compile.kubernetes.reading import sites
from frota.compile.kubernetes.site import Site
from frota.model.objects import Object
from frota.resources.documents import load

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
EVERYTHING = HERE / "fleet.yaml"
EXAMPLES = ("by-function", "by-environment", "active-passive", "active-active")


@cache
def documents(place: Path) -> tuple[dict[str, Any], ...]:
    """The documents of a file, or of all files of a folder."""
    files = sorted(place.glob("*.yaml")) if place.is_dir() else [place]
    loaded = load([(str(file), file.read_text(encoding="utf-8")) for file in files])
    assert not loaded.problems, loaded.problems
    return tuple(resource.document for resource in loaded.resources)


@cache
def compiled(place: Path = EVERYTHING) -> dict[str, tuple[Object, ...]]:
    """The objects of each cluster of a fleet."""
    return compile_fleet(documents(place))


def site(cluster: str) -> Site:
    """One cluster of the fleet that has everything."""
    return next(site for site in sites(documents(EVERYTHING)) if site.cluster == cluster)


def of_kind(objects: tuple[Object, ...], kind: str) -> dict[str, Object]:
    """The objects of a kind by ``namespace/name``, or by name."""
    named = {}
    for item in objects:
        if item["kind"] == kind:
            namespace = item["metadata"].get("namespace")
            name = item["metadata"]["name"]
            named[f"{namespace}/{name}" if namespace else name] = item
    return named


def pod_templates(item: Object) -> list[dict[str, Any]]:
    """Every pod template of a workload."""
    spec = item.get("spec", {})
    match item["kind"]:
        case "Deployment" | "Job":
            return [spec["template"]]
        case "LeaderWorkerSet":
            group = spec["leaderWorkerTemplate"]
            return [group["leaderTemplate"], group["workerTemplate"]]
        case "JobSet":
            return [job["template"]["spec"]["template"] for job in spec["replicatedJobs"]]
    return []

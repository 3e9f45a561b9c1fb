"""A fleet of many simulated clusters that have what is declared, and one change to it all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frota.compile.kubernetes import batches, compile_fleet, membership
from frota.model.delivery import Change, ClusterView
from frota.model.deliveryplan import DeliveryPolicy
from frota.model.objects import Object, key_of
from frota.planners.delivery import prepare, stamped
from frota.resources.documents import load
from frota.twin import World
from frota.twin.clusters import ApiServer

Document = dict[str, Any]

NAME = "acme"
LABEL = membership(NAME)
EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "active-active"


@dataclass(frozen=True, slots=True)
class Fleet:
    """``before`` and ``after`` are documents; ``views`` show clusters that have ``before``."""

    before: tuple[Document, ...]
    after: tuple[Document, ...]
    views: dict[str, ClusterView]
    policy: DeliveryPolicy
    objects: int


def fleet_of(clusters: int) -> Fleet:
    """``documents``, and another image of the runtime in every cluster."""
    before = documents(clusters)
    after = tuple(_with_another_image(d) for d in before)
    compiled = compile_fleet(before)
    total = sum(len(objects) for objects in compiled.values())
    return Fleet(before, after, views_of(compiled), DeliveryPolicy(LABEL), total)


def documents(clusters: int) -> tuple[Document, ...]:
    """The example with its production cluster so many times over."""
    files = [(file.name, file.read_text(encoding="utf-8")) for file in sorted(EXAMPLE.glob("*"))]
    found = [resource.document for resource in load(files).resources]
    template = next(d for d in found if d["kind"] == "Cluster")
    rest = [d for d in found if d["kind"] != "Cluster"]
    return tuple(rest + [named(template, f"cluster-{number:04}") for number in range(clusters)])


def views_of(compiled: Mapping[str, Sequence[Object]]) -> dict[str, ClusterView]:
    """What clusters show that have all of it."""
    return {name: view_of(name, objects, LABEL) for name, objects in compiled.items()}


def named(template: Document, name: str) -> Document:
    """The same document under another name."""
    return {**deepcopy(template), "metadata": {**template["metadata"], "name": name}}


def _with_another_image(document: Document) -> Document:
    if document["kind"] != "InferenceService":
        return document
    changed = deepcopy(document)
    image = changed["spec"]["runtime"]["image"].partition("@")[0]
    changed["spec"]["runtime"]["image"] = f"{image}@sha256:{'ab' * 32}"
    changed["spec"]["placement"] = {"function": "inference"}
    return changed


def view_of(name: str, objects: Any, label: str) -> ClusterView:
    """What a cluster shows once all of this was applied to it."""
    server = ApiServer(name, World(seed=1))
    digests = prepare(objects, label).digests
    for batch in batches(objects):
        for item in batch:
            key = key_of(item)
            result = server.change(Change(key, stamped(item, digests[key])))
            assert result.after is not None, result.message
    shown = {key: stored.shown() for key, stored in server.objects.items()}
    return ClusterView(
        name, answers=True, last_seen=0.0, complete=True, objects=shown, claimed=frozenset()
    )

"""A fleet of three members with a thousand objects each, as documents that people would write.

Every service of the example stands for ten objects in each cluster that it runs in, so about
a hundred of them make a thousand. All members are of one wave: they are changed together.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from frota.compile.kubernetes import compile_fleet, membership
from frota.model.objects import Object
from frota.planners.delivery import prepare, stamped
from frota.resources.documents import load

Document = dict[str, Any]

OBJECTS = 1_000  # of each member
FLEET = "acme"
NAMESPACE = "language-inference"
_EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "active-active"
SERVICES = 97
_AT_ONCE = {"soak": "0s", "healthy": False, "approval": False}


def documents(kubeconfigs: Mapping[str, Path], environment: str = "prod") -> list[Document]:
    """The fleet, its members by name, one team and its services. Without kubeconfigs (empty
    paths) the members are simulated."""
    found = {document["kind"]: document for document in _example()}
    gates = [{"name": environment, "gates": _AT_ONCE, "waves": [list(kubeconfigs)]}]
    fleet = _with_spec(found["Fleet"], {"environments": gates, "regions": [{"name": "east"}]})
    members = [
        _named(_member(found["Cluster"], path, environment), name)
        for name, path in kubeconfigs.items()
    ]
    service = deepcopy(found["InferenceService"])
    service["spec"].pop("traffic", None)
    service["spec"].pop("byEnvironment", None)
    services = [_named(service, service_name(number)) for number in range(SERVICES)]
    team = _with_spec(found["Team"], {"quotas": [{"pods": 10_000}]})
    return [fleet, *members, team, *services]


def service_name(number: int) -> str:
    """The name of a service, which is also that of its Deployment."""
    return f"chat-{number:03}"


def compiled(found: Sequence[Document]) -> dict[str, tuple[Object, ...]]:
    """What each member gets: the same objects for everybody who is measured."""
    loaded = load([("fleet.yaml", written(found))])
    assert not loaded.problems, loaded.problems[0]
    return compile_fleet(resource.document for resource in loaded.resources)


def delivered(found: Sequence[Document]) -> dict[str, tuple[Object, ...]]:
    """The same as Frota sends it: with the digest of its content on every object."""
    wanted = {name: prepare(items, membership(FLEET)) for name, items in compiled(found).items()}
    return {
        name: tuple(stamped(item, content.digests[key]) for key, item in content.objects.items())
        for name, content in wanted.items()
    }


def written(found: Sequence[Document]) -> str:
    """Documents as a text that ``frota apply`` takes."""
    return "\n---\n".join(json.dumps(document) for document in found)


def _example() -> list[Document]:
    """The first document of each kind."""
    files = [(file.name, file.read_text(encoding="utf-8")) for file in sorted(_EXAMPLE.glob("*"))]
    found: dict[str, Document] = {}
    for resource in load(files).resources:
        found.setdefault(resource.kind, dict(resource.document))
    return list(found.values())


def _member(example: Document, path: Path, environment: str) -> Document:
    reached = {"provider": "kubeconfig", "kubeconfig": {"path": str(path)}}
    return _with_spec(example, {**reached, "environment": environment, "region": "east"})


def _with_spec(document: Document, changes: Document) -> Document:
    return {**deepcopy(document), "spec": {**deepcopy(document["spec"]), **changes}}


def _named(document: Document, name: str) -> Document:
    return {**deepcopy(document), "metadata": {**document["metadata"], "name": name}}

"""The front of this package: texts in, resources or problems out; never something of both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from frota.resources import (
    cluster_rules,
    fleet_rules,
    hostgroup_rules,
    keeping_rules,
    member_rules,
    placement_rules,
    plant_rules,
    workload_rules,
)
from frota.resources.building import Document
from frota.resources.errors import Problem, in_order_beside
from frota.resources.fields import Strict
from frota.resources.findings import text
from frota.resources.kinds import WRITTEN
from frota.resources.reading import read
from frota.resources.together import Draft, Together, by_name
from frota.resources.validation import check

_RULES = {
    "HostGroup": hostgroup_rules.RULES,
    "Fleet": fleet_rules.FLEET_RULES,
    "Cluster": cluster_rules.RULES,
    "Team": fleet_rules.TEAM_RULES,
    "InferenceService": workload_rules.SERVICE_RULES,
    "TrainingJob": workload_rules.JOB_RULES,
}
_ACROSS = (*plant_rules.RULES, *member_rules.RULES, *placement_rules.RULES, *keeping_rules.RULES)


@dataclass(frozen=True, slots=True)
class Resource:
    """One document that is right. ``document`` is plain JSON with every default filled in
    and every quantity in its shortest form; it is what the store keeps."""

    kind: str
    name: str
    document: dict[str, Any]
    model: Strict
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Loaded:
    """What files hold. With a problem anywhere there are no resources at all; warnings
    hinder nothing. Both are sorted by place; show them with ``errors.report``."""

    resources: tuple[Resource, ...] = ()
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


def load(files: Sequence[tuple[str, str]], known: Iterable[Mapping[str, Any]] = ()) -> Loaded:
    """Read and check files, each a (name, text), together and against what is stored.

    ``known`` are the stored documents, as an earlier ``Resource.document``. Never raises
    for what a file holds.
    """
    readings = [read(name, content) for name, content in files]
    problems = [problem for reading in readings for problem in reading.problems]
    drafts: list[Draft] = []
    resources: list[Resource] = []
    for document in (document for reading in readings for document in reading.documents):
        model, faults = check(document)
        problems.extend(faults)
        draft = _draft(document, model)
        drafts.append(draft)
        if model is not None:
            place = (document.file, document.mark[0])
            resources.append(Resource(draft.kind, draft.name, draft.value, model, *place))
    complete = all(reading.complete for reading in readings)
    said = list(_said(Together(tuple(drafts), by_name(known), complete)))
    # A rule that stumbles over what is already said to be wrong adds nothing.
    wrong = in_order_beside(problems, (problem for problem, warning in said if not warning))
    warnings = in_order_beside((), (problem for problem, warning in said if warning))
    return Loaded(() if wrong else tuple(resources), wrong, warnings)


def filled(document: Mapping[str, Any]) -> dict[str, Any]:
    """A stored document with the defaults of fields that came after it was stored. One that
    does not fit its kind any more comes back as it is."""
    model = WRITTEN.get(text(document, "kind"))
    wanted = {key: part for key, part in document.items() if key != "status"}
    try:
        made = model.model_validate(wanted) if model else None
    except ValidationError:
        made = None
    return dict(document) if made is None else _normal(made)


def _said(together: Together) -> Iterable[tuple[Problem, bool]]:
    """What all rules say, and whether it is a warning only."""
    for draft in together.drafts:
        for rule in _RULES.get(draft.kind, ()):
            for finding in rule(draft.value):
                yield draft.problem(finding), finding.warning
    for across in _ACROSS:
        for draft, finding in across(together):
            yield draft.problem(finding), finding.warning


def _draft(document: Document, model: Strict | None) -> Draft:
    value = document.value if model is None else _normal(model)
    return Draft(document, text(value, "kind"), text(value, "metadata", "name"), value)


def _normal(model: Strict) -> dict[str, Any]:
    return model.model_dump(by_alias=True, exclude_none=True)

"""Snapshot files to snapshots, or all that is wrong with them, each in its place."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from frota.model.snapshot import Snapshot
from frota.resources.building import Document
from frota.resources.errors import Problem, in_order, path_text
from frota.resources.findings import Finding
from frota.resources.kinds import FORMS
from frota.resources.reading import read
from frota.resources.snapshot import SnapshotFile
from frota.resources.validation import check
from frota.snapshots.building import snapshot_from
from frota.snapshots.rules import findings


@dataclass(frozen=True, slots=True)
class Parsed:
    """Either a snapshot, or at least one problem."""

    snapshot: Snapshot | None
    problems: tuple[Problem, ...] = ()


def parse(file: str, text: str) -> Parsed:
    """Read one snapshot file, JSON or YAML. Never raises for what the text holds."""
    form = _quickly(text)
    return _carefully(file, text) if form is None else Parsed(snapshot_from(form))


def _quickly(text: str) -> SnapshotFile | None:
    """Right JSON without positions, many times as fast; None where that will not do."""
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
        form = SnapshotFile.model_validate(value)
    except (ValueError, RecursionError):  # pydantic's errors are ValueErrors too
        return None
    return None if any(findings(value)) else form


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key twice")
    return found


def _no_constant(word: str) -> float:
    raise ValueError(word)


def _carefully(file: str, text: str) -> Parsed:
    """With the line and column of everything, for what is wrong or is YAML."""
    reading = read(file, text)
    problems = list(reading.problems)
    documents = reading.documents
    if len(documents) > 1:
        found = f"{len(documents)} documents"
        problems.append(Problem(file, *documents[1].mark, "", "one snapshot in a file", found))
    forms: list[SnapshotFile] = []
    for document in documents[:1]:
        form, wrong = check(document, FORMS)
        problems.extend(wrong)
        problems.extend(_placed(document, findings(document.value)))
        if isinstance(form, SnapshotFile):
            forms.append(form)
    if problems or not forms:
        return Parsed(None, in_order(problems))
    return Parsed(snapshot_from(forms[0]))


def _placed(document: Document, found: Iterable[Finding]) -> Iterator[Problem]:
    for finding in found:
        place = document.locate(finding.path, key=finding.at_key)
        yield Problem(
            document.file,
            *place,
            path_text(finding.path),
            finding.expected,
            finding.found,
            finding.hint,
            finding.word,
            finding.choices,
        )

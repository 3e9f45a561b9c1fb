"""Rules about what is stored and not in the files: a cluster, fleet or team of the files may
not take away what stored workloads stand on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from frota.resources.building import Document
from frota.resources.errors import path_text
from frota.resources.findings import Finding
from frota.resources.placement_rules import Across, Said, quotas_hold_them, workload_rules
from frota.resources.placing import WORKLOADS
from frota.resources.together import Draft, Together

_GROUND = ("Cluster", "Fleet", "Team")
_NAME = re.compile(r"[a-z0-9.-]+")


def stored_workloads_keep_their_ground(together: Together) -> Said:
    """Every finding about a stored workload, or team, that the files would bring about."""
    changed = [
        draft
        for kind in _GROUND
        for draft in together.drafted(kind)
        if together.stored.get((kind, draft.name)) != draft.value
    ]
    drafted = {(draft.kind, draft.name) for draft in together.drafts}
    left = {key: value for key, value in together.stored.items() if key not in drafted}
    workloads = tuple(
        Draft(Document("", value, (0, 0)), kind, name, value)
        for (kind, name), value in left.items()
        if kind in (*WORKLOADS, "Team")
    )
    if not (changed and workloads and together.complete):
        return
    before = {(owner, finding.path) for owner, finding in _found(workloads, together.stored)}
    after = left | {(draft.kind, draft.name): draft.value for draft in changed}
    for owner, finding in _found(workloads, after):
        if (owner, finding.path) not in before:
            what = f"what {owner} needs in {path_text(finding.path)}: {finding.expected}"
            hint = finding.hint if finding.warning else f"or declare {owner} anew beside it"
            said = Finding(("metadata", "name"), what, finding.found, hint, warning=finding.warning)
            yield _behind(finding, changed), said


def _found(
    workloads: tuple[Draft, ...], stored: Mapping[tuple[str, str], Any]
) -> Iterator[tuple[str, Finding]]:
    together = Together(workloads, stored)
    for rule in (workload_rules, quotas_hold_them):
        yield from ((f"{draft.kind} {draft.name}", finding) for draft, finding in rule(together))


def _behind(finding: Finding, changed: Sequence[Draft]) -> Draft:
    """The document that brings it about, as far as the finding names it."""
    named = set(_NAME.findall(f"{finding.expected} {finding.found}"))
    return next((draft for draft in changed if draft.name in named), changed[0])


RULES: tuple[Across, ...] = (stored_workloads_keep_their_ground,)

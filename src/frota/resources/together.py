"""All documents at once: those of the files at hand, over those that are stored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from frota.resources.building import Document
from frota.resources.errors import Problem, path_text
from frota.resources.findings import Finding, text


@dataclass(frozen=True, slots=True)
class Draft:
    """One document of the files: its normalised form where it is right, else as read."""

    document: Document
    kind: str
    name: str
    value: Any

    def problem(self, finding: Finding) -> Problem:
        """A finding as a problem at its place."""
        place = self.document.locate(finding.path, key=finding.at_key)
        return Problem(
            self.document.file,
            *place,
            path_text(finding.path),
            finding.expected,
            finding.found,
            finding.hint,
            finding.word,
            finding.choices,
        )


@dataclass(frozen=True, slots=True)
class Together:
    """``complete`` is false when a document could not be read: what is not here may be
    there, and absence proves nothing. A draft hides the stored document of its name."""

    drafts: tuple[Draft, ...]
    stored: Mapping[tuple[str, str], Any] = field(default_factory=dict)
    complete: bool = True

    def drafted(self, kind: str) -> Iterator[Draft]:
        """The drafts of one kind."""
        return (draft for draft in self.drafts if draft.kind == kind)

    def every(self, kind: str) -> dict[str, Any]:
        """All documents of one kind by name, stored ones first; of drafts of one name the
        first counts."""
        found = {name: value for (of, name), value in self.stored.items() if of == kind}
        seen: set[str] = set()
        for draft in self.drafted(kind):
            if draft.name and draft.name not in seen:
                seen.add(draft.name)
                found[draft.name] = draft.value
        return found


def by_name(documents: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], Any]:
    """Stored documents by kind and name, in that order."""
    named = {
        (text(document, "kind"), text(document, "metadata", "name")): document
        for document in (dict(document) for document in documents)
    }
    return dict(sorted(named.items()))

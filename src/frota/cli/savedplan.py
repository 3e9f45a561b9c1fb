"""A plan as a file: what would be stored, what stood in the store, and what would follow. It
is applied exactly as it was shown, or refused with what moved since."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frota.cli.changes import Change
from frota.cli.files import read_text
from frota.cli.naming import DECLARED
from frota.cli.outcome import Exit, Failure
from frota.planners.delivery.wanted import digest
from frota.ports.store import Store

FORM = "frota.dev/plan/v1"
# What follows, by subject (``Cluster/dev``) and by what of it (``ConfigMap team-a/x``): a mark
# that differs when something else would be done, as words or ``words #digest``.
Marks = Mapping[str, Mapping[str, str]]
_SHOWN_MOST = 20
_NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """``documents`` are to be stored. ``stored`` has the digest of every document that was
    there when it was planned, by ``Kind/name``; ``follows`` is what would come of it."""

    documents: tuple[Mapping[str, Any], ...]
    stored: Mapping[str, str]
    follows: Marks

    @property
    def hash(self) -> str:
        """The name of the plan."""
        return digest([self.documents, self.stored, self.follows])

    def texts(self, file: str) -> list[tuple[str, str]]:
        """The documents as files to be loaded."""
        return [(f"{file}: {_name(item)}", json.dumps(item)) for item in self.documents]

    def moved_in(self, store: Store) -> list[str]:
        """The documents that this plan writes over, and that somebody else wrote since."""
        mine = {_name(item) for item in self.documents}
        return [line for name, line in self._written(store) if name in mine]

    def others_in(self, store: Store) -> list[str]:
        """The other documents that were written since: they may be why something moved."""
        mine = {_name(item) for item in self.documents}
        return [line for name, line in self._written(store) if name not in mine]

    def _written(self, store: Store) -> Iterator[tuple[str, str]]:
        now = stored_now(store)
        for name in sorted({*self.stored, *now}):
            if name not in now:
                yield name, f"{name} was deleted"
            elif name not in self.stored:
                yield name, f"{name} was stored by somebody else"
            elif now[name] != self.stored[name]:
                yield name, f"{name} was changed"


def stored_now(store: Store) -> dict[str, str]:
    """The digest of every document that people wrote."""
    return {
        f"{entry.kind}/{entry.name}": digest(entry.value)
        for kind in DECLARED
        for entry in store.list(kind)
    }


def planned(changes: Sequence[Change], stored: Mapping[str, str], follows: Marks) -> SavedPlan:
    """The plan of these changes to a store that held ``stored``."""
    return SavedPlan(tuple(change.resource.document for change in changes), stored, follows)


def moved(then: Marks, now: Marks) -> list[str]:
    """What would be done otherwise now than it was planned, in words."""
    return [
        line
        for subject in sorted({*then, *now})
        for line in _moved(subject, then.get(subject, {}), now.get(subject, {}))
    ]


def _moved(subject: str, then: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    for what in sorted({*then, *now}):
        old, new = then.get(what, _NOTHING), now.get(what, _NOTHING)
        if old == new:
            continue
        before, after = old.partition(" #")[0], new.partition(" #")[0]
        if before == after:
            after = f"also {after}, but of something else"
        yield f"{subject}: {what}: when planned {before}, now {after}"


def write_plan(name: str, plan: SavedPlan) -> None:
    """Write it to a file. Raises Failure."""
    body = {
        "form": FORM,
        "hash": plan.hash,
        "documents": plan.documents,
        "stored": plan.stored,
        "follows": plan.follows,
    }
    try:
        Path(name).write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise Failure(Exit.OUTSIDE, f"{name}: {error.strerror}") from None


def read_plan(name: str) -> SavedPlan:
    """The plan in a file. Raises Failure for a file that is none, or was changed."""
    try:
        body = json.loads(read_text(name))
    except OSError as error:
        raise Failure(Exit.BAD_INPUT, f"{name}: {error.strerror}") from None
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict) or body.get("form") != FORM:
        raise Failure(Exit.BAD_INPUT, f"{name}: expected a file that `frota plan -o` wrote")
    try:
        plan = SavedPlan(tuple(body["documents"]), body["stored"], body["follows"])
        whole = plan.hash == body["hash"]
    except (KeyError, TypeError):
        whole = False
    if not whole:
        raise Failure(Exit.BAD_INPUT, f"{name}: the plan was changed after it was made: plan again")
    return plan


def refused(lines: Sequence[str], others: Sequence[str], name: str) -> Failure:
    """The world moved: what did, and how to mend it."""
    shown = [f"  {line}" for line in lines[:_SHOWN_MOST]]
    more = len(lines) - len(shown)
    shown += [f"  and {more} more"] if more > 0 else []
    shown += [f"  meanwhile {line}" for line in others[:_SHOWN_MOST]]
    return Failure(
        Exit.REFUSED,
        "\n".join(
            [
                f"{name} does not hold any more; nothing was changed:",
                *shown,
                f"look at what would be done now, and apply that: frota plan FILE… -o {name}",
            ]
        ),
    )


def _name(document: Mapping[str, Any]) -> str:
    return f"{document['kind']}/{document['metadata']['name']}"

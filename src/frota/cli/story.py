"""The journal as stories: cause, decision, action and outcome, joined by the cause."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from frota.model.decision import Decision
from frota.ports.store import Store

_LINES_MOST = 2000  # of one story
BACKGROUND = ("Host/", "HostGroup/", "Cluster/")


@dataclass(frozen=True, slots=True)
class Chapter:
    """One cause and all that followed from it, as far as it concerns one subject.

    ``others`` counts the lines about other subjects, which were left out.
    """

    cause_id: str
    lines: tuple[Decision, ...]
    others: int


def chapters(
    store: Store,
    group: str,
    subject: str,
    related: Iterable[str] = (),
    last: int = 10,
    background: tuple[str, ...] = BACKGROUND,
) -> tuple[Chapter, ...]:
    """The newest ``last`` stories in which a subject plays a part, oldest first.

    Lines about ``background`` are kept: they say why. ``related`` are other subjects to keep,
    such as the set of a VM. An empty ``group`` is any.
    """
    wanted = frozenset((subject, *related))
    own = store.journal(group=group, subject=subject, last=_LINES_MOST)
    causes: dict[str, None] = {}
    for line in reversed(own):
        causes.setdefault(line.cause_id)
        if len(causes) >= last:
            break
    found = []
    for cause in reversed(causes):
        if cause:
            every = store.journal(group=group, cause_id=cause, last=_LINES_MOST)
        else:
            every = [line for line in own if not line.cause_id]
        found.append(_chapter(cause, every, wanted, background))
    return tuple(found)


def _chapter(
    cause: str, every: Sequence[Decision], wanted: frozenset[str], background: tuple[str, ...]
) -> Chapter:
    lines = tuple(
        line for line in every if line.subject in wanted or line.subject.startswith(background)
    )
    return Chapter(cause, lines, len(every) - len(lines))

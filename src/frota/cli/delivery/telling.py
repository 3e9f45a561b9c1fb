"""How a fleet or one of its clusters stands, and what led to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from frota.cli.delivery import standing
from frota.cli.naming import CLUSTER, FLEET, ROLLOUT
from frota.cli.story import BACKGROUND, Chapter, chapters
from frota.store.sqlite import SqliteStore

_BEHIND_CLUSTER = ("Fleet/", "Wave/")
_BEHIND_FLEET = ("Fleet/", "Wave/", "Cluster/")


@dataclass(frozen=True, slots=True)
class Account:
    """``headline`` is empty for what is no more; ``now`` is what holds now, in words, and
    ``status`` for programs."""

    subject: str
    headline: str
    now: tuple[str, ...]
    told: tuple[Chapter, ...]
    status: Mapping[str, Any] = field(default_factory=dict)


def account(store: SqliteStore, kind: str, name: str, last: int) -> Account:
    """All there is to tell. What was deleted has a story still."""
    entry = store.raw_get(kind, name)
    subject = f"{kind}/{name}"
    if kind == FLEET:
        told = chapters(store, name, subject, (), last, _BEHIND_FLEET)
        if entry is None:
            return Account(subject, "", (), told)
        return _fleet(store, name, told)
    spec = entry.value["spec"] if entry is not None else {}
    group: str = spec.get("fleet") or spec.get("hostGroup") or ""
    background = BACKGROUND if spec.get("hostGroup") else _BEHIND_CLUSTER
    told = chapters(store, group, subject, (), last, background)
    if entry is None:
        return Account(subject, "", (), told)
    if not spec.get("fleet"):
        return Account(subject, f"{subject}, on host group {group}", (), told)
    status = standing.statuses(store).get(name)
    now = (*standing.told(status), *_left(status), *_waits(store, group, name))
    return Account(subject, _headline(subject, status), now, told, standing.shaped(status))


def _headline(subject: str, status: standing.Raw | None) -> str:
    if status is None:
        return f"{subject}: not seen yet"
    words = [
        f"{one['type']} {one['status']}" + (f" ({one['reason']})" if one["reason"] else "")
        for one in status["conditions"]
    ]
    settled = f"{status.get('settled', 0)} of {status.get('wanted', 0)} objects as declared"
    return f"{subject}: {', '.join(words)}; {settled}"


def _left(status: standing.Raw | None) -> Iterator[str]:
    if status is not None:
        yield from status.get("problems", ())
        for item in status.get("drifts", ()):
            done = "is put right" if item.get("corrected", True) else "is only observed"
            yield f"drift, which {done}: {item['object']}: {', '.join(item.get('fields', ()))}"


def _waits(store: SqliteStore, fleet: str, cluster: str) -> Iterator[str]:
    if store.raw_get(ROLLOUT, fleet) is None:
        return
    from frota.cli.delivery.progress import course_of, why

    course = course_of(store, fleet)
    part = course.parts.get(cluster)
    if part is not None:
        said = why(course, part)
        yield f"rollout {course.rollout.id}: {part.state}" + (f"; {said}" if said else "")


def _fleet(store: SqliteStore, fleet: str, told: tuple[Chapter, ...]) -> Account:
    subject = f"{FLEET}/{fleet}"
    if store.raw_get(ROLLOUT, fleet) is None:
        return Account(subject, f"{subject}: nothing was rolled out yet", (), told)
    from frota.cli.delivery.progress import course_of, data

    course = course_of(store, fleet)
    now = [f"{r.subject}: {r.reason}: {r.message}" for r in course.step.reasons]
    if course.approve:
        now.append(f"to let it begin: {course.approve}")
    rollout = course.rollout
    clusters = sum(e.value["spec"].get("fleet") == fleet for e in store.raw(CLUSTER))
    phase = course.step.rollout.phase
    headline = f"{subject}: {clusters} clusters; rollout {rollout.id} is {phase}"
    return Account(subject, headline, tuple(now), told, data(course))

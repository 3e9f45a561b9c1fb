"""One wanted object beside the live one: what is to be done about it, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import inf

from frota.model.delivery import Change, ClusterView, Verdict
from frota.model.deliveryplan import (
    Action,
    Attempt,
    DeliveryMemory,
    DeliveryPolicy,
    DriftPolicy,
    FieldDiff,
    Item,
)
from frota.model.objects import MEMBERSHIP_LABEL, Object, ObjectKey
from frota.planners.delivery.diffs import described, rivals
from frota.planners.delivery.fields import differences
from frota.planners.delivery.retries import contest_ends, retry_at
from frota.planners.delivery.runs import TIME_OVER, kept_until
from frota.planners.delivery.wanted import (
    APPLIED,
    APPLY,
    ONCE,
    Wanted,
    annotations_of,
    labels_of,
    revision_of,
    stamped,
    uid_of,
)

_NAMED_MOST = 3  # fields or managers in one message


@dataclass(frozen=True)
class Case:
    """All that a plan is made from."""

    wanted: Wanted
    view: ClusterView
    policy: DeliveryPolicy
    memory: DeliveryMemory
    now: float

    @cached_property
    def absent(self) -> frozenset[tuple[str, str]]:
        """(group, kind) of the kinds that the cluster does not serve."""
        return frozenset((kind.group, kind.kind) for kind in self.view.absent)

    @cached_property
    def defined(self) -> frozenset[tuple[str, str]]:
        """(group, kind) of the kinds whose definitions are delivered with the rest."""
        found = set()
        for key, item in self.wanted.objects.items():
            if key.kind == "CustomResourceDefinition":
                spec = item.get("spec") or {}
                found.add((spec.get("group", ""), (spec.get("names") or {}).get("kind", "")))
        return frozenset(found)

    @cached_property
    def ending(self) -> frozenset[str]:
        """Namespaces that are being deleted: nothing can be made in them."""
        return frozenset(
            key.name
            for key, item in self.view.objects.items()
            if key.kind == "Namespace" and not key.group and _leaves(item)
        )


@dataclass(frozen=True, slots=True)
class Judgement:
    """``item`` is None when the object is as it should be."""

    item: Item | None
    again_at: float = inf


@dataclass(frozen=True, slots=True)
class Pair:
    """One object under consideration."""

    case: Case
    key: ObjectKey
    live: Object | None
    diffs: tuple[FieldDiff, ...] = ()
    drifted: bool = False
    rivals: tuple[tuple[str, str], ...] = ()

    def leave(self, reason: str, message: str, again_at: float = inf) -> Judgement:
        """Do nothing, and say why."""
        item = Item(self.key, Action.LEAVE, reason, message, diffs=self.diffs, drifted=self.drifted)
        return Judgement(item, again_at)

    def write(self, action: Action, reason: str, message: str, *, force: bool = False) -> Judgement:
        """Send it, unless it failed a moment ago."""
        case, key = self.case, self.key
        digest = case.wanted.digests[key]
        attempt = case.memory.attempts.get(key)
        if attempt is not None and attempt.digest == digest and not self._allowed_now(force):
            due = retry_at(attempt, case.policy)
            if case.now < due:
                return self.leave(_RETRIED[attempt.verdict], _told(attempt), due)
        live = self.live
        change = Change(
            key=key,
            desired=stamped(case.wanted.objects[key], digest),
            uid=uid_of(live) if live is not None else "",
            take_over=force,
        )
        return Judgement(Item(key, action, reason, message, change, self.diffs, self.drifted))

    def delete(self, live: Object, reason: str, message: str) -> Judgement:
        """Delete what was looked at, unless that failed a moment ago. By revision too: a label
        that somebody changed meanwhile makes it another's object."""
        case, key = self.case, self.key
        attempt = case.memory.attempts.get(key)
        if attempt is not None and not attempt.digest:
            due = retry_at(attempt, case.policy)
            if case.now < due:
                return self.leave("Failed", attempt.message, due)
        change = Change(key, None, uid_of(live), revision_of(live))
        return Judgement(Item(key, Action.PRUNE, reason, message, change))

    def _allowed_now(self, force: bool) -> bool:
        """Whether a conflict was since decided by a person."""
        attempt = self.case.memory.attempts[self.key]
        return force and attempt.verdict is Verdict.CONFLICT


def _told(attempt: Attempt) -> str:
    if not attempt.managers:
        return attempt.message
    manager, path = attempt.managers[0]
    more = f" and {len(attempt.managers) - 1} more" if len(attempt.managers) > 1 else ""
    return f"{path} is held by {manager}{more}; take it over, or leave it to them"


_RETRIED: Mapping[Verdict, str] = {
    Verdict.CONFLICT: "Conflict",
    Verdict.REFUSED: "Refused",
    Verdict.FAILED: "Failed",
}


def judge(case: Case, key: ObjectKey, live: Object | None) -> Judgement:
    """What to do about one wanted object."""
    pair = Pair(case, key, live)
    if key in case.policy.ran and (live is None or _leaves(live)):
        return _ran(pair)
    if (key.group, key.kind) in case.absent:
        return _not_served(pair)
    if live is None:
        return _missing(pair)
    if _leaves(live):
        return pair.leave("Deleting", "is being deleted; it is made again when it is gone")
    if labels_of(live).get(MEMBERSHIP_LABEL) != case.policy.membership:
        return _foreign(pair, live)
    wanted, digest = case.wanted.objects[key], case.wanted.digests[key]
    if once(wanted):
        return _once(pair, live, digest)
    found = differences(wanted, digest, live)
    if found.none:
        return Judgement(None)
    diffs = described(wanted, live, found)
    if annotations_of(live).get(APPLIED) != digest:
        against = rivals(wanted, live, found)
        return _changed(Pair(case, key, live, diffs, rivals=against))
    if not found.unowned and not found.surplus:
        # Still Frota's, and the content is the one that was sent: so the API server keeps it
        # like this, and sending it again would change nothing.
        return _altered(Pair(case, key, live, diffs))
    return _drifted(Pair(case, key, live, diffs, drifted=True))


def once(wanted: Object) -> bool:
    """Whether an object is written at its creation, and then left as it runs."""
    return annotations_of(wanted).get(APPLY) == ONCE


def _leaves(item: Object) -> bool:
    return bool(item["metadata"].get("deletionTimestamp"))


def _not_served(pair: Pair) -> Judgement:
    key = pair.key
    if (key.group, key.kind) in pair.case.defined:
        return pair.leave("AwaitsDefinition", "its definition is delivered first")
    name = f"{key.kind}.{key.group}" if key.group else key.kind
    return pair.leave("KindNotServed", f"the cluster does not know {name}; install it there")


def _missing(pair: Pair) -> Judgement:
    if pair.key.namespace in pair.case.ending:
        return pair.leave("NamespaceEnding", f"namespace {pair.key.namespace} is being deleted")
    if pair.key in pair.case.policy.take_over:
        return pair.write(Action.TAKE_OVER, "TakenOver", "given to Frota by a person", force=True)
    return pair.write(Action.CREATE, "Missing", "is not there, or not Frota's yet")


def _foreign(pair: Pair, live: Object) -> Judgement:
    if pair.key in pair.case.policy.take_over:
        return pair.write(Action.TAKE_OVER, "TakenOver", "given to Frota by a person", force=True)
    other = labels_of(live).get(MEMBERSHIP_LABEL)
    if other:
        return pair.leave("OtherSet", f"belongs to the set {other}; take it over, or rename yours")
    return pair.write(Action.CREATE, "Missing", "is there and not Frota's yet")


def _once(pair: Pair, live: Object, digest: str) -> Judgement:
    until = kept_until(pair.case.wanted.objects[pair.key], live)
    if pair.case.now >= until:
        return pair.delete(live, TIME_OVER, "ended, and was kept for as long as it should be")
    if annotations_of(live).get(APPLIED) in (digest, None):
        return Judgement(None, until)
    return pair.leave(
        "WrittenOnce",
        "differs from what is declared now; it runs as it was made: give it a new name",
        until,
    )


def _ran(pair: Pair) -> Judgement:
    """It ended, and was deleted when its time was over."""
    if pair.case.policy.ran[pair.key] == pair.case.wanted.digests[pair.key]:
        return Judgement(None)
    return pair.leave(
        "WrittenOnce", "ran already, and differs from what is declared now: give it a new name"
    )


def _changed(pair: Pair) -> Judgement:
    """What is wanted is not what was sent last."""
    policy = pair.case.policy
    message = _named(pair.diffs) or "is written in another way"
    if not pair.rivals:
        return pair.write(Action.CHANGE, "Changed", message)
    message = f"{message}; held by {_managers(pair.rivals)}"
    if pair.key in policy.take_over:
        return pair.write(Action.TAKE_OVER, "TakenOver", message, force=True)
    if policy.drift is DriftPolicy.OBSERVE:
        return pair.leave("Conflict", f"{message}, and drift is only observed")
    return pair.write(Action.CHANGE, "Changed", message, force=True)


def _drifted(pair: Pair) -> Judgement:
    """Somebody else changed what was delivered."""
    policy, message = pair.case.policy, _named(pair.diffs)
    if not any(diff.writer for diff in pair.diffs):
        message = f"{message} (who took it away is not recorded)"
    if policy.drift is DriftPolicy.OBSERVE and pair.key not in policy.take_over:
        return pair.leave("Drifted", message)
    until = contest_ends(pair.case.memory.corrections.get(pair.key), policy)
    if pair.case.now < until:
        return pair.leave(
            "Contested", f"{message}; put right again and again, now more slowly", until
        )
    return pair.write(Action.CORRECT, "Drifted", message, force=True)


def _altered(pair: Pair) -> Judgement:
    return pair.leave(
        "Altered", f"the API server keeps it otherwise than sent: {_named(pair.diffs)}"
    )


def _named(diffs: tuple[FieldDiff, ...]) -> str:
    """The first fields, with who wrote them."""
    words = [f"{d.path} by {d.writer}" if d.writer else d.path for d in diffs[:_NAMED_MOST]]
    more = len(diffs) - _NAMED_MOST
    return ", ".join(words) + (f" and {more} more" if more > 0 else "")


def _managers(rivals: tuple[tuple[str, str], ...]) -> str:
    names = sorted({manager for manager, _ in rivals})
    return ", ".join(names[:_NAMED_MOST])

"""When something that failed, or came back, is tried again: no loop over one object."""

from __future__ import annotations

from dataclasses import replace

from frota.model.delivery import Change, ChangeResult, DeliveryOutcome, Verdict
from frota.model.deliveryplan import (
    Action,
    Attempt,
    Correction,
    DeliveryMemory,
    DeliveryPlan,
    DeliveryPolicy,
)
from frota.planners.delivery.wanted import APPLIED, annotations_of

_DOUBLINGS_MOST = 16
_KEPT = frozenset({Verdict.CONFLICT, Verdict.REFUSED, Verdict.FAILED})
_DONE = frozenset({Verdict.APPLIED, Verdict.UNCHANGED, Verdict.DELETED})


def retry_at(attempt: Attempt, policy: DeliveryPolicy) -> float:
    """When a change that did not succeed may be sent again."""
    return attempt.at + _wait(attempt.times - 1, policy)


def contest_ends(correction: Correction | None, policy: DeliveryPolicy) -> float:
    """Until when an object is left as another manager wrote it, after it was put right too
    often: never for good, and more slowly each time."""
    if correction is None or correction.times < policy.contest_least:
        return 0.0
    return correction.at + _wait(correction.times - policy.contest_least, policy)


def _wait(times: int, policy: DeliveryPolicy) -> float:
    wait: float = policy.retry_first * 2 ** min(times, _DOUBLINGS_MOST)
    return min(policy.retry_most, wait)


def remember(memory: DeliveryMemory, plan: DeliveryPlan) -> DeliveryMemory:
    """What a plan adds to memory: the objects that are as they should be. Attempts
    at what is at rest by now are forgotten."""
    if plan.waits:
        return memory
    open_keys = {item.key for item in plan.items}
    attempts = {key: attempt for key, attempt in memory.attempts.items() if key in open_keys}
    return replace(memory, attempts=attempts, settled=plan.settled, compared=plan.compared)


def learn(
    memory: DeliveryMemory,
    plan: DeliveryPlan,
    outcome: DeliveryOutcome,
    policy: DeliveryPolicy,
    now: float,
) -> DeliveryMemory:
    """What the end of a plan's delivery adds to memory. A dry run teaches nothing: do not
    pass one."""
    digests = {item.key: _content(item.change) for item in plan.items}
    corrected = {item.key for item in plan.items if item.action is Action.CORRECT}
    attempts = dict(memory.attempts)
    corrections = {
        key: correction
        for key, correction in memory.corrections.items()
        if now <= max(contest_ends(correction, policy), correction.at) + policy.contest_window
    }
    for result in outcome.results:
        key = result.key
        if result.verdict in _KEPT:
            attempts[key] = _failed(result, digests.get(key, ""), attempts.get(key), now)
        elif result.verdict in _DONE:
            attempts.pop(key, None)
            if key in corrected and result.verdict is Verdict.APPLIED:
                before = corrections.get(key)
                corrections[key] = Correction(before.times + 1 if before else 1, now)
    return replace(memory, attempts=attempts, corrections=corrections)


def _failed(result: ChangeResult, digest: str, last: Attempt | None, now: float) -> Attempt:
    again = last is not None and last.digest == digest
    times = last.times + 1 if last is not None and again else 1
    return Attempt(digest, result.verdict, result.message, now, times, result.managers)


def _content(change: Change | None) -> str:
    if change is None or change.desired is None:
        return ""
    return str(annotations_of(change.desired).get(APPLIED, ""))

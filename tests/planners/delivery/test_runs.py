"""Jobs that ended are kept for their time, deleted, and never run again."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import Any

import pytest

from frota.compile.kubernetes.labels import TTL_AFTER_FINISHED
from frota.model.delivery import ClusterView
from frota.model.deliveryplan import Action, DeliveryMemory, DeliveryPlan
from frota.model.objects import key_of
from frota.planners.delivery import cluster_health, plan_delivery, remember, stamped
from frota.planners.delivery.runs import ended_at
from frota.planners.delivery.wanted import APPLY, ONCE
from tests.planners.delivery.builders import POLICY, made, reasons, view_of, wanted_of

END = 1_795_332_200  # 2026-11-22T07:23:20Z
STAMP = "2026-11-22T07:23:20Z"


def job(seconds: str = "3600", image: str = "a") -> dict[str, Any]:
    found = made("Job", "tune", version="batch/v1", spec={"image": image})
    found["metadata"]["annotations"] = {APPLY: ONCE, TTL_AFTER_FINISHED: seconds}
    return found


def live(item: dict[str, Any], *conditions: tuple[str, str, str]) -> dict[str, Any]:
    """The job as a cluster shows it."""
    found = dict(stamped(item, wanted_of([item]).digests[key_of(item)]))
    found["metadata"] = {**found["metadata"], "uid": "u-1", "resourceVersion": "7"}
    said = [{"type": t, "status": s, "lastTransitionTime": at} for t, s, at in conditions]
    return {**found, "status": {"conditions": said}}


def plan(
    item: dict[str, Any], view: ClusterView, now: float, memory: DeliveryMemory | None = None,
    **more: Any,
) -> DeliveryPlan:  # fmt: skip
    return plan_delivery(wanted_of([item]), view, replace(POLICY, **more), memory, now)


@pytest.mark.parametrize("end", ["Complete", "Completed", "Failed"])
def test_it_is_kept_for_its_time_and_then_deleted(end: str) -> None:
    view = view_of([live(job(), ("Suspended", "False", STAMP), (end, "True", STAMP))])
    kept = plan(job(), view, END + 3599)
    assert (kept.items, kept.batches, kept.again_at) == ((), (), END + 3600)
    memory = remember(DeliveryMemory(), kept)
    due = plan(job(), view, END + 3600, memory)  # though nothing about it has changed
    ((change,),) = due.batches
    assert (change.desired, change.uid, change.revision) == (None, "u-1", "7")
    assert [(item.action, item.reason) for item in due.items] == [(Action.PRUNE, "TimeOver")]
    assert due.held is None


@pytest.mark.parametrize(
    ("seconds", "condition"),
    [
        ("3600", ("Complete", "False", STAMP)),
        ("3600", ("FailureTarget", "True", STAMP)),
        ("3600", ("Complete", "True", "yesterday")),
        ("3600", ("Complete", "True", "2026-13-41T00:00:00Z")),
        ("", ("Complete", "True", STAMP)),
        ("-1", ("Complete", "True", STAMP)),
    ],
)
def test_it_is_left_while_nothing_says_that_its_time_is_over(
    seconds: str, condition: tuple[str, str, str]
) -> None:
    found = plan(job(seconds), view_of([live(job(seconds), condition)]), END * 2)
    assert (found.items, found.again_at) == ((), inf)


def test_what_ran_does_not_run_again() -> None:
    key, wanted = key_of(job()), wanted_of([job()])
    ran = {key: wanted.digests[key]}
    assert reasons(plan(job(), view_of([]), END)) == {"tune": "Missing"}
    gone = plan(job(), view_of([]), END, ran=ran)
    assert (gone.items, list(gone.settled)) == ((), [key])
    assert cluster_health(wanted, view_of([]), ran).healthy
    going = live(job(), ("Complete", "True", STAMP))
    going["metadata"]["deletionTimestamp"] = STAMP
    assert plan(job(), view_of([going]), END, ran=ran).items == ()
    other = plan(job(image="b"), view_of([]), END, ran=ran)
    assert reasons(other) == {"tune": "WrittenOnce"}
    assert other.batches == ()


def test_the_form_of_times() -> None:
    assert ended_at(live(job(), ("Complete", "True", STAMP))) == END
    assert ended_at({**job(), "status": {"conditions": ["nonsense", {"type": "Failed"}]}}) == inf
    assert ended_at({**job(), "status": "nonsense"}) == inf

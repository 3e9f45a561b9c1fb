"""What comes after something that failed waits for it; nothing else does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from frota.model.delivery import Verdict
from frota.model.deliveryplan import Attempt, DeliveryMemory, DeliveryPlan
from frota.model.objects import key_of
from frota.planners.delivery import plan_delivery
from tests.planners.delivery.builders import (
    POLICY,
    Cluster,
    made,
    reasons,
    settings,
    space,
    view_of,
    wanted_of,
    workload,
)

POLICE = made("NetworkPolicy", "police", version="networking.k8s.io/v1", spec={"podSelector": {}})
CLASS = made("PriorityClass", "class", "", "scheduling.k8s.io/v1", value=1)
ELSEWHERE = made("Deployment", "elsewhere", "b", "apps/v1", spec={})
ROLE = made("Role", "role", version="rbac.authorization.k8s.io/v1", rules=[])
OLD = made("Deployment", "old", version="apps/v1", spec={})
EVERY = [space(), space("b"), POLICE, CLASS, settings("c"), workload("w"), ELSEWHERE, ROLE]


def planned(
    failed: dict[str, Any], verdict: Verdict = Verdict.REFUSED, now: float = 101.0
) -> DeliveryPlan:
    """All of it is missing, one thing just failed, and something is there to be deleted."""
    wanted = wanted_of(EVERY)
    key = key_of(failed)
    attempts = {key: Attempt(wanted.digests[key], verdict, "no", 100.0)}
    return plan_delivery(wanted, view_of([OLD]), POLICY, DeliveryMemory(attempts), now)


@pytest.mark.parametrize(
    ("failed", "waiting"),
    [
        (workload("w"), {"old"}),
        (settings("c"), {"w", "old"}),
        (POLICE, {"c", "w", "old"}),
        (CLASS, {"c", "w", "elsewhere", "old"}),
        (space("b"), {"elsewhere"}),
        (space(), {"police", "c", "w", "role", "old"}),
        (ELSEWHERE, set()),
    ],
)
@pytest.mark.parametrize("verdict", [Verdict.REFUSED, Verdict.FAILED])
def test_what_comes_after_it_waits(
    failed: dict[str, Any], waiting: set[str], verdict: Verdict
) -> None:
    plan = planned(failed, verdict)
    said = reasons(plan)
    assert {name for name, reason in said.items() if reason == "Waits"} == waiting
    sent = {change.key.name for batch in plan.batches for change in batch}
    assert sent == set(said) - waiting - {failed["metadata"]["name"]}
    if waiting:
        messages = {item.message for item in plan.items if item.reason == "Waits"}
        assert messages == {f"waits for {key_of(failed)}, which failed"}


def test_it_goes_on_with_it_when_it_is_tried_again() -> None:
    assert "Waits" not in reasons(planned(POLICE, now=106.0)).values()


def test_who_refuses_another_owner_holds_nothing_up() -> None:
    assert "Waits" not in reasons(planned(POLICE, Verdict.CONFLICT)).values()


def test_the_old_one_stays_until_the_new_one_is_there() -> None:
    cluster = Cluster()
    cluster.bring(space(), workload("old"))
    cluster.server.rules.refuse = lambda key, _item: "no" * (key.name == "new")
    after = [space(), workload("new")]
    cluster.deliver(cluster.plan(after))
    told = cluster.plan(after)
    assert reasons(told) == {"new": "Refused", "old": "Waits"}
    assert told.batches == ()
    cluster.server.rules.refuse = lambda _key, _item: ""
    cluster.run(10.0)
    cluster.deliver(cluster.plan(after))
    assert cluster.plan(after).items == ()
    assert {key.name for key in cluster.view.objects} == {"team", "new"}


def test_what_somebody_changed_is_put_right_all_the_same() -> None:
    cluster = Cluster()
    cluster.bring(space(), workload("w"))
    key = key_of(workload("w"))
    cluster.server.update(key, "kubectl", lambda item: item["spec"].update(replicas=9))
    cluster.run(1.0)
    cluster.server.rules.refuse = lambda key, _item: "no" * (key.name == "c")
    after = [space(), settings("c"), workload("w")]
    cluster.deliver(cluster.plan(after))
    assert reasons(cluster.plan(after)) == {"c": "Refused", "w": "Drifted"}


def test_deletions_that_a_person_approved_wait_for_nothing() -> None:
    cluster = Cluster()
    cluster.policy = replace(POLICY, brake_share=0.0, brake_least=0)
    cluster.bring(space(), workload("old"))
    cluster.server.rules.refuse = lambda key, _item: "no" * (key.name == "new")
    after = [space(), workload("new")]
    cluster.deliver(cluster.plan(after))
    held = cluster.plan(after).held
    assert held is not None
    cluster.policy = replace(cluster.policy, approved=(held.approval,))
    assert reasons(cluster.plan(after)) == {"new": "Refused", "old": "NotWanted"}

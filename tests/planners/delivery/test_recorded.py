"""What would change against what a cluster was last told to have."""

from __future__ import annotations

from typing import Any

from frota.model.deliveryplan import Action, DeliveryPlan, DeliveryPolicy
from frota.model.objects import MEMBERSHIP_LABEL, Object
from frota.planners.delivery import prepare
from frota.planners.delivery.recorded import plan_recorded

_SET = "applyset-x"


def made(kind: str, name: str, space: str = "", **body: Any) -> Object:
    metadata: dict[str, Any] = {"name": name, "labels": {MEMBERSHIP_LABEL: _SET}}
    if space:
        metadata["namespace"] = space
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **body}


def settings(name: str, **data: str) -> Object:
    return made("ConfigMap", name, "team", data=data)


def plan(before: list[Object], after: list[Object]) -> DeliveryPlan:
    old, new = prepare(before, _SET), prepare(after, _SET)
    return plan_recorded("east", old, new, DeliveryPolicy(_SET, brake_least=1))


def test_each_object_has_its_item() -> None:
    found = plan(
        [settings("a", x="1"), settings("b", x="1"), settings("c")],
        [settings("a", x="1"), settings("b", x="2"), settings("d")],
    )
    assert {item.key.name: item.action for item in found.items} == {
        "b": Action.CHANGE, "d": Action.CREATE, "c": Action.PRUNE,
    }  # fmt: skip
    (change,) = (item for item in found.items if item.key.name == "b")
    assert [(d.path, d.found, d.wanted) for d in change.diffs] == [("data.x", "1", "2")]
    assert [key.name for key in found.settled] == ["a"]
    assert found.held is None


def test_the_brake_is_foretold_without_a_hash() -> None:
    found = plan([settings("a"), settings("b"), settings("c")], [settings("a")])
    assert found.held is not None
    assert found.held.plan == ""
    assert {item.reason for item in found.items} == {"PruneHeld"}
    claims = plan([made("PersistentVolumeClaim", "p", "team"), settings("a")], [settings("a")])
    assert claims.held is not None


def test_what_is_written_once_is_left() -> None:
    job = made("Job", "j", "team", spec={"x": 1})
    job["metadata"]["annotations"] = {"frota.dev/apply": "once"}
    (item,) = plan([job], [{**job, "spec": {"x": 2}}]).items
    assert (item.action, item.reason) == (Action.LEAVE, "WrittenOnce")


def test_secrets_are_not_shown() -> None:
    one, other = (made("Secret", "s", "team", data={"k": word}) for word in ("aa", "bb"))
    (item,) = plan([one], [other]).items
    assert item.diffs == ()

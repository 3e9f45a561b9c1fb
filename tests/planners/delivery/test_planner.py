"""What delivery does about one cluster, case by case, on the simulated API server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from frota.model.delivery import Verdict
from frota.model.deliveryplan import Action, DriftPolicy
from frota.model.objects import MEMBERSHIP_LABEL, Object, key_of
from frota.planners.delivery import APPLIED, mark, plan_delivery, prepare
from tests.planners.delivery.builders import (
    OURS,
    POLICY,
    SPACE,
    Cluster,
    claim,
    definition,
    item_of,
    labelled,
    made,
    reasons,
    service,
    settings,
    space,
    view_of,
    wanted_of,
    workload,
)


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def names(plan: Any) -> list[list[str]]:
    return [sorted(change.key.kind for change in batch) for batch in plan.batches]


class TestFirstDelivery:
    def test_everything_is_created_in_the_order_of_kinds(self, cluster: Cluster) -> None:
        plan = cluster.bring(workload("w"), settings("c"), space())
        assert {item.action for item in plan.items} == {Action.CREATE}
        assert names(plan) == [["Namespace"], ["ConfigMap"], ["Deployment"]]

    def test_then_nothing_is_left_to_do(self, cluster: Cluster) -> None:
        objects = [space(), settings("c", x="1"), workload("w"), service("s"), claim("v")]
        cluster.bring(*objects)
        again = cluster.plan(objects, blank=True)
        assert not again.items
        assert again.empty
        assert len(again.settled) == len(objects)

    def test_what_was_looked_at_is_not_compared_again(self, cluster: Cluster) -> None:
        objects = [space(), settings("c", x="1")]
        cluster.bring(*objects)
        first = cluster.plan(objects)
        assert cluster.plan(objects).settled == first.settled
        cluster.server.update(key_of(objects[1]), "kubectl", lambda item: item.update(data={}))
        cluster.run(1)
        assert reasons(cluster.plan(objects)) == {"c": "Drifted"}

    def test_two_objects_of_one_key_are_refused(self) -> None:
        with pytest.raises(ValueError, match="twice"):
            prepare([settings("a"), settings("a")], OURS)

    def test_an_object_without_the_label_is_refused(self) -> None:
        with pytest.raises(ValueError, match=MEMBERSHIP_LABEL):
            prepare([labelled(settings("a"), None)], OURS)


class TestSight:
    @pytest.mark.parametrize(
        ("more", "words"),
        [
            ({"answers": False, "error": "connection refused"}, "connection refused"),
            ({"answers": False}, "does not answer"),
            ({"complete": False}, "not seen whole"),
        ],
    )
    def test_what_is_not_seen_is_not_planned(self, more: dict[str, Any], words: str) -> None:
        view = replace(view_of([settings("old")]), **more)
        plan = plan_delivery(wanted_of([settings("new")]), view, POLICY)
        assert words in plan.waits
        assert plan.empty
        assert not plan.items


class TestChanges:
    @pytest.mark.parametrize(
        ("before", "after", "path"),
        [
            (workload("w"), workload("w", image="app:2"), "image"),
            (workload("w"), workload("w", replicas=3), ".spec.replicas"),
            (settings("w", a="1"), settings("w", a="2"), ".data.a"),
            (settings("w", a="1"), settings("w", a="1", b="2"), ".data.b"),
            (settings("w", a="1", b="2"), settings("w", a="1"), ".data.b"),
        ],
    )
    def test_a_change_is_sent_and_says_what_differs(
        self, cluster: Cluster, before: Any, after: Any, path: str
    ) -> None:
        cluster.bring(space(), before)
        plan = cluster.plan([space(), after])
        item = item_of(plan, after)
        assert item is not None
        assert (item.action, item.reason) == (Action.CHANGE, "Changed")
        assert any(path in diff.path for diff in item.diffs)
        assert item.change is not None
        assert not item.change.take_over
        assert item.change.uid
        cluster.deliver(plan)
        assert cluster.plan([space(), after], blank=True).empty

    def test_what_is_not_wanted_any_more_in_a_list_goes(self, cluster: Cluster) -> None:
        before, after = workload("w"), workload("w")
        after["spec"]["template"]["spec"]["containers"][0]["env"].pop()
        cluster.bring(space(), before)
        cluster.bring(space(), after)
        there = cluster.server.shown(key_of(after))
        assert there is not None
        env = there["spec"]["template"]["spec"]["containers"][0]["env"]
        assert env == [{"name": "A", "value": "1"}]

    @pytest.mark.parametrize("cpu", ["1000m", "1", "0.5", "500m"])
    def test_quantities_in_another_form_are_no_drift(self, cluster: Cluster, cpu: str) -> None:
        objects = [space(), workload("w", cpu=cpu)]
        cluster.bring(*objects)
        assert not cluster.plan(objects, blank=True).items

    def test_what_admission_changes_is_told_and_not_fought(self, cluster: Cluster) -> None:
        def inject(item: dict[str, Any]) -> None:
            if item["kind"] == "ConfigMap":
                item["data"]["x"] = "injected"

        cluster.server.rules.mutate = inject
        objects = [space(), settings("c", x="1")]
        cluster.bring(*objects)
        plan = cluster.plan(objects, blank=True)
        assert reasons(plan) == {"c": "Altered"}
        assert plan.empty
        assert not plan.drifts

    def test_what_is_written_once_is_left_to_run(self, cluster: Cluster) -> None:
        job = made("Job", "j", version="batch/v1", spec={"template": {"spec": {"x": 1}}})
        job["metadata"]["annotations"] = {"frota.dev/apply": "once"}
        cluster.bring(space(), job)
        assert not cluster.plan([space(), job]).items
        other = {**job, "spec": {"template": {"spec": {"x": 2}}}}
        plan = cluster.plan([space(), other])
        assert reasons(plan) == {"j": "WrittenOnce"}
        assert plan.empty

    def test_the_mark_is_of_what_would_be_done(self, cluster: Cluster) -> None:
        def named(objects: Sequence[Object]) -> list[str]:
            wanted = wanted_of(objects)
            return [mark(item, wanted) for item in cluster.plan(objects).items]

        cluster.bring(space(), settings("c", x="1"))
        one, other = [space(), settings("c", x="2")], [space(), settings("c", x="3")]
        first = named(one)
        cluster.run(10)
        assert named(one) == first
        assert named(other) != first
        cluster.server.update(
            key_of(settings("c")), "kubectl", lambda item: item.update(data={"x": "9"})
        )
        cluster.run(1)
        assert named(one) != first


def _scale(item: dict[str, Any]) -> None:
    item["spec"]["replicas"] = 7


def _unmount(item: dict[str, Any]) -> None:
    del item["spec"]["template"]["spec"]["automountServiceAccountToken"]


def _image(item: dict[str, Any]) -> None:
    item["spec"]["template"]["spec"]["containers"][0]["image"] = "evil:1"


def _drop_env(item: dict[str, Any]) -> None:
    item["spec"]["template"]["spec"]["containers"][0]["env"].pop(0)


def _tolerate(item: dict[str, Any]) -> None:
    item["spec"]["template"]["spec"]["tolerations"] = []


def _unstamp(item: dict[str, Any]) -> None:
    del item["metadata"]["annotations"][APPLIED]


class TestDrift:
    @pytest.mark.parametrize(
        ("change", "who"),
        [
            (_scale, "kubectl-edit"),
            (_image, "kubectl-edit"),
            (_tolerate, "kubectl-edit"),
            (_unmount, ""),  # who only takes away owns nothing, and so is not recorded
            (_drop_env, ""),
        ],
    )
    def test_is_put_right_and_says_who_it_was(
        self, cluster: Cluster, change: Callable[[dict[str, Any]], None], who: str
    ) -> None:
        objects = [space(), workload("w")]
        cluster.bring(*objects)
        before = cluster.server.objects[key_of(objects[1])].item["spec"]
        cluster.server.update(key_of(objects[1]), "kubectl-edit", change)
        cluster.run(1)
        plan = cluster.plan(objects)
        item = item_of(plan, objects[1])
        assert item is not None
        assert (item.action, item.reason, item.drifted) == (Action.CORRECT, "Drifted", True)
        assert item.diffs[0].manager == who
        assert item.diffs[0].at.endswith("Z") is bool(who)
        assert ("not recorded" in item.message) is not bool(who)
        cluster.deliver(plan)
        assert cluster.server.objects[key_of(objects[1])].item["spec"] == before
        assert not cluster.plan(objects, blank=True).items

    def test_a_stamp_that_was_taken_off_is_put_back(self, cluster: Cluster) -> None:
        objects = [space(), workload("w")]
        cluster.bring(*objects)
        cluster.server.update(key_of(objects[1]), "kubectl-edit", _unstamp)
        cluster.run(1)
        plan = cluster.plan(objects)
        assert not plan.empty
        cluster.deliver(plan)
        assert not cluster.plan(objects, blank=True).items

    def test_is_only_told_where_policy_says_so(self, cluster: Cluster) -> None:
        objects = [space(), workload("w")]
        cluster.bring(*objects)
        cluster.policy = replace(POLICY, drift=DriftPolicy.OBSERVE)
        cluster.server.update(key_of(objects[1]), "kubectl-edit", _scale)
        cluster.run(1)
        plan = cluster.plan(objects)
        assert reasons(plan) == {"w": "Drifted"}
        assert plan.empty
        assert plan.drifts[0].diffs[0].path == ".spec.replicas"
        assert (plan.drifts[0].diffs[0].wanted, plan.drifts[0].diffs[0].found) == (1, 7)
        after = workload("w", replicas=2)
        told = cluster.plan([space(), after])
        assert reasons(told) == {"w": "Conflict"}
        assert "kubectl-edit" in told.items[0].message

    def test_fields_that_frota_does_not_write_are_others(self, cluster: Cluster) -> None:
        objects = [space(), settings("c", x="1")]
        cluster.bring(*objects)
        cluster.server.update(
            key_of(objects[1]), "kubectl", lambda item: item["data"].update(y="theirs")
        )
        cluster.run(1)
        assert not cluster.plan(objects, blank=True).items

    def test_a_deleted_object_is_made_again(self, cluster: Cluster) -> None:
        objects = [space(), settings("c", x="1")]
        cluster.bring(*objects)
        cluster.server.remove(key_of(objects[1]))
        cluster.run(1)
        assert reasons(cluster.plan(objects)) == {"c": "Missing"}

    def test_somebody_who_writes_back_slows_frota_down(self, cluster: Cluster) -> None:
        objects = [space(), workload("w")]
        cluster.bring(*objects)
        cluster.member.fight(key_of(objects[1]), "rival", _scale, 0.5)
        cluster.server.update(key_of(objects[1]), "rival", _scale)
        corrected = 0
        for _ in range(600):
            plan = cluster.plan(objects)
            if not plan.empty:
                cluster.deliver(plan)
                corrected += 1
            cluster.run(1.0)
        assert 5 < corrected < 30
        assert reasons(plan) == {"w": "Contested"}
        assert "rival" in plan.items[0].message
        assert plan.again_at > cluster.clock.now()

    def test_secrets_are_not_shown(self, cluster: Cluster) -> None:
        secret = made("Secret", "s", data={"token": "c2VjcmV0"})
        cluster.bring(space(), secret)
        cluster.server.update(
            key_of(secret), "kubectl", lambda item: item.update(data={"token": "b3RoZXI="})
        )
        cluster.run(1)
        plan = cluster.plan([space(), secret])
        assert not plan.empty
        assert all("c2VjcmV0" not in str((d.wanted, d.found)) for d in plan.items[0].diffs)
        assert plan.items[0].diffs[0].found == "(hidden)"


class TestForeign:
    def test_a_conflict_is_shown_and_needs_a_word(self, cluster: Cluster) -> None:
        item = settings("c", x="ours")
        cluster.bring(space())
        cluster.server.apply(labelled(settings("c", x="theirs"), None), "argocd")
        plan = cluster.plan([space(), item])
        outcome = cluster.deliver(plan)
        assert outcome.results[0].verdict is Verdict.CONFLICT
        told = cluster.plan([space(), item])
        assert told.empty
        assert reasons(told) == {"c": "Conflict"}
        assert "argocd" in told.items[0].message
        assert told.again_at > cluster.clock.now()
        cluster.policy = replace(POLICY, take_over=frozenset({key_of(item)}))
        taken = cluster.plan([space(), item])
        assert taken.items[0].action is Action.TAKE_OVER
        cluster.deliver(taken)
        assert not cluster.plan([space(), item], blank=True).items
        there = cluster.server.shown(key_of(item))
        assert there is not None
        assert there["data"] == {"x": "ours"}

    def test_an_object_of_another_set_is_left(self, cluster: Cluster) -> None:
        item = settings("c", x="1")
        cluster.bring(space())
        cluster.server.apply(labelled(item, "applyset-other-v1"), "frota")
        cluster.run(1)
        plan = cluster.plan([space(), item])
        assert reasons(plan) == {"c": "OtherSet"}
        assert plan.empty

    def test_what_is_the_same_is_shared_without_conflict(self, cluster: Cluster) -> None:
        item = settings("c", x="same")
        cluster.bring(space())
        cluster.server.apply(labelled(item, None), "argocd")
        cluster.bring(space(), item)
        assert not cluster.plan([space(), item], blank=True).items


class TestFailures:
    def test_a_refused_change_waits_and_a_new_content_does_not(self, cluster: Cluster) -> None:
        cluster.bring(space())
        cluster.server.rules.refuse = lambda key, item: (
            "no x" if key.kind == "ConfigMap" and item["data"].get("x") == "1" else ""
        )
        bad = [space(), settings("c", x="1")]
        outcome = cluster.deliver(cluster.plan(bad))
        assert outcome.results[0].verdict is Verdict.REFUSED
        told = cluster.plan(bad)
        assert reasons(told) == {"c": "Refused"}
        assert told.items[0].message == "no x"
        cluster.run(told.again_at - cluster.clock.now() + 0.1)
        assert not cluster.plan(bad).empty, "it is tried again"
        good = [space(), settings("c", x="2")]
        cluster.deliver(cluster.plan(good))
        assert not cluster.plan(good, blank=True).items

    def test_waits_double_up_to_a_limit(self, cluster: Cluster) -> None:
        cluster.bring(space())
        cluster.server.rules.refuse = lambda key, _item: "no" * (key.kind == "ConfigMap")
        tries = 0
        for _ in range(2000):
            plan = cluster.plan([space(), settings("c")])
            if not plan.empty:
                cluster.deliver(plan)
                tries += 1
            cluster.run(1.0)
        assert 6 <= tries <= 20

    def test_a_kind_that_is_not_served_is_named(self, cluster: Cluster) -> None:
        cluster.server.rules.unserved.add(("example.org", "Widget"))
        widget = made("Widget", "w", version="example.org/v1")
        plan = cluster.plan([space(), widget])
        assert reasons(plan)["w"] == "KindNotServed"
        assert "Widget.example.org" in plan.items[-1].message
        assert names(plan) == [["Namespace"]]

    def test_a_kind_comes_after_its_definition(self, cluster: Cluster) -> None:
        cluster.server.rules.unserved.add(("example.org", "Widget"))
        objects = [space(), definition(), made("Widget", "w", version="example.org/v1")]
        plan = cluster.bring(*objects)
        assert reasons(plan)["w"] == "AwaitsDefinition"
        cluster.run(10)
        cluster.bring(*objects)
        assert not cluster.plan(objects, blank=True).items

    def test_nothing_is_made_in_a_namespace_that_ends(self, cluster: Cluster) -> None:
        cluster.server.rules.finalizes = False
        objects = [space(), settings("c")]
        cluster.bring(space())
        cluster.server.remove(key_of(space()))
        cluster.run(1)
        plan = cluster.plan(objects)
        assert reasons(plan) == {SPACE: "Deleting", "c": "NamespaceEnding"}
        assert plan.empty
        cluster.server.finish(SPACE)
        cluster.run(1)
        cluster.bring(*objects)
        assert not cluster.plan(objects, blank=True).items

    def test_after_lost_storage_everything_is_made_again(self, cluster: Cluster) -> None:
        objects = [space(), settings("c"), workload("w")]
        cluster.bring(*objects)
        cluster.member.wipe()
        cluster.run(5)
        plan = cluster.bring(*objects)
        assert {item.action for item in plan.items} == {Action.CREATE}
        assert not cluster.plan(objects, blank=True).items

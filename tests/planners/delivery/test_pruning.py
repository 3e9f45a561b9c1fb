"""What is deleted, and what waits for a person."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from frota.compile.kubernetes import applyset
from frota.model.delivery import Verdict
from frota.model.deliveryplan import Action, PruneApproval
from frota.model.objects import MEMBERSHIP_LABEL, key_of
from frota.planners.delivery import plan_delivery
from frota.planners.delivery.wanted import labels_of
from tests.planners.delivery.builders import (
    OURS,
    POLICY,
    SPACE,
    Cluster,
    claim,
    definition,
    labelled,
    made,
    reasons,
    settings,
    space,
    view_of,
    wanted_of,
    workload,
)


def live(item: dict[str, Any], uid: str = "") -> dict[str, Any]:
    """The object as a cluster shows it."""
    metadata = {"uid": uid or f"u-{item['metadata']['name']}", "resourceVersion": "7"}
    return {**item, "metadata": {**item["metadata"], **metadata}}


def many(count: int) -> list[dict[str, Any]]:
    return [live(settings(f"c{n}")) for n in range(count)]


def test_what_is_not_wanted_goes_in_the_reverse_order() -> None:
    cluster = Cluster()
    cluster.bring(space(), settings("c"), workload("w"), settings("kept"))
    plan = cluster.plan([space(), settings("kept")])
    assert {item.action for item in plan.items} == {Action.PRUNE}
    assert [[c.key.kind for c in batch] for batch in plan.batches] == [
        ["Deployment"],
        ["ConfigMap"],
    ]
    cluster.deliver(plan)
    assert not cluster.plan([space(), settings("kept")], blank=True).items
    assert {k.name for k in cluster.view.objects} == {SPACE, "kept"}


def test_deletions_come_after_all_writes() -> None:
    plan = plan_delivery(
        wanted_of([workload("new")]), view_of([live(space()), live(settings("old"))]), POLICY
    )
    assert plan.held is not None  # the namespace may hold claims
    view = view_of([live(settings("old"))])
    plan = plan_delivery(wanted_of([workload("new")]), view, POLICY)
    assert [change.desired is None for batch in plan.batches for change in batch] == [False, True]


def test_objects_of_others_are_never_deleted() -> None:
    foreign = [
        live(labelled(settings("other"), "applyset-other-v1")),
        live(labelled(settings("none"), None)),
    ]
    plan = plan_delivery(wanted_of([]), view_of(foreign), POLICY)
    assert plan.empty
    assert not plan.items


def test_a_deletion_holds_for_the_object_that_was_seen() -> None:
    plan = plan_delivery(wanted_of([]), view_of([live(settings("c"))]), POLICY)
    change = plan.batches[0][0]
    assert (change.uid, change.revision) == ("u-c", "7")


def test_an_object_that_left_the_set_meanwhile_stays() -> None:
    cluster = Cluster()
    cluster.bring(space(), settings("c", x="1"))
    plan = cluster.plan([space()])
    other = labelled(settings("c"), "applyset-other-v1")
    cluster.server.apply(other, "other", force=True)
    outcome = cluster.deliver(plan)
    assert outcome.results[0].verdict is Verdict.MOVED
    assert key_of(settings("c")) in cluster.server.objects
    assert cluster.plan([space()], blank=True).empty


@pytest.mark.parametrize(
    ("total", "gone", "share", "least", "held"),
    [
        (10, 10, 0.2, 10, False),
        (11, 11, 0.2, 10, True),
        (100, 20, 0.2, 10, False),
        (100, 21, 0.2, 10, True),
        (100, 1, 0.0, 0, True),
        (100, 100, 1.0, 0, False),
    ],
)
def test_the_brake(total: int, gone: int, share: float, least: int, held: bool) -> None:
    objects = many(total)
    policy = replace(POLICY, brake_share=share, brake_least=least)
    kept = [settings(f"c{n}") for n in range(gone, total)]
    plan = plan_delivery(wanted_of(kept), view_of(objects), policy)
    deletions = [c for batch in plan.batches for c in batch if c.desired is None]
    assert (plan.held is not None) is held
    assert len(deletions) == (0 if held else gone)
    if plan.held is not None:
        assert f"{gone} of {total}" in plan.held.reasons[0]


def test_others_objects_do_not_raise_the_limit() -> None:
    objects = many(11) + [live(labelled(settings(f"x{n}"), "applyset-x-v1")) for n in range(500)]
    assert plan_delivery(wanted_of([]), view_of(objects), POLICY).held is not None


def test_an_approval_is_of_these_objects_and_no_others() -> None:
    plan = plan_delivery(wanted_of([]), view_of(many(11)), POLICY)
    assert plan.held is not None
    assert plan.empty
    policy = replace(POLICY, approved=(plan.held.approval,))
    approved = plan_delivery(wanted_of([]), view_of(many(11)), policy)
    assert approved.held is None
    assert len(approved.batches[0]) == 11
    # What is left of them after a delivery that broke off is still approved.
    fewer = plan_delivery(wanted_of([]), view_of(many(10)), replace(policy, brake_least=0))
    assert fewer.held is None
    more = plan_delivery(wanted_of([]), view_of(many(12)), policy)
    assert more.held is not None
    assert more.held.plan != plan.held.plan
    # The same names with other uids are other objects.
    again = [live(settings(f"c{n}"), uid=f"v{n}") for n in range(11)]
    assert plan_delivery(wanted_of([]), view_of(again), policy).held is not None


def test_an_approval_of_something_else_opens_nothing() -> None:
    policy = replace(POLICY, approved=(PruneApproval("x", frozenset({"u-c0"})),))
    assert plan_delivery(wanted_of([]), view_of(many(11)), policy).held is not None


@pytest.mark.parametrize(
    ("objects", "more", "words"),
    [
        ([space()], {}, "not seen"),
        ([space()], {"claimed": frozenset({SPACE})}, "holds PersistentVolumeClaims"),
        ([space()], {"claimed": frozenset({"other"})}, ""),
        ([claim("v")], {"claimed": frozenset({SPACE})}, "holds data"),
        ([definition()], {}, "every object of its kind"),
        ([settings("c")], {"claimed": frozenset({SPACE})}, ""),
    ],
)
def test_what_cannot_be_made_again_waits(
    objects: list[dict[str, Any]], more: dict[str, Any], words: str
) -> None:
    view = view_of([live(item) for item in objects], **more)
    plan = plan_delivery(wanted_of([]), view, POLICY)
    assert (plan.held is not None) is bool(words)
    if plan.held is not None:
        assert words in plan.held.reasons[0]


def test_a_namespace_with_objects_of_others_waits() -> None:
    view = view_of(
        [live(space()), live(labelled(settings("theirs"), "applyset-x-v1"))],
        claimed=frozenset(),
    )
    plan = plan_delivery(wanted_of([]), view, POLICY)
    assert plan.held is not None
    assert "other sets" in plan.held.reasons[0]


def test_what_is_held_does_not_hold_up_the_rest() -> None:
    plan = plan_delivery(wanted_of([settings("new")]), view_of([live(space())]), POLICY)
    assert plan.held is not None
    assert reasons(plan) == {"new": "Missing", SPACE: "PruneHeld"}
    assert [c.key.name for batch in plan.batches for c in batch] == ["new"]


def test_what_is_on_its_way_out_is_left() -> None:
    ending = live(made("ConfigMap", "c"))
    ending["metadata"]["deletionTimestamp"] = "2027-01-01T00:00:00Z"
    plan = plan_delivery(wanted_of([]), view_of([ending]), POLICY)
    assert reasons(plan) == {"c": "Ending"}
    assert plan.empty


def _by_somebody(item: dict[str, Any]) -> Cluster:
    cluster = Cluster()
    cluster.bring(space())
    cluster.server.create(labelled(item, None), "somebody")
    cluster.bring(space(), item)
    cluster.run(5)
    return cluster


@pytest.mark.parametrize("item", [settings("c", x="1"), workload("w", cpu="1")])
def test_what_was_there_before_frota_is_not_deleted_without_a_word(item: dict[str, Any]) -> None:
    cluster = _by_somebody(item)
    plan = cluster.plan([space()])
    assert plan.empty
    assert plan.held is not None
    assert "also written by somebody" in plan.held.reasons[0]


def test_controllers_may_write_to_workloads() -> None:
    cluster = Cluster()
    cluster.bring(space(), workload("w"))
    cluster.server.update(
        key_of(workload("w")), "hpa", lambda i: i["metadata"]["labels"].update(seen="1")
    )
    cluster.run(5)
    assert cluster.plan([space()]).held is None


def parent(*members: dict[str, Any]) -> dict[str, Any]:
    """The parent of a set, as compiled from these members."""
    found = applyset.parent("acme", map(key_of, members))
    labels = found["metadata"]["labels"]
    labels |= {MEMBERSHIP_LABEL: OURS, applyset.ID: OURS}
    return found


def covered(cluster: Cluster) -> tuple[str, str]:
    """The kinds and namespaces that the parent in the cluster names."""
    found = next(o for o in cluster.view.objects.values() if applyset.ID in labels_of(o))
    notes = found["metadata"]["annotations"]
    return notes[applyset.GROUP_KINDS], notes[applyset.NAMESPACES]


def test_the_parent_covers_what_is_there_until_it_is_gone() -> None:
    """KEP-3659: the union of old and new before anything is pruned; it shrinks afterwards."""
    cluster = Cluster()
    spaces = [space("frota-system"), space(), space("b")]
    before = [*spaces, workload("w"), made("Service", "s", "b")]
    after = [*spaces, made("ConfigMap", "c", "b")]
    cluster.bring(*before, parent(*before))
    assert covered(cluster) == ("ConfigMap,Deployment.apps,Namespace,Service", "b,team")
    cluster.policy = replace(POLICY, brake_least=0)
    plan = cluster.plan([*after, parent(*after)])
    assert plan.held
    cluster.deliver(plan)
    union = ("ConfigMap,Deployment.apps,Namespace,Service", "b,team")
    assert covered(cluster) == union
    assert not cluster.plan([*after, parent(*after)]).batches  # held: nothing more to say
    cluster.policy = replace(POLICY, approved=(plan.held.approval,))
    pruning = cluster.plan([*after, parent(*after)])
    cluster.deliver(pruning)
    assert [c.desired for batch in pruning.batches for c in batch] == [None, None]
    assert covered(cluster) == union
    cluster.bring(*after, parent(*after))
    assert covered(cluster) == ("ConfigMap,Namespace", "b")
    assert not cluster.plan([*after, parent(*after)]).items
    assert not cluster.plan([*after, parent(*after)], blank=True).items


def test_the_parent_is_widened_before_the_first_deletion() -> None:
    old, kept = live(made("Role", "r", "old", "rbac.authorization.k8s.io/v1")), settings("c")
    plan = plan_delivery(wanted_of([kept, parent(kept)]), view_of([old]), POLICY)
    (widened,) = (c for batch in plan.batches for c in batch if "frota" in c.key.name)
    assert widened.desired is not None
    notes = widened.desired["metadata"]["annotations"]
    assert notes[applyset.GROUP_KINDS] == "ConfigMap,Role.rbac.authorization.k8s.io"
    assert notes[applyset.NAMESPACES] == "old,team"
    assert plan.batches[-1][0].desired is None

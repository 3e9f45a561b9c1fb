"""What holds of every delivery to a cluster, whatever is wanted and whatever befalls it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from operator import attrgetter
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from frota.compile.kubernetes.order import batches
from frota.model.delivery import Delivery
from frota.model.deliveryplan import DeliveryPlan
from frota.model.objects import MEMBERSHIP_LABEL, Object, ObjectKey, key_of
from frota.planners.delivery import plan_delivery, prepare, remember
from tests.planners.delivery.builders import (
    OURS,
    POLICY,
    Cluster,
    labelled,
    made,
    service,
    space,
    view_of,
    wanted_of,
    workload,
)
from tests.planners.delivery.builders import settings as config

NAMES = st.sampled_from(["a", "b", "c"])
VALUES = st.sampled_from(["", "1", "1000m", "0.5", "on"])
DATA = st.dictionaries(st.sampled_from(["x", "y", "z"]), VALUES, max_size=3)


@st.composite
def workloads(draw: st.DrawFn) -> dict[str, Any]:
    item = workload(draw(NAMES), cpu=draw(st.sampled_from(["1000m", "1", "0.5", "2"])))
    item["spec"]["replicas"] = draw(st.integers(0, 3))
    pod = item["spec"]["template"]["spec"]
    env = draw(st.dictionaries(st.sampled_from("ABC"), VALUES, max_size=3))
    pod["containers"][0]["env"] = [{"name": k, "value": v} for k, v in env.items()]
    pod["tolerations"] = draw(st.lists(st.just({"operator": "Exists"}), max_size=2))
    if draw(st.booleans()):
        pod["nodeSelector"] = draw(st.dictionaries(NAMES, VALUES, max_size=2))
    if draw(st.booleans()):
        pod["containers"].append({"name": "side", "image": "side:1", "args": draw(lists())})
    return item


def lists() -> st.SearchStrategy[list[str]]:
    return st.lists(VALUES, max_size=3)


OBJECTS = st.one_of(
    st.builds(lambda name, data: config(name, **data), NAMES, DATA),
    workloads(),
    st.builds(service, NAMES),
    st.builds(
        lambda name, cpu: made("ResourceQuota", name, spec={"hard": {"requests.cpu": cpu}}),
        NAMES,
        st.sampled_from(["1000m", "1", "2"]),
    ),
)


@st.composite
def contents(draw: st.DrawFn) -> list[Object]:
    """What a cluster should have: every key once, the namespace first."""
    by_key = {key_of(item): item for item in draw(st.lists(OBJECTS, max_size=6))}
    return [space(), *by_key.values()]


@st.composite
def tampering(draw: st.DrawFn) -> tuple[int, str, str]:
    """Somebody else's hand: on which object, at which field, with which value."""
    field = draw(st.sampled_from(["x", "y", "replicas", "image", "label", "stamp", "delete"]))
    return draw(st.integers(0, 9)), field, draw(VALUES)


def tamper(cluster: Cluster, which: int, field: str, value: str) -> None:
    ours = sorted(k for k in cluster.server.objects if k.namespace == "team")
    if not ours:
        return
    key = ours[which % len(ours)]
    if field == "delete":
        cluster.server.remove(key)
        return

    def change(item: dict[str, Any]) -> None:
        if field == "label":
            item["metadata"].setdefault("labels", {})["theirs"] = value or "v"
        elif field == "stamp":
            item["metadata"].pop("annotations", None)
        elif key.kind == "ConfigMap":
            item.setdefault("data", {})[field] = value
        elif key.kind == "Deployment":
            container = item["spec"]["template"]["spec"]["containers"][0]
            if field == "replicas":
                item["spec"]["replicas"] = 9
            elif field == "image":
                container["image"] = f"other:{value}"
            else:
                container.pop("env", None)

    cluster.server.update(key, "somebody", change)


def reaches_rest(cluster: Cluster, content: list[Object]) -> DeliveryPlan:
    """Plan and deliver until nothing is left to do; it must not take many rounds."""
    for _ in range(6):
        cluster.run(1.0)
        plan = cluster.plan(content)
        if plan.empty:
            return plan
        cluster.deliver(plan)
    raise AssertionError("it does not come to rest")


def holds(cluster: Cluster, content: list[Object]) -> None:
    """The cluster has what is wanted, and nothing of the set beside it."""
    blank = cluster.plan(content, blank=True)
    assert blank.empty
    assert not blank.items
    members = {
        key
        for key, stored in cluster.server.objects.items()
        if (stored.item["metadata"].get("labels") or {}).get(MEMBERSHIP_LABEL) == OURS
    }
    assert members == {key_of(item) for item in content}


@settings(max_examples=40)
@given(st.lists(contents(), min_size=1, max_size=3))
def test_a_plan_that_was_carried_out_leaves_nothing_to_do(steps: list[list[Object]]) -> None:
    cluster = Cluster()
    for content in steps:
        cluster.deliver(cluster.plan(content))
        cluster.run(60.0)  # statuses are written: what is deleted must be as it was seen
        assert cluster.plan(content, blank=True).empty
        holds(cluster, content)


@settings(max_examples=40)
@given(contents(), st.lists(tampering(), min_size=1, max_size=4))
def test_drift_is_put_right(content: list[Object], hands: list[tuple[int, str, str]]) -> None:
    cluster = Cluster()
    cluster.bring(*content)
    for which, field, value in hands:
        tamper(cluster, which, field, value)
    reaches_rest(cluster, content)
    holds(cluster, content)


@settings(max_examples=40)
@given(
    contents(),
    contents(),
    st.lists(st.integers(0, 40), min_size=1, max_size=4),
    st.integers(0, 1000),
)
def test_killed_at_any_point_it_goes_on(
    before: list[Object], after: list[Object], kills: list[int], seed: int
) -> None:
    """The process dies after so many events of the world; a new one knows nothing."""
    cluster = Cluster(seed)
    cluster.bring(*before)
    for number, events in enumerate(kills):
        plan = cluster.plan(after)
        cluster.session.order(Delivery(f"k{number}", "east", plan.batches))
        for _ in range(events):
            if cluster.world.next_at < cluster.world.now + 60:
                cluster.world.step()
        cluster.session.close()
        cluster.open()
    reaches_rest(cluster, after)
    holds(cluster, after)


@settings(max_examples=40)
@given(
    contents(),
    contents(),
    st.lists(st.sampled_from(["kill", "hang", "wipe", "compact", "slow"]), max_size=4),
    st.integers(0, 1000),
)
@example(  # an event was compacted away, and the one after it was not
    [space(), service("a"), service("b"), config("a", x=""), config("b"), config("c")],
    [
        space(),
        config("a"),
        made("ResourceQuota", "a", spec={"hard": {"requests.cpu": "1000m"}}),
        workload("a"),
        service("c"),
    ],
    ["compact"],
    1,
)
def test_whatever_befalls_the_server_it_comes_to_rest(
    before: list[Object], after: list[Object], faults: list[str], seed: int
) -> None:
    cluster = Cluster(seed)
    cluster.bring(*before)
    for number, fault in enumerate(faults):
        plan = cluster.plan(after)
        cluster.session.order(Delivery(f"f{number}", "east", plan.batches))
        cluster.run(cluster.world.rng.random() * 0.1)
        if fault == "compact":
            cluster.server.compact()
        elif fault == "slow":
            cluster.member.slow = 5.0
        else:
            getattr(cluster.member, fault)()
        cluster.run(cluster.world.rng.random() * 20)
        cluster.member.start()
        cluster.member.slow = 1.0
    cluster.run(30)
    reaches_rest(cluster, after)
    holds(cluster, after)


def foreign(cluster: Cluster) -> Mapping[ObjectKey, Any]:
    """What somebody else made, without what its own controllers write."""
    return {
        key: (stored.item["metadata"]["uid"], stored.item.get("spec"), stored.item.get("data"))
        for key, stored in cluster.server.objects.items()
        if any(manager.name == "somebody" for manager in stored.owned)
    }


@settings(max_examples=40)
@given(contents(), contents(), st.lists(OBJECTS, max_size=6), st.booleans())
def test_what_others_made_is_never_changed_or_deleted(
    before: list[Object], after: list[Object], others: list[dict[str, Any]], labels: bool
) -> None:
    """Neither an object of another set nor one without a label, whatever its name."""
    cluster = Cluster()
    cluster.bring(space())
    for item in others:
        stranger = labelled(item, "applyset-other-v1" if labels else None)
        if key_of(stranger) not in cluster.server.objects:
            cluster.server.create(stranger, "somebody")
    cluster.run(1)
    there = foreign(cluster)
    for content in (before, after, [space()]):
        plan = cluster.plan(content)
        cluster.deliver(plan)
        assert foreign(cluster).keys() == there.keys()
    for key, (uid, spec, data) in foreign(cluster).items():
        assert uid == there[key][0]
        if labels:
            assert (spec, data) == there[key][1:]


@given(contents(), contents())
def test_writes_follow_the_order_of_kinds_and_deletions_the_reverse(
    before: list[Object], after: list[Object]
) -> None:
    live = [_live(item) for item in before]
    plan = plan_delivery(
        wanted_of(after), view_of(live, claimed=frozenset()), replace(POLICY, brake_share=1.0)
    )
    ranks = {item["kind"]: place for place, group in enumerate(ORDER) for item in group}
    writes = [c.key.kind for b in plan.batches for c in b if c.desired is not None]
    deletes = [c.key.kind for b in plan.batches for c in b if c.desired is None]
    assert [ranks[k] for k in writes] == sorted(ranks[k] for k in writes)
    assert [ranks[k] for k in deletes] == sorted((ranks[k] for k in deletes), reverse=True)
    kinds = [c.desired is None for b in plan.batches for c in b]
    assert kinds == sorted(kinds)


ORDER = batches(
    [space(), config("c"), workload("w"), service("s"), made("ResourceQuota", "q", spec={})]
)


def _live(item: Object) -> dict[str, Any]:
    uid = f"u-{key_of(item)}"
    return {**item, "metadata": {**item["metadata"], "uid": uid, "resourceVersion": "1"}}


@given(
    st.integers(0, 60),
    st.integers(0, 60),
    st.floats(0, 1),
    st.integers(0, 40),
)
def test_the_brake_is_never_passed_without_a_word(
    total: int, kept: int, share: float, least: int
) -> None:
    live = [_live(config(f"c{n}")) for n in range(total)]
    wanted = [config(f"c{n}") for n in range(min(kept, total))]
    policy = replace(POLICY, brake_share=share, brake_least=least)
    plan = plan_delivery(wanted_of(wanted), view_of(live), policy)
    deletions = sum(c.desired is None for b in plan.batches for c in b)
    assert deletions <= max(least, share * total)
    if plan.held is not None:
        assert deletions == 0
        approved = replace(policy, approved=(plan.held.approval,))
        again = plan_delivery(wanted_of(wanted), view_of(live), approved)
        assert sum(c.desired is None for b in again.batches for c in b) == total - min(kept, total)


@given(contents())
def test_the_same_input_gives_the_same_plan(content: list[Object]) -> None:
    view = view_of([_live(item) for item in content[:2]])
    one = plan_delivery(wanted_of(content), view, POLICY)
    assert one == plan_delivery(wanted_of(content), view, POLICY)


def noted(items: list[Object], which: set[int], note: str) -> list[Object]:
    """The same objects, some of them with another annotation."""
    return [
        {**item, "metadata": {**item["metadata"], "annotations": {"note": note}}}
        if place in which
        else item
        for place, item in enumerate(items)
    ]


@settings(max_examples=60)
@given(
    contents(),
    st.lists(tampering(), max_size=3),
    st.lists(st.sets(st.integers(0, 6)), min_size=1, max_size=4),
)
def test_looking_at_what_changed_finds_what_looking_at_all_does(
    content: list[Object], hands: list[tuple[int, str, str]], changes: list[set[int]]
) -> None:
    cluster = Cluster()
    cluster.bring(*content)
    for which, field, value in hands:
        tamper(cluster, which, field, value)
    cluster.run(1.0)
    view, memory, now = cluster.view, cluster.memory, cluster.clock.now()
    wanted, items = prepare(content, OURS), content
    for number, places in enumerate(changes):
        plan = plan_delivery(wanted, view, POLICY, memory, now)
        whole = plan_delivery(wanted, view, POLICY, replace(memory, compared=None), now)
        in_order = replace(plan, items=tuple(sorted(plan.items, key=attrgetter("key"))))
        assert in_order == replace(whole, items=tuple(sorted(whole.items, key=attrgetter("key"))))
        memory = remember(memory, plan)
        items = noted(items, places, str(number))
        wanted = prepare(items, OURS, wanted)

"""Placement of waiting VMs: order, spread, room, packing, admission, preemption."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frota.model.availability import Level
from frota.model.host import Capacity, HostState, Size
from frota.model.policy import Admission, Policy
from frota.model.snapshot import Snapshot
from frota.model.vm import Verb, VmState
from frota.planners.placement.ledger import Ledger
from frota.planners.placement.starts import Starts, plan_starts, preemptions, waiting
from tests.planners.builders import GIB, NOW, control_plane, group, host, members, pool, vm


def planned(snapshot: Snapshot) -> Starts:
    return plan_starts(snapshot, waiting(snapshot), Ledger(snapshot))


def places(snapshot: Snapshot) -> dict[str, str]:
    return {step.vm: step.dst for step in planned(snapshot).steps}


def counts(snapshot: Snapshot) -> dict[str, int]:
    chosen = list(places(snapshot).values())
    return {name: chosen.count(name) for name in snapshot.hosts}


def test_seven_on_three_hosts() -> None:
    found = counts(group(map(host, "abc"), [pool("w")], members("w", "-" * 7)))
    assert sorted(found.values()) == [2, 2, 3]


def test_two_on_three_hosts_take_the_least_loaded() -> None:
    busy = vm("other", "o", "a")
    found = places(group(map(host, "abc"), [pool("w"), pool("o")], [busy, *members("w", "--")]))
    assert sorted(found.values()) == ["b", "c"]


def test_racks_first_then_hosts_within() -> None:
    hosts = [host("a", rack="r1"), host("b", rack="r1"), host("c", rack="r2"), host("d", rack="r2")]
    spread = pool("w", levels=(Level.RACK, Level.HOST))
    found = counts(group(hosts, [spread], members("w", "-" * 6)))
    assert found["a"] + found["b"] == 3
    assert sorted(found.values()) == [1, 1, 2, 2]


def test_racks_of_unequal_size_are_even_until_the_small_one_is_full() -> None:
    small = host("a", rack="r1", capacity=Capacity(8 * GIB, 64, 100))
    hosts = [small, host("b", rack="r2"), host("c", rack="r3")]
    found = counts(group(hosts, [pool("w", levels=(Level.RACK,))], members("w", "-" * 12)))
    assert found == {"a": 2, "b": 5, "c": 5}


def test_anti_affinity_never_refuses() -> None:
    full = host("b", memory_gib=2)
    found = planned(group([host("a"), full], [pool("w")], members("w", "a-")))
    assert [step.dst for step in found.steps] == ["a"]


def test_only_hosts_that_are_up_take_vms_but_probation_is_better_than_nothing() -> None:
    back = host("b", state=HostState.RECOVERING)
    gone = host("c", state=HostState.DOWN)
    assert places(group([host("a"), back, gone], [pool("w")], members("w", "-"))) == {"w-1": "a"}
    full = host("a", memory_gib=2)
    assert places(group([full, back, gone], [pool("w")], members("w", "-"))) == {"w-1": "b"}


def test_order_of_restart() -> None:
    vms = [
        *members("cp", "a--"),
        *(replace(v, state=VmState.LOST, host="b", epoch=1) for v in members("low", "bb")),
        *(replace(v, priority=5, state=VmState.LOST) for v in members("high", "bb")),
        vm("big", "high", "b", order=9, priority=5, size=Size(8 * GIB, 2), state=VmState.LOST),
        vm("half-1", "half", "a", order=20),
        vm("half-2", "half", "b", order=21, state=VmState.LOST),
    ]
    sets = [control_plane(), pool("low"), pool("high"), pool("half")]
    queue = [v.name for v in waiting(group(map(host, "ab"), sets, vms))]
    # a control plane without its quorum; priority; then sets that lost most; large first
    assert queue == [
        "cp-2", "cp-3", "big", "high-1", "high-2", "low-1", "low-2", "half-2",
    ]  # fmt: skip


def test_a_wait_after_failure_is_kept_and_halted_vms_stay_stopped() -> None:
    vms = [
        vm("a", "w", retry_at=NOW + 1),
        vm("b", "w", "x", state=VmState.STOPPED, halted=True),
        vm("c", "w", wanted=False),
        vm("d", "w", "x", state=VmState.STOPPED),
    ]
    assert [v.name for v in waiting(group([host("x")], [pool("w")], vms))] == ["d"]


@pytest.mark.parametrize(
    ("failures", "room", "place"),
    [
        (0, GIB * 64, "b"),  # its guest ended there: the most even place
        (1, GIB * 64, "a"),  # the start failed there, and may well again
        (1, 0, "b"),  # there is no other
    ],
)
def test_a_failed_start_is_tried_elsewhere(failures: int, room: int, place: str) -> None:
    hosts = [host("a", capacity=Capacity(GIB * 4 + room, 64, 100)), host("b")]
    lost = vm("w-2", "w", "b", order=2, state=VmState.LOST, failures=failures)
    assert places(group(hosts, [pool("w")], [vm("w-1", "w", "a", order=1), lost])) == {"w-2": place}


def test_a_full_group_starts_by_priority_and_overcommits_nothing() -> None:
    hosts = [host("a", memory_gib=8), host("b", state=HostState.DOWN)]
    vms = [
        vm("old", "w", "a", order=1),
        vm("low", "w", "b", order=2, state=VmState.LOST),
        vm("high", "h", "b", order=3, state=VmState.LOST, priority=10),
    ]
    found = planned(group(hosts, [pool("w"), pool("h")], vms))
    assert [(s.vm, s.dst) for s in found.steps] == [("high", "a")]
    (refusal,) = found.refusals
    assert (refusal.subject, refusal.reason) == ("low", "Capacity")
    assert "4096 MiB" in refusal.message


def test_gpu_vms_go_where_the_same_model_is_free() -> None:
    one_gpu = Capacity(64 * GIB, 64, 100, (("A100", 1),))
    hosts = [host("a"), host("b", capacity=one_gpu), host("c", capacity=one_gpu)]
    size = Size(4 * GIB, 2, "A100", 1)
    vms = [replace(v, size=size) for v in members("g", "b--")]
    found = planned(group(hosts, [pool("g")], vms))
    assert [(s.vm, s.dst) for s in found.steps] == [("g-2", "c")]
    assert [r.subject for r in found.refusals] == ["g-3"]
    wrong = replace(vm("h", "g"), size=Size(4 * GIB, 2, "H100", 1))
    (refusal,) = planned(group(hosts, [pool("g")], [wrong])).refusals
    assert "H100" in refusal.message


def test_packs_tighter_when_that_lets_more_run() -> None:
    # Spread would put the two small ones on both hosts and leave no room for the large one.
    hosts = [host("a", memory_gib=8), host("b", memory_gib=8)]
    large = vm("large", "l", order=9, size=Size(8 * GIB, 2), priority=-1)
    found = planned(group(hosts, [pool("w"), pool("l")], [*members("w", "--"), large]))
    assert len(found.steps) == 3
    assert not found.refusals


def test_what_no_order_fits_is_searched_for() -> None:
    """Eight VMs fill three hosts to the last GiB, and neither greed nor spread finds how."""
    sizes = [Size(memory * GIB, 1) for memory in (10, 9, 8, 5, 5, 4, 2, 2)]
    vms = [vm(f"w-{n}", f"w{n}", order=n, size=size) for n, size in enumerate(sizes)]
    hosts = [host(name, memory_gib=15) for name in "abc"]
    full = group(hosts, [pool(f"w{n}") for n in range(8)], vms)
    assert len(planned(replace(full, policy=Policy(work_limit=0.0))).steps) == 7
    found = planned(full)
    assert len(found.steps) == 8
    assert set(found.ledger.memory) == {0}


def test_tight_only_as_far_as_needed() -> None:
    """Room for the large one is made; the small ones that it does not disturb stay apart."""
    hosts = [host(name, memory_gib=memory) for name, memory in (("a", 24), ("b", 32), ("c", 32))]
    large = vm("large", "l", order=9, size=Size(32 * GIB, 2), priority=-1)
    found = places(group(hosts, [pool("w"), pool("l")], [*members("w", "----"), large]))
    held = Counter(on for name, on in found.items() if name != "large")
    assert sorted(held.values()) == [2, 2]
    assert found["large"] not in held


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from("uvw"), st.sampled_from((2, 3, 5, 8))), min_size=2, max_size=9
    ),
    st.lists(st.integers(6, 16), min_size=2, max_size=3),
)
def test_no_new_vm_sits_where_its_set_is_more_crowded_than_need_be(
    wanted: list[tuple[str, int]], memory: list[int]
) -> None:
    """I5, whichever way room was found for all of them."""
    vms = [
        vm(f"{name}-{order}", name, order=order, size=Size(gib * GIB, 1))
        for order, (name, gib) in enumerate(wanted)
    ]
    hosts = [host(f"h{n}", memory_gib=gib) for n, gib in enumerate(memory)]
    found = planned(group(hosts, map(pool, "uvw"), vms))
    ledger = found.ledger
    assert min(ledger.memory) >= 0
    on = {step.vm: ledger.index[step.dst] for step in found.steps}
    for one in vms:
        free = [h for h in range(len(hosts)) if ledger.fits(h, one.size)]
        if one.name not in on:
            assert not free
            continue
        counts = ledger.counts[one.set]
        assert all(counts.get(h, 0) + 1 >= counts[on[one.name]] for h in free)


def test_the_first_in_line_never_loses_its_place_to_packing() -> None:
    hosts = [host("a", memory_gib=8), host("b", memory_gib=4)]
    first = vm("first", "l", order=9, size=Size(8 * GIB, 2), priority=1)
    found = planned(group(hosts, [pool("w"), pool("l")], [*members("w", "---"), first]))
    assert {s.vm for s in found.steps} == {"first", "w-1"}


def test_no_two_starts_of_a_batch_share_room() -> None:
    hosts = [host("a", memory_gib=10), host("b", memory_gib=10)]
    found = planned(group(hosts, [pool("w")], members("w", "-" * 9)))
    assert sorted(s.dst for s in found.steps) == ["a", "a", "b", "b"]
    assert len(found.refusals) == 5


def test_admission_warns_or_refuses_below_n_minus_one() -> None:
    hosts = [host("a", memory_gib=8), host("b", memory_gib=8)]
    vms = members("w", "ab-")
    warned = planned(group(hosts, [pool("w")], vms))
    assert len(warned.steps) == 1
    assert "cannot lose one host" in warned.warnings[0]
    strict = Policy(admission=Admission.STRICT)
    refused = planned(group(hosts, [pool("w")], vms, strict))
    assert not refused.steps
    assert refused.refusals[0].reason == "AdmissionN1"
    # A restart is never refused for what it leaves.
    lost = [replace(v, state=VmState.LOST, epoch=1) if v.name == "w-3" else v for v in vms]
    assert len(planned(group(hosts, [pool("w")], lost, strict)).steps) == 1


def test_what_strict_admission_lets_in_is_spread_though_the_batch_was_packed() -> None:
    hosts = [host("a", memory_gib=64), host("b", memory_gib=64)]
    small = [vm(f"s-{n}", "s", order=n, size=Size(4 * GIB, 2), priority=9) for n in range(3)]
    large = [vm(f"l-{n}", "l", order=9 + n, size=Size(16 * GIB, 2)) for n in range(9)]
    strict = Policy(admission=Admission.STRICT)
    found = planned(group(hosts, [pool("s"), pool("l")], [*small, *large], strict))
    on = {step.vm: step.dst for step in found.steps}
    assert "AdmissionN1" in {refusal.reason for refusal in found.refusals}
    assert len(on) == 6  # 60 GiB: what either host could hold alone
    assert sorted(on[one.name] for one in small) == ["a", "a", "b"]


def test_preemption_takes_the_least_important() -> None:
    hosts = [host("a", memory_gib=8), host("b", memory_gib=8)]
    vms = [
        vm("p1", "w", "a", order=1, priority=1),
        vm("p2", "w", "a", order=2, priority=2),
        vm("p3", "w", "b", order=3, priority=3),
        vm("p4", "w", "b", order=4, priority=4),
        vm("urgent", "u", order=5, priority=9, epoch=1, state=VmState.LOST),
    ]
    snapshot = group(hosts, [pool("w"), pool("u")], vms)
    found = planned(snapshot)
    steps = preemptions(snapshot, found.ledger, found.refusals)
    assert [(s.verb, s.vm) for s in steps] == [(Verb.STOP, "p1")]
    equal = snapshot.with_vms([replace(snapshot.vms["urgent"], priority=1)])
    found = planned(equal)
    assert not preemptions(equal, found.ledger, found.refusals)

"""Sets of different sizes that are in each other's way: settled together, or said why not."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frota.model.availability import AvailabilitySet, Level
from frota.model.host import Size
from frota.model.plan import Plan
from frota.model.policy import Policy, RebalanceMode
from frota.model.snapshot import Snapshot
from frota.model.vm import Mobility, Vm
from frota.planners.placement.evenly import Grounds
from frota.planners.placement.ledger import Ledger
from frota.planners.placement.rebalance import plan_rebalance
from frota.planners.placement.residue import ask
from tests.planners.builders import GIB, NOW, group, host, pool, vm

FLOWS_ALONE, SEARCH = Policy(work_limit=0.0), Policy(work_limit=2.0)


def planned(snapshot: Snapshot, policy: Policy = SEARCH) -> Plan:
    snapshot = replace(snapshot, policy=policy)
    return plan_rebalance(Grounds(snapshot, Ledger(snapshot)))


def after(snapshot: Snapshot, plan: Plan) -> Snapshot:
    last = {step.vm: step.dst for step in plan.steps}
    return snapshot.with_vms(replace(snapshot.vms[n], host=to) for n, to in last.items())


def squares(snapshot: Snapshot) -> dict[str, int]:
    held: dict[str, Counter[str]] = {}
    for one in snapshot.vms.values():
        held.setdefault(one.set, Counter())[one.host] += 1
    return {name: sum(n * n for n in counts.values()) for name, counts in held.items()}


def never_over(snapshot: Snapshot, plan: Plan) -> bool:
    """Whether there is room at both ends of every move, layer after layer."""
    for layer in sorted({step.layer for step in plan.steps}):
        steps = [step for step in plan.steps if step.layer == layer]
        both = Ledger(snapshot)
        for step in steps:
            both.take(both.index[step.dst], snapshot.vms[step.vm].size)
        if min(both.memory) < 0:
            return False
        snapshot = snapshot.with_vms(replace(snapshot.vms[s.vm], host=s.dst) for s in steps)
    return True


def gib(name: str, on: str, memory: int, order: int, **changes: Any) -> Vm:
    return vm(name, name.partition("-")[0], on, order=order, size=Size(memory * GIB, 1), **changes)


def in_the_way(**changes: Any) -> Snapshot:
    """The large ones share a host; the only way out is through the place of a smaller one."""
    vms = [
        gib("large-1", "a", 6, 1),
        gib("large-2", "a", 6, 2),
        gib("middle-1", "b", 4, 3, **changes),
        gib("middle-2", "a", 4, 4),
        gib("small-1", "c", 2, 5, **changes),
    ]
    hosts = [host(name, memory_gib=memory) for name, memory in (("a", 16), ("b", 8), ("c", 6))]
    return group(hosts, map(pool, ("large", "middle", "small")), vms)


def test_a_smaller_one_makes_way() -> None:
    snapshot = in_the_way()
    alone = planned(snapshot, FLOWS_ALONE)
    assert alone.steps == ()
    assert [(refusal.subject, refusal.reason) for refusal in alone.refusals] == [
        ("large", "Capacity")
    ]
    plan = planned(snapshot)
    assert len(plan.steps) == 2  # as few as can be: one makes room, one takes it
    assert plan.refusals == ()
    assert squares(after(snapshot, plan)) == {"large": 2, "middle": 2, "small": 1}
    assert never_over(snapshot, plan)
    first, second = plan.steps
    assert first.reason == "makes room to spread large"
    assert (second.reason, second.layer) == ("spreads large", 1)


def test_where_nothing_helps_the_reason_says_how_far_was_looked() -> None:
    plan = planned(in_the_way(mobility=Mobility.PINNED))
    assert plan.steps == ()
    assert [refusal.reason for refusal in plan.refusals] == ["Capacity"]
    assert "no arrangement of 3 VMs on 3 hosts is more even" in plan.refusals[0].message


def test_the_search_waits_until_all_may_take_part() -> None:
    plan = planned(in_the_way(moved_at=NOW - 1))
    assert plan.steps == ()
    assert plan.refusals[0].message.endswith("on b, c")


def test_what_came_home_stays_there() -> None:
    snapshot = in_the_way()
    displaced = replace(snapshot.vms["small-1"], host="b", home="c")
    snapshot = snapshot.with_vms([displaced])
    plan = planned(snapshot, replace(SEARCH, rebalance=RebalanceMode.HOME))
    done = after(snapshot, plan)
    assert sum(squares(done).values()) <= sum(squares(snapshot).values())
    assert never_over(snapshot, plan)


def crowd(seed: int, hosts: int, fill: float, racks: int = 0) -> Snapshot:
    """Sets of five sizes, each anywhere, on hosts that have hardly any room left."""
    rng = random.Random(seed)
    free = [128] * hosts
    vms: list[Vm] = []
    sets: list[AvailabilitySet] = []
    while sum(free) > 128 * hosts * (1 - fill):
        name, memory = f"s{len(sets):03}", rng.choice((4, 8, 16, 24, 32))
        before = len(vms)
        for member in range(rng.randint(3, 10)):
            fitting = [place for place, left in enumerate(free) if left >= memory]
            if fitting:
                place = rng.choice(fitting)
                free[place] -= memory
                vms.append(gib(f"{name}-{member}", f"h{place:02}", memory, len(vms)))
        if len(vms) == before:
            break
        sets.append(pool(name, levels=(Level.RACK, Level.HOST) if racks else (Level.HOST,)))
    names = [(f"h{place:02}", f"r{place % racks}" if racks else "") for place in range(hosts)]
    return group([host(name, rack=rack, memory_gib=128) for name, rack in names], sets, vms)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_search_ends_at_its_limit_of_work(seed: int) -> None:
    snapshot = crowd(seed, hosts=12, fill=0.99)
    alone = planned(snapshot, FLOWS_ALONE)
    plan = planned(snapshot, Policy(work_limit=1e-4))
    assert plan.steps == alone.steps
    ends = [r.message for r in plan.refusals if "ended at its limit of work, 0.0001" in r.message]
    assert ends


@pytest.mark.parametrize(("seed", "racks"), [(1, 0), (2, 0), (3, 3), (4, 3)])
def test_crowded_groups_are_never_worse_for_the_search(seed: int, racks: int) -> None:
    snapshot = crowd(seed, hosts=6, fill=0.95, racks=racks)
    alone, plan = planned(snapshot, FLOWS_ALONE), planned(snapshot)
    assert never_over(snapshot, plan)
    before, flows, both = (
        squares(scene) for scene in (snapshot, after(snapshot, alone), after(snapshot, plan))
    )
    if not racks:
        assert sum(both.values()) <= sum(flows.values())
        assert all(both[name] <= before[name] for name in before)
    ask.cache_clear()
    assert planned(snapshot) == plan  # the same search again gives the same plan


def test_the_same_question_is_asked_once() -> None:
    ask.cache_clear()
    for _ in range(3):
        planned(in_the_way(mobility=Mobility.PINNED))
    assert (ask.cache_info().misses, ask.cache_info().hits) == (1, 2)


@st.composite
def small_groups(draw: st.DrawFn) -> Snapshot:
    """Up to six VMs of up to three sizes on three hosts with little room."""
    count = draw(st.integers(3, 6))
    memory = {name: draw(st.sampled_from((2, 3, 4, 6))) for name in "uvw"}
    vms = []
    for order in range(count):
        name = draw(st.sampled_from("uvw"))
        place = draw(st.sampled_from("aab"))
        vms.append(gib(f"{name}-{order}", place, memory[name], order))
    hosts = []
    for name in "abc":
        used = sum(one.size.memory_mib // GIB for one in vms if one.host == name)
        hosts.append(host(name, memory_gib=max(1, used + draw(st.integers(0, 5)))))
    return group(hosts, map(pool, "uvw"), vms)


def best_of_all(snapshot: Snapshot) -> int:
    """The least sum of squares over all places that have room and hurt no set."""
    before = squares(snapshot)
    found = []
    for places in product("abc", repeat=len(snapshot.vms)):
        there = snapshot.with_vms(
            replace(one, host=to) for one, to in zip(snapshot.vms.values(), places, strict=True)
        )
        held = squares(there)
        if all(held[name] <= before[name] for name in before) and min(Ledger(there).memory) >= 0:
            found.append(sum(held.values()))
    return min(found)


@settings(max_examples=60, deadline=None)
@given(small_groups())
def test_all_there_is_to_gain_is_had_or_the_reason_is_given(snapshot: Snapshot) -> None:
    alone, plan = planned(snapshot, FLOWS_ALONE), planned(snapshot)
    before, reached = squares(snapshot), squares(after(snapshot, plan))
    assert never_over(snapshot, plan)
    assert all(reached[name] <= before[name] for name in before)
    total, best = sum(reached.values()), best_of_all(snapshot)
    assert best <= total <= sum(squares(after(snapshot, alone)).values())
    if total > best:
        assert any(
            "is in the way" in refusal.message or "the swap needs room" in refusal.message
            for refusal in plan.refusals
        ), plan.refusals

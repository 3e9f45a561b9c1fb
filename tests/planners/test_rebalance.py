"""Rebalance plans: moves that make sets even, of the right VMs, within room, and proved."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from frota.model.availability import AvailabilitySet, Level
from frota.model.host import Size
from frota.model.plan import Plan
from frota.model.snapshot import Snapshot
from frota.model.vm import Mobility, Vm
from frota.planners.placement.evenly import Grounds
from frota.planners.placement.ledger import Ledger
from frota.planners.placement.rebalance import plan_rebalance
from tests.planners.builders import GIB, SMALL, control_plane, group, host, members, pool, vm

BIG = Size(16 * GIB, 2)


def planned(snapshot: Snapshot) -> Plan:
    return plan_rebalance(Grounds(snapshot, Ledger(snapshot)))


def after(snapshot: Snapshot, plan: Plan) -> Snapshot:
    last = {step.vm: step.dst for step in plan.steps}
    return snapshot.with_vms(replace(snapshot.vms[n], host=to, home=to) for n, to in last.items())


def held(snapshot: Snapshot, name: str) -> Counter[str]:
    return Counter(vm.host for vm in snapshot.vms.values() if vm.set == name)


def test_an_even_group_needs_no_plan() -> None:
    plan = planned(group(map(host, "abc"), [pool("w")], members("w", "aabc")))
    assert (plan.steps, plan.refusals, plan.proof) == ((), (), None)


def test_a_host_that_returned_gets_its_share_in_the_fewest_moves() -> None:
    snapshot = group(map(host, "abc"), [pool("w")], members("w", "aaabbb"))
    plan = planned(snapshot)
    assert held(after(snapshot, plan), "w") == {"a": 2, "b": 2, "c": 2}
    assert plan.proof is not None
    assert (plan.proof.holds, plan.proof.moves) == (True, 2)


def test_members_go_home_where_that_serves_evenness() -> None:
    away = [vm(f"w-{n}", "w", on, order=n) for n, on in enumerate("aab", start=1)]
    away[1] = replace(away[1], home="c")
    plan = planned(group(map(host, "abc"), [pool("w")], [*away, vm("w-4", "w", "a", order=4)]))
    assert [(step.vm, step.dst) for step in plan.steps] == [("w-2", "c")]


def test_a_set_kept_from_losing_for_another_still_moves_for_its_own_good() -> None:
    """Racks would be more even in sum if the control plane left a full rack to the pool; it
    stays there, and its other members part all the same."""
    hosts = [host("a", rack="r2", memory_gib=8), *(host(name, rack="r1") for name in "cd")]
    levels = (Level.RACK, Level.HOST)
    sets = [control_plane(levels=levels), pool("w", levels=levels)]
    snapshot = group(hosts, sets, [*members("cp", "acc"), *members("w", "accccc")])
    done = after(snapshot, planned(snapshot))
    assert held(done, "cp") == {"a": 1, "c": 1, "d": 1}
    assert held(done, "w") == {"a": 1, "c": 3, "d": 2}


def test_members_that_cannot_move_are_worked_around() -> None:
    pinned = members("w", "aa", mobility=Mobility.PINNED)
    free = [vm("w-9", "w", "a", order=9)]
    plan = planned(group(map(host, "ab"), [pool("w")], [*pinned, *free]))
    assert [(step.vm, step.dst) for step in plan.steps] == [("w-9", "b")]


def test_a_set_of_two_sizes_moves_vms_of_the_size_that_is_settled() -> None:
    """A host with room for a small VM only is not sent a big one of the same set."""
    big = [vm(f"w-{n}", "w", "a", order=n, size=BIG) for n in (1, 2)]
    small = [vm(f"w-{n}", "w", "a", order=n) for n in (3, 4)]
    snapshot = group(
        [host("a"), host("b", memory_gib=8), host("c", memory_gib=16)],
        [pool("w")],
        [*big, *small],
    )
    done = after(snapshot, planned(snapshot))
    assert sorted(held(done, "w").values()) == [1, 1, 2]
    assert min(Ledger(done).memory) >= 0


def test_old_members_stay_on_the_domains_they_were_admitted_to() -> None:
    old, new = frozenset({"host/a", "host/b"}), frozenset({"host/a", "host/b", "host/c"})
    spread = pool("w", generations=(old, new))
    snapshot = group(map(host, "abc"), [spread], members("w", "aaaab"))
    assert held(after(snapshot, planned(snapshot)), "w") == {"a": 3, "b": 2}
    adopting = replace(spread, adopt_new_domains=True)
    snapshot = group(map(host, "abc"), [adopting], members("w", "aaaab"))
    assert sorted(held(after(snapshot, planned(snapshot)), "w").values()) == [1, 2, 2]


def drawn(seed: int) -> Snapshot:
    """Sets of two sizes somewhere on hosts in racks, as if failed over without a plan."""
    rng = random.Random(seed)
    racks = rng.randint(1, 4)
    hosts = [
        host(f"h{n:02}", rack=f"r{n % racks}", memory_gib=64) for n in range(rng.randint(1, 9))
    ]
    sets: list[AvailabilitySet] = []
    vms: list[Vm] = []
    for number in range(rng.randint(1, 5)):
        levels = rng.choice(((Level.HOST,), (Level.RACK,), (Level.RACK, Level.HOST)))
        sets.append(pool(f"s{number}", levels=levels))
        size = rng.choice((SMALL, SMALL, replace(SMALL, memory_mib=8 * GIB)))
        crowd = rng.sample(hosts, rng.randint(1, len(hosts)))
        for member in range(rng.randint(1, 2 * len(hosts))):
            place = rng.choice(crowd).name
            name = f"s{number}-{member}"
            vms.append(vm(name, f"s{number}", place, order=len(vms), size=replace(size)))
    return group(hosts, sets, vms)


@given(st.integers(0, 2**32))
def test_plans_keep_room_and_members_and_find_no_more_when_done(seed: int) -> None:
    snapshot = drawn(seed)
    room = min(Ledger(snapshot).memory)
    plan = planned(snapshot)
    done = after(snapshot, plan)
    assert min(Ledger(done).memory) >= min(room, 0)
    assert done.vms.keys() == snapshot.vms.keys()
    if plan.proof is not None and plan.proof.holds:
        assert planned(done) == Plan("g")


@given(st.integers(0, 2**32))
def test_vms_at_home_or_not_count_the_same(seed: int) -> None:
    """Homes choose which member moves, never how many."""
    snapshot = drawn(seed)
    homeless = snapshot.with_vms(replace(vm, home="") for vm in snapshot.vms.values())
    proofs = [planned(scene).proof for scene in (snapshot, homeless)]
    if all(proof is not None and proof.holds for proof in proofs):
        assert proofs[0] == proofs[1]

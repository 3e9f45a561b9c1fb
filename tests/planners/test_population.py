"""Sets and VMs made, scaled, replaced and deleted."""

from __future__ import annotations

from dataclasses import replace

from frota.model.availability import CONTROL_PLANE, AvailabilitySet, Level
from frota.model.snapshot import Snapshot
from frota.model.vm import Mobility, Vm, VmState
from frota.planners.placement.ledger import Ledger
from frota.planners.population import Population, Role, populate, victims
from tests.planners.builders import SMALL, group, host, members, pool, vm


def role(count: int, name: str = "w", kind: str = "", **changes: object) -> Role:
    built = Role(
        "east", kind or f"pool/{name}", name, name, count, SMALL, 0, Mobility.LIVE, (Level.HOST,)
    )
    return replace(built, **changes)  # type: ignore[arg-type]  # the fields are named in the tests


def found(roles: list[Role], snapshot: Snapshot) -> Population:
    return populate(roles, snapshot, 100)


def numbered(count: int) -> AvailabilitySet:
    return pool("w", next_number=count + 1)


def test_a_new_role_gets_a_set_of_all_hosts_and_its_members() -> None:
    result = found([role(3)], group(map(host, "abc")))
    (spread,) = result.sets
    assert spread.generations == (frozenset({"host/a", "host/b", "host/c"}),)
    assert [v.name for v in result.vms] == ["w-1", "w-2", "w-3"]
    assert [v.order for v in result.vms] == [100, 101, 102]
    assert spread.next_number == 4


def test_growth_never_uses_a_number_twice() -> None:
    snapshot = group(map(host, "abc"), [numbered(5)], members("w", "ab"))
    result = found([role(3)], snapshot)
    assert [v.name for v in result.vms] == ["w-6"]
    assert result.sets[0].next_number == 7


def test_nothing_to_do_says_nothing() -> None:
    result = found([role(2)], group(map(host, "abc"), [numbered(2)], members("w", "ab")))
    assert result == Population()


def test_shrinking_takes_from_the_fullest_host_the_newest_first() -> None:
    snapshot = group(map(host, "abc"), [numbered(6)], members("w", "aaabbc"))
    assert found([role(3)], snapshot).unwanted == ["w-3", "w-5", "w-2"]


def test_victims_by_rack_then_readiness() -> None:
    hosts = [host("a", rack="r1"), host("b", rack="r1"), host("c", rack="r2")]
    spread = pool("w", levels=(Level.RACK, Level.HOST))
    vms = members("w", "abc")
    vms[0] = replace(vms[0], ready=False)
    snapshot = group(hosts, [spread], vms)
    assert [v.name for v in victims(vms, 1, snapshot, Ledger(snapshot))] == ["w-1"]
    idle = [*vms, vm("w-9", "w", order=9)]
    snapshot = group(hosts, [spread], idle)
    assert [v.name for v in victims(idle, 2, snapshot, Ledger(snapshot))] == ["w-9", "w-1"]


def test_a_control_plane_shrinks_one_by_one_and_keeps_its_quorum() -> None:
    spread = pool("cp", role=CONTROL_PLANE)
    three = role(3, "cp", CONTROL_PLANE)
    five = members("cp", "aabbc")
    assert len(found([three], group(map(host, "abc"), [spread], five)).unwanted) == 1
    leaving = [replace(five[0], wanted=False), *five[1:]]
    assert not found([three], group(map(host, "abc"), [spread], leaving)).unwanted
    hurt = [replace(v, state=VmState.UNMONITORED) if n < 3 else v for n, v in enumerate(five)]
    assert not found([three], group(map(host, "abc"), [spread], hurt)).unwanted
    one = role(1, "cp", CONTROL_PLANE)
    pair = members("cp", "ab")  # down to one: the member that stays is a quorum by itself
    assert len(found([one], group(map(host, "abc"), [spread], pair)).unwanted) == 1
    unsure = [replace(pair[0], state=VmState.UNMONITORED), pair[1]]
    assert not found([one], group(map(host, "abc"), [spread], unsure)).unwanted


def test_a_role_no_longer_declared_takes_its_set_with_it() -> None:
    snapshot = group(map(host, "ab"), [pool("w")], members("w", "ab"))
    result = found([], snapshot)
    assert result.unwanted == ["w-1", "w-2"]
    assert [s.deleting for s in result.sets] == [True]
    assert found([], replace(snapshot, vms={})).gone_sets == ["w"]


def test_members_follow_priority_and_mobility_but_keep_their_size() -> None:
    snapshot = group(map(host, "ab"), [numbered(1)], members("w", "a"))
    changed = role(1, priority=7, mobility=Mobility.COLD, size=replace(SMALL, vcpus=9))
    result = found([changed], snapshot)
    assert [(v.priority, v.mobility, v.size) for v in result.vms] == [(7, Mobility.COLD, SMALL)]
    assert "redeploy" in result.notes[0]


def test_levels_never_change_but_in_a_redeploy() -> None:
    snapshot = group(map(host, "ab"), [numbered(1)], members("w", "a"))
    result = found([role(1, levels=(Level.RACK,))], snapshot)
    assert not result.sets
    assert "levels cannot change" in result.notes[0]


def _step(snapshot: Snapshot, wanted: Role) -> Snapshot:
    """One pass of population, with every order carried out at once."""
    result = found([wanted], snapshot)
    vms: dict[str, Vm] = {k: v for k, v in snapshot.vms.items() if k not in result.unwanted}
    for made in result.vms:
        vms[made.name] = replace(made, state=VmState.RUNNING, host="a", epoch=1)
    sets = {k: v for k, v in snapshot.sets.items() if k not in result.gone_sets}
    sets.update({s.name: s for s in result.sets})
    return replace(snapshot, vms=vms, sets=sets)


def test_redeploy_replaces_members_one_by_one_then_the_set() -> None:
    old = replace(numbered(3), redeploy=True, removed=("host/z",))
    snapshot = group(map(host, "abc"), [old], members("w", "abc"))
    seen = []
    for _ in range(20):
        before, snapshot = snapshot, _step(snapshot, role(3))
        seen.append(len(snapshot.vms))
        if snapshot == before:
            break
    assert list(snapshot.sets) == ["w-r2"]
    new = snapshot.sets["w-r2"]
    assert (new.removed, new.successor_of, len(snapshot.vms)) == ((), "", 3)
    assert sorted(snapshot.vms) == ["w-4", "w-5", "w-6"]
    assert max(seen) == 4  # one more at a time
    assert min(seen) == 3


def test_redeploy_without_room_for_one_more_gives_up_one_first() -> None:
    old = replace(numbered(2), deleting=True)
    new = pool("w-r2", role="pool/w", successor_of="w", next_number=4)
    stuck = vm("w-3", "w-r2", state=VmState.UNPLACEABLE)
    snapshot = group(map(host, "ab"), [old, new], [*members("w", "ab"), stuck])
    assert len(found([role(2)], snapshot).unwanted) == 1


def test_redeploy_again_counts_on() -> None:
    old = pool("w-r2", role="pool/w", redeploy=True)
    result = found([role(1)], group([host("a")], [old], members("w-r2", "a")))
    assert {s.name for s in result.sets} == {"w-r2", "w-r3"}


def test_a_control_plane_is_redeployed_to_the_end() -> None:
    """Half way, two old and two new members run: one old one may go, three of four are left."""
    old = pool("cp", role=CONTROL_PLANE, deleting=True)
    new = pool("cp-r2", role=CONTROL_PLANE, successor_of="cp")
    vms = [*members("cp", "ab"), *members("cp-r2", "cd")]
    snapshot = group(map(host, "abcd"), [old, new], vms)
    result = found([role(3, "cp", CONTROL_PLANE)], snapshot)
    assert len(result.unwanted) == 1
    assert result.unwanted[0].startswith("cp-")

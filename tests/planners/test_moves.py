"""Drains, throttles, and the order of moves."""

from __future__ import annotations

from dataclasses import replace

from frota.model.host import HostState, Size
from frota.model.plan import Step
from frota.model.policy import Policy, Throttle
from frota.model.snapshot import Snapshot
from frota.model.vm import Mobility, Operation, Verb, VmState
from frota.planners.placement.drain import plan_drain
from frota.planners.placement.ledger import Ledger
from frota.planners.placement.order import Wish, in_layers
from frota.planners.placement.throttle import admit
from tests.planners.builders import GIB, SMALL, control_plane, group, host, members, pool, vm


def live(name: str, src: str, dst: str, layer: int = 0) -> Step:
    return Step(Verb.LIVE, name, src, dst, "test", layer)


def drained(snapshot: Snapshot) -> tuple[list[tuple[str, str, str]], list[str]]:
    steps, refusals = plan_drain(snapshot, Ledger(snapshot))
    return [(s.verb.value, s.vm, s.dst) for s in steps], [r.subject for r in refusals]


def test_drain_spreads_what_leaves() -> None:
    hosts = [host("a", state=HostState.DRAINING), host("b"), host("c")]
    moves, blocked = drained(group(hosts, [pool("w")], members("w", "aab")))
    assert moves == [("live", "w-1", "c"), ("live", "w-2", "b")]
    assert not blocked


def test_drain_moves_what_fits_and_names_the_rest() -> None:
    hosts = [host("a", state=HostState.DRAINING), host("b", memory_gib=8)]
    moves, blocked = drained(group(hosts, [pool("w")], members("w", "aab")))
    assert len(moves) == 1
    assert blocked == ["w-2"]


def test_drain_leaves_pinned_vms_unless_cold_moves_are_allowed() -> None:
    hosts = [host("a", state=HostState.DRAINING), host("b")]
    vms = members("w", "a", mobility=Mobility.PINNED)
    assert drained(group(hosts, [pool("w")], vms)) == ([], ["w-1"])
    allowed = Policy(cold_rebalance=True)
    assert drained(group(hosts, [pool("w")], vms, allowed)) == ([("cold", "w-1", "b")], [])


def test_throttle_counts_what_is_under_way() -> None:
    vms = members("w", "aaaaaa")
    moving = replace(vms[0], operation=Operation("o", Verb.LIVE, "w-1", "a", "b"))
    snapshot = group(map(host, "abc"), [pool("w")], [moving, *vms[1:]])
    steps = [live(f"w-{n}", "a", "b") for n in range(2, 7)]
    admitted, waiting = admit(steps, snapshot, voluntary=False)
    assert [s.vm for s in admitted] == ["w-2"]  # two may leave a
    assert len(waiting) == 4
    wide = Policy(throttle=Throttle(out_per_host=9, in_per_host=9, per_cluster=3))
    admitted, _ = admit(steps, replace(snapshot, policy=wide), voluntary=False)
    assert len(admitted) == 2  # three of one cluster, with the one under way


def test_control_planes_move_one_at_a_time_and_whole() -> None:
    snapshot = group(map(host, "abc"), [control_plane()], members("cp", "aab"))
    steps = [live("cp-1", "a", "c"), live("cp-2", "a", "c")]
    admitted, _ = admit(steps, snapshot, voluntary=True)
    assert [s.vm for s in admitted] == ["cp-1"]
    unready = snapshot.with_vms([replace(snapshot.vms["cp-3"], ready=False)])
    assert not admit(steps, unready, voluntary=True)[0]
    assert admit(steps, unready, voluntary=False)[0]  # a drain needs the quorum only
    broken = unready.with_vms([replace(unready.vms["cp-2"], state=VmState.LOST)])
    assert not admit(steps[:1], broken, voluntary=False)[0]


def test_a_layer_waits_for_the_one_before() -> None:
    snapshot = group(map(host, "abc"), [pool("w")], members("w", "aa"))
    admitted, waiting = admit(
        [live("w-1", "a", "b"), live("w-2", "a", "c", 1)], snapshot, voluntary=True
    )
    assert ([s.vm for s in admitted], [r.subject for r in waiting]) == (["w-1"], ["w-2"])


def test_no_choice_may_cost_n_minus_one() -> None:
    # c alone could take what a or b hold; filling c up would end that.
    hosts = [host("a", memory_gib=8), host("b", memory_gib=4), host("c", memory_gib=8)]
    vms = [vm("one", "w", "a"), vm("two", "w", "b")]
    snapshot = group(hosts, [pool("w")], vms)
    assert admit([live("one", "a", "c")], snapshot, voluntary=True)[0]
    tight = snapshot.with_vms([vm("big", "x", "a", size=Size(8 * GIB, 2)), vm("one", "w", "b")])
    tight = replace(tight, vms={k: v for k, v in tight.vms.items() if k != "two"})
    admitted, waiting = admit([live("one", "b", "c")], tight, voluntary=True)
    assert not admitted
    assert "unable to lose a host" in waiting[0].reason + waiting[0].message
    assert admit([live("one", "b", "c")], tight, voluntary=False)[0]


def wishes(*moves: tuple[str, str, str]) -> list[Wish]:
    return [Wish(live(name, src, dst), SMALL, "w") for name, src, dst in moves]


def test_moves_follow_the_room_they_need() -> None:
    hosts = [host("a", memory_gib=4), host("b", memory_gib=4), host("c", memory_gib=4)]
    snapshot = group(hosts, [pool("w")], members("w", "ab"))
    steps, stuck = in_layers(wishes(("w-1", "a", "b"), ("w-2", "b", "c")), snapshot)
    assert [(s.vm, s.layer) for s in steps] == [("w-2", 0), ("w-1", 1)]
    assert not stuck


def test_a_swap_goes_by_way_of_a_third_host() -> None:
    hosts = [host("a", memory_gib=4), host("b", memory_gib=4), host("c")]
    snapshot = group(hosts, [pool("w")], members("w", "ab"))
    steps, stuck = in_layers(wishes(("w-1", "a", "b"), ("w-2", "b", "a")), snapshot)
    assert [(s.vm, s.src, s.dst, s.final) for s in steps] == [
        ("w-1", "a", "c", "b"),
        ("w-2", "b", "a", ""),
        ("w-1", "c", "b", ""),
    ]
    assert [s.layer for s in steps] == [0, 1, 2]
    assert not stuck


def test_a_swap_without_room_to_spare_is_left_alone() -> None:
    hosts = [host("a", memory_gib=4), host("b", memory_gib=4)]
    snapshot = group(hosts, [pool("w")], members("w", "ab"))
    steps, stuck = in_layers(wishes(("w-1", "a", "b"), ("w-2", "b", "a")), snapshot)
    assert not steps
    assert len(stuck) == 2

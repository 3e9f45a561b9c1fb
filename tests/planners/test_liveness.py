"""What became of each VM, from records and sights."""

from __future__ import annotations

from dataclasses import replace

import pytest

from frota.model.host import Host, HostState
from frota.model.sight import Copy, CopyState, HostView, Outcome
from frota.model.vm import Operation, Verb, Vm, VmState
from frota.planners.liveness import Findings, Leftover, leftovers, settle
from tests.planners.builders import NOW, down, group, host, running, view, vm

A, B, C = host("a"), host("b"), host("c")
ISOLATED = replace(B, state=HostState.ISOLATED)
DONE, FAILED, UNSEEN = Outcome("op"), Outcome("op", "refused"), Outcome("op", unknown=True)


def settled(
    one: Vm, hosts: list[Host], views: list[HostView], *ends: Outcome
) -> tuple[Vm | None, Findings]:
    found = settle(group(hosts, [], [one]), {v.host: v for v in views}, ends)
    if one.name in found.gone:
        return None, found
    return next(iter(found.changed), one), found


def after(one: Vm, hosts: list[Host], views: list[HostView], *ends: Outcome) -> Vm:
    result, _ = settled(one, hosts, views, *ends)
    assert result is not None
    return result


def dead(name: str) -> HostView:
    return view(host(name), beating=False, last_seen=NOW - 100)


RUNNING = vm("v", "s", "b", order=1)


def test_a_vm_seen_to_run_stays_as_it_is() -> None:
    assert after(RUNNING, [A, B], [view(A), view(B, running("v"))]) is RUNNING


def test_silence_makes_unmonitored_and_a_beat_undoes_it() -> None:
    unsure = after(RUNNING, [A, ISOLATED], [view(A), dead("b")])
    assert unsure.state is VmState.UNMONITORED
    again = after(unsure, [A, B], [view(A), view(B, running("v"))])
    assert (again.state, again.host, again.epoch) == (VmState.RUNNING, "b", 1)


def test_a_suspect_host_changes_nothing() -> None:
    suspect = replace(B, state=HostState.SUSPECT)
    assert after(RUNNING, [A, suspect], [view(A), dead("b")]) is RUNNING


def test_only_a_host_proved_dead_loses_its_vms() -> None:
    assert after(RUNNING, [A, down("b")], [view(A), dead("b")]).state is VmState.LOST


MISSED = replace(RUNNING, state=VmState.UNMONITORED, missed_at=NOW - 3)


def test_a_guest_that_ended_is_lost_once_every_host_was_looked_at_again() -> None:
    missed, found = settled(RUNNING, [B], [view(B)])
    assert missed is not None
    assert (missed.state, missed.missed_at, found.again_at) == (VmState.UNMONITORED, NOW, NOW + 3)
    early = replace(missed, missed_at=NOW - 2.9)
    assert after(early, [B], [view(B)]) is early
    assert after(MISSED, [B], [view(B)]).state is VmState.LOST
    stopped = view(B, running("v", state=CopyState.STOPPED))
    assert after(MISSED, [B], [stopped]).state is VmState.LOST
    seen = after(MISSED, [B], [view(B, running("v"))])
    assert (seen.state, seen.missed_at) == (VmState.RUNNING, None)


def test_a_guest_that_keeps_ending_waits_longer_each_time() -> None:
    waits = []
    one = replace(MISSED, started_at=NOW - 5)
    for _ in range(4):
        lost = after(one, [B], [view(B)])
        waits.append(lost.retry_at - NOW)
        one = replace(lost, state=VmState.UNMONITORED, missed_at=NOW - 3)
    assert waits == [0.0, 60.0, 120.0, 240.0]
    long_ago = replace(one, started_at=NOW - 3_600)
    assert after(long_ago, [B], [view(B)]).failures == 0


def test_a_guest_moved_by_hand_has_a_new_home() -> None:
    moved = after(RUNNING, [A, B], [view(A, running("v")), view(B)])
    assert (moved.state, moved.host, moved.home) == (VmState.RUNNING, "a", "a")


def test_a_guest_on_its_way_by_hand_is_waited_for() -> None:
    arriving = view(A, running("v", state=CopyState.INCOMING))
    assert after(RUNNING, [A, B], [arriving, view(B)]) is RUNNING


def test_a_lost_vm_found_running_is_taken_back_unless_started_anew() -> None:
    lost = replace(RUNNING, state=VmState.LOST)
    back = replace(B, state=HostState.RECOVERING)
    assert after(lost, [back], [view(back, running("v"))]).state is VmState.RUNNING
    newer = replace(lost, epoch=2)
    assert after(newer, [back], [view(back, running("v"))]).state is VmState.LOST


@pytest.mark.parametrize("state", [VmState.LOST, VmState.UNPLACEABLE])
@pytest.mark.parametrize(
    ("place", "epoch", "found"), [("b", 1, True), ("c", 1, True), ("a", 1, False), ("c", 0, False)]
)
def test_given_up_for_lost_and_found(state: VmState, place: str, epoch: int, found: bool) -> None:
    """On its host b, or on c, where its last move went; not a stale copy."""
    lost = replace(RUNNING, state=state, transit="c")
    views = [view(h, *([running("v", epoch)] if h.name == place else [])) for h in (A, B, C)]
    result = after(lost, [A, B, C], views)
    assert (result.state is VmState.RUNNING) is found
    assert (result.host, result.transit) == ((place, "") if found else ("b", "c"))


STARTING = replace(
    vm("v", "s"),
    state=VmState.STARTING,
    host="b",
    epoch=1,
    operation=Operation("op", Verb.START, "v", dst="b", epoch=1, since=NOW - 1),
)


@pytest.mark.parametrize(
    ("b", "seen", "ends", "state"),
    [
        (B, view(B), (), VmState.STARTING),
        (B, view(B, running("v")), (DONE,), VmState.RUNNING),
        (B, view(B), (FAILED,), VmState.LOST),
        # It failed by its own word, and runs all the same: what runs counts.
        (B, view(B, running("v")), (FAILED,), VmState.RUNNING),
        (B, view(B, running("v")), (UNSEEN,), VmState.RUNNING),
        (B, view(B), (UNSEEN,), VmState.STARTING),
        (ISOLATED, dead("b"), (UNSEEN,), VmState.STARTING),
        (down("b"), dead("b"), (), VmState.LOST),
        (down("b"), dead("b"), (UNSEEN,), VmState.LOST),
        # It started anew, and the order may have come after that: its end will tell.
        (down("b"), replace(view(B), incarnation="b-2"), (), VmState.STARTING),
        (down("b"), replace(view(B), incarnation="b-2"), (UNSEEN,), VmState.LOST),
    ],
)
def test_starts(b: Host, seen: HostView, ends: tuple[Outcome, ...], state: VmState) -> None:
    result, found = settled(STARTING, [A, b], [view(A), seen], *ends)
    assert result is not None
    assert result.state is state
    assert found.settled == (("op",) if ends and state is not VmState.STARTING else ())


def test_a_start_whose_end_nobody_saw_is_given_the_time_to_show() -> None:
    """The daemon hung, and may do only now what it was told."""
    missed = after(STARTING, [B], [view(B)], UNSEEN)
    assert (missed.state, missed.missed_at) == (VmState.STARTING, NOW)
    shown = after(missed, [B], [view(B, running("v"))], UNSEEN)
    assert (shown.state, shown.missed_at) == (VmState.RUNNING, None)
    long_ago = replace(missed, missed_at=NOW - 3)
    given_up = after(long_ago, [B], [view(B)], UNSEEN)
    assert (given_up.state, given_up.missed_at) == (VmState.LOST, None)


def test_a_failed_start_waits_longer_each_time() -> None:
    first = after(STARTING, [B], [view(B)], FAILED)
    again = replace(STARTING, failures=first.failures)
    second = after(again, [B], [view(B)], FAILED)
    assert (first.retry_at - NOW, second.retry_at - NOW) == (30.0, 60.0)
    many = after(replace(STARTING, failures=1_000), [B], [view(B)], FAILED)
    assert many.retry_at - NOW == 1_800.0


MOVING = replace(
    vm("v", "s", "a"),
    state=VmState.MIGRATING,
    operation=Operation("op", Verb.LIVE, "v", "a", "b", 1, voluntary=True, since=NOW - 1),
)
ON_A, ON_B = view(A, running("v")), view(B, running("v"))
LEAVING = view(A, running("v", state=CopyState.OUTGOING))
ARRIVING = view(B, running("v", state=CopyState.INCOMING))


@pytest.mark.parametrize(
    ("hosts", "views", "ends", "state", "place"),
    [
        ([A, B], [LEAVING, ARRIVING], (), VmState.MIGRATING, "a"),
        ([A, B], [view(A), ON_B], (DONE,), VmState.RUNNING, "b"),
        ([A, B], [ON_A, view(B)], (FAILED,), VmState.RUNNING, "a"),
        ([A, B], [view(A), ON_B], (UNSEEN,), VmState.RUNNING, "b"),
        ([A, B], [ON_A, view(B)], (UNSEEN,), VmState.RUNNING, "a"),
        ([A, B], [LEAVING, ARRIVING], (UNSEEN,), VmState.UNMONITORED, "a"),
        ([A, B], [view(A), view(B)], (UNSEEN,), VmState.UNMONITORED, "a"),
        # The source died: the guest is lost, unless the far end has it.
        ([down("a"), B], [dead("a"), ON_B], (), VmState.RUNNING, "b"),
        ([down("a"), B], [dead("a"), view(B)], (), VmState.UNMONITORED, "b"),
        ([down("a"), B], [dead("a"), ARRIVING], (), VmState.UNMONITORED, "a"),
        # The far end died: it stays.
        ([A, down("b")], [ON_A, dead("b")], (), VmState.RUNNING, "a"),
        ([A, down("b")], [LEAVING, dead("b")], (), VmState.UNMONITORED, "a"),
        ([down("a"), down("b")], [dead("a"), dead("b")], (), VmState.LOST, "a"),
        # A silent host is neither alive nor dead: wait.
        ([replace(A, state=HostState.ISOLATED), B], [dead("a"), ON_B], (), VmState.MIGRATING, "a"),
        (
            [replace(A, state=HostState.ISOLATED), B],
            [dead("a"), view(B)],
            (UNSEEN,),
            VmState.UNMONITORED,
            "a",
        ),
    ],
)
def test_moves(
    hosts: list[Host],
    views: list[HostView],
    ends: tuple[Outcome, ...],
    state: VmState,
    place: str,
) -> None:
    result, found = settled(MOVING, hosts, views, *ends)
    assert result is not None
    assert (result.state, result.host) == (state, place)
    if result.missed_at == NOW:  # nothing else may happen: it must be looked at again
        assert found.again_at == NOW + 3
    over = state in (VmState.RUNNING, VmState.LOST) or result.missed_at == NOW
    assert (result.operation is None) is over


def test_home_follows_moves_made_for_evenness_only() -> None:
    arrived = after(MOVING, [A, B], [view(A), ON_B], DONE)
    assert (arrived.home, arrived.moved_at) == ("b", NOW)
    operation = MOVING.operation
    assert operation is not None
    drained = replace(MOVING, operation=replace(operation, voluntary=False))
    arrived = after(drained, [A, B], [view(A), ON_B], DONE)
    assert (arrived.home, arrived.moved_at) == ("a", RUNNING.moved_at)
    half_way = after(replace(MOVING, transit="c"), [A, B, C], [view(A), ON_B, view(C)], DONE)
    assert (half_way.home, half_way.transit, half_way.moved_at) == ("a", "c", RUNNING.moved_at)


STOPPING = replace(
    RUNNING,
    state=VmState.STOPPING,
    wanted=False,
    operation=Operation("op", Verb.STOP, "v", "b", epoch=1, since=NOW - 1),
)


def test_an_unwanted_vm_is_gone_when_it_stopped() -> None:
    assert settled(STOPPING, [B], [view(B)], DONE)[0] is None
    assert settled(STOPPING, [down("b")], [dead("b")])[0] is None
    assert after(STOPPING, [B], [ON_B], FAILED).state is VmState.RUNNING
    halted = replace(STOPPING, wanted=True, halted=True)
    assert after(halted, [B], [view(B)], DONE).state is VmState.STOPPED


def test_what_takes_too_long_is_cancelled() -> None:
    operation = MOVING.operation
    assert operation is not None
    old = replace(MOVING, operation=replace(operation, since=NOW - 601))
    _, found = settled(old, [A, B], [LEAVING, ARRIVING])
    assert found.overdue == ("op",)
    _, found = settled(MOVING, [A, B], [LEAVING, ARRIVING])
    assert (found.overdue, found.again_at) == ((), NOW + 599)


@pytest.mark.parametrize(
    ("record", "where", "copy", "ended"),
    [
        (RUNNING, "b", running("v"), False),
        (RUNNING, "b", running("v", epoch=0), True),
        (replace(RUNNING, epoch=2), "a", running("v"), True),
        (RUNNING, "a", running("v", state=CopyState.STOPPED), True),
        (RUNNING, "a", running("v", state=CopyState.INCOMING), False),  # moved by hand
        (RUNNING, "a", running("stranger"), False),
        (STARTING, "b", running("v"), False),
        (MOVING, "b", running("v", state=CopyState.INCOMING), False),
        (replace(RUNNING, state=VmState.LOST), "b", running("v", state=CopyState.STOPPED), True),
        (replace(RUNNING, state=VmState.LOST), "b", running("v"), False),
    ],
)
def test_leftovers(record: Vm, where: str, copy: Copy, ended: bool) -> None:
    hosts = {"a": A, "b": B}
    found = leftovers({"v": record}, hosts, {where: view(hosts[where], copy)})
    assert found == ((Leftover(where, "v", copy.epoch),) if ended else ())


def test_a_waiting_end_of_a_move_is_ended_once_its_source_is_proved_dead() -> None:
    hosts = {"a": down("a"), "b": B}
    assert leftovers({"v": MOVING}, hosts, {"b": ARRIVING}) == (Leftover("b", "v", 1),)


def test_a_live_copy_of_the_present_epoch_is_never_ended() -> None:
    # One of the two views is old news: the guest was moved by hand.
    assert leftovers({"v": RUNNING}, {"a": A, "b": B}, {"a": ON_A, "b": ON_B}) == ()

"""The host state machine, row by row."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import Any

import pytest

from frota.model.host import Host, HostState, Intent
from frota.model.policy import Policy, Timers
from frota.model.sight import FenceState, FenceVerdict, HostView
from frota.planners.membership import Judgement, Surroundings, judge
from tests.planners.builders import NOW, host, view

S = HostState
T = Timers()
POLICY = Policy()
SILENCE_TO_FENCING = T.isolated + T.isolation_grace


def look(
    hosts: list[Host], views: list[HostView], *, policy: Policy = POLICY, **around: Any
) -> Judgement:
    surroundings = Surroundings({v.host: v for v in views}, around.pop("verdicts", {}), **around)
    return judge({h.name: h for h in hosts}, surroundings, policy, NOW)


def one(subject: Host, seen: HostView, **around: Any) -> Host:
    """The host after one judgement, among two healthy peers."""
    peers = [host("x"), host("y")]
    found = look([subject, *peers], [seen, *map(view, peers)], **around)
    return next((h for h in found.changed if h.name == subject.name), subject)


def silent(subject: Host, seconds: float) -> HostView:
    return view(subject, beating=False, last_seen=NOW - seconds)


@pytest.mark.parametrize(
    ("state", "seconds", "expected"),
    [
        (S.UP, 2.9, S.UP),
        (S.UP, 3.0, S.SUSPECT),
        (S.SUSPECT, 9.9, S.SUSPECT),
        (S.SUSPECT, 10.0, S.ISOLATED),
        (S.RECOVERING, 3.0, S.SUSPECT),
        (S.QUARANTINED, 3.0, S.SUSPECT),
        (S.DRAINING, 3.0, S.SUSPECT),
        (S.MAINTENANCE, 9_999.0, S.MAINTENANCE),
        (S.JOINING, 9_999.0, S.JOINING),
        (S.DOWN, 9_999.0, S.DOWN),
        (S.REMOVED, 9_999.0, S.REMOVED),
    ],
)
def test_silence_leads_from_state_to_state(
    state: HostState, seconds: float, expected: HostState
) -> None:
    subject = host("b", state=state)
    assert one(subject, silent(subject, seconds)).state is expected


@pytest.mark.parametrize(
    ("isolated_for", "silent_for", "expected"),
    [
        (29.9, 39.9, S.ISOLATED),
        (30.0, 40.0, S.FENCING),
        # A controller that has just started must have seen the silence itself.
        (5_000.0, 15.0, S.ISOLATED),
        (5_000.0, 40.0, S.FENCING),
    ],
)
def test_the_grace_of_isolation(
    isolated_for: float, silent_for: float, expected: HostState
) -> None:
    subject = host("b", state=S.ISOLATED, since=NOW - isolated_for)
    assert one(subject, silent(subject, silent_for)).state is expected


def test_each_deadline_is_announced() -> None:
    up, suspect = host("b"), host("c", state=S.SUSPECT)
    found = look([up, suspect], [silent(up, 1.0), silent(suspect, 4.0)])
    assert not found.changed
    assert found.again_at == NOW - 1.0 + 3 * T.beat
    quiet = look([up], [view(up)])
    assert quiet == Judgement(again_at=inf)


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        (FenceState.IDLE, S.FENCING),
        (FenceState.WORKING, S.FENCING),
        (FenceState.FAILED, S.FENCING),
        (FenceState.PROVED, S.DOWN),
    ],
)
def test_only_proof_ends_fencing(verdict: FenceState, expected: HostState) -> None:
    subject = host("b", state=S.FENCING, since=NOW - 5)
    verdicts = {"b": FenceVerdict(verdict, "bmc")}
    after = one(subject, silent(subject, 60), verdicts=verdicts)
    assert after.state is expected
    assert bool(after.fence_proof) is (expected is S.DOWN)
    assert len(after.leaves) == (expected is S.DOWN)


def test_proof_of_death_needs_no_grace() -> None:
    subject = host("b", state=S.ISOLATED, since=NOW)
    verdicts = {"b": FenceVerdict(FenceState.PROVED, "power-off")}
    assert one(subject, silent(subject, 10), verdicts=verdicts).state is S.DOWN


def test_an_operator_may_declare_one_incarnation_dead() -> None:
    subject = host("b", state=S.FENCING, declared_dead="b-1")
    assert one(subject, silent(subject, 100)).state is S.DOWN
    another = replace(subject, declared_dead="b-0")
    assert one(another, silent(another, 100)).state is S.FENCING


@pytest.mark.parametrize(
    ("state", "before", "expected", "leaves"),
    [
        (S.SUSPECT, S.UP, S.UP, 0),
        (S.SUSPECT, S.RECOVERING, S.RECOVERING, 0),
        (S.SUSPECT, S.QUARANTINED, S.QUARANTINED, 0),
        (S.ISOLATED, S.UP, S.UP, 1),
        (S.FENCING, S.UP, S.UP, 1),
    ],
)
def test_a_beat_of_the_same_life_ends_silence(
    state: HostState, before: HostState, expected: HostState, leaves: int
) -> None:
    subject = host("b", state=state, before=before)
    after = one(subject, view(subject))
    assert (after.state, len(after.leaves)) == (expected, leaves)


def test_a_host_that_was_ordered_to_die_is_not_taken_back_alive() -> None:
    subject = host("b", state=S.FENCING)
    working = {"b": FenceVerdict(FenceState.WORKING)}
    assert one(subject, view(subject), verdicts=working).state is S.FENCING


@pytest.mark.parametrize("state", [S.UP, S.SUSPECT, S.ISOLATED, S.FENCING, S.DRAINING])
def test_a_new_life_proves_the_old_one_ended(state: HostState) -> None:
    subject = host("b", state=state)
    after = one(subject, view(replace(subject, incarnation="b-2")))
    assert after.state is S.DOWN
    assert after.incarnation == "b-1"


def test_return_waits_until_leftovers_are_gone_then_for_the_hold_time() -> None:
    gone = host("b", state=S.DOWN, fence_proof="x")
    reborn = view(replace(gone, incarnation="b-2"))
    assert one(gone, reborn, haunted=frozenset({"b"})).state is S.DOWN
    back = one(gone, reborn)
    assert (back.state, back.incarnation, back.fence_proof) == (S.RECOVERING, "b-2", "")
    early = replace(back, since=NOW - T.hold + 0.1)
    assert one(early, reborn).state is S.RECOVERING
    assert one(replace(back, since=NOW - T.hold), reborn).state is S.UP


def test_the_third_leave_within_an_hour_quarantines() -> None:
    leaves = (NOW - 3_599, NOW - 1_000, NOW - 10)
    gone = host("b", state=S.DOWN, leaves=leaves, since=NOW - 10)
    held = one(gone, view(gone))
    assert (held.state, held.until) == (S.QUARANTINED, NOW + T.quarantine)
    long_ago = replace(gone, leaves=(NOW - 3_601, *leaves[1:]))
    assert one(long_ago, view(gone)).state is S.RECOVERING


def test_the_last_beats_before_the_power_was_cut_are_no_return() -> None:
    gone = host("b", state=S.DOWN, since=NOW - 2.9, fence_proof="proved dead by power-off")
    assert one(gone, view(gone)).state is S.DOWN
    old_news = replace(gone, since=NOW - 3)
    assert one(old_news, view(gone, last_seen=NOW - 3)).state is S.DOWN
    assert one(old_news, view(gone)).state is S.RECOVERING


def test_quarantine_ends_by_time_or_by_hand() -> None:
    held = host("b", state=S.QUARANTINED, until=NOW + 1)
    assert one(held, view(held)).state is S.QUARANTINED
    assert one(replace(held, until=NOW), view(held)).state is S.RECOVERING
    assert one(replace(held, cleared=True), view(held)).state is S.RECOVERING


def test_no_more_than_a_quarter_in_quarantine_and_never_the_last_host() -> None:
    flapping = [host(n, state=S.DOWN, leaves=(NOW - 3, NOW - 2, NOW - 1)) for n in ("b", "c", "d")]
    others = [host(n) for n in ("p", "q", "r", "s", "t")]
    found = look([*flapping, *others], [view(h) for h in [*flapping, *others]])
    states = [h.state for h in found.changed]
    assert states.count(S.QUARANTINED) == 2  # a quarter of eight
    alone = look(flapping[:1], [view(flapping[0])])
    assert [h.state for h in alone.changed] == [S.RECOVERING]


def test_drain_resume_and_removal() -> None:
    asked = host("b", intent=Intent.DRAINED)
    draining = one(asked, view(asked))
    assert draining.state is S.DRAINING
    assert one(draining, view(asked), busy=frozenset({"b"})).state is S.DRAINING
    assert one(draining, view(asked)).state is S.MAINTENANCE
    resumed = replace(draining, intent=Intent.ACTIVE)
    assert one(resumed, view(asked)).state is S.RECOVERING
    leaving = replace(draining, intent=Intent.REMOVED)
    assert one(leaving, view(asked)).state is S.REMOVED
    assert one(host("b", state=S.DOWN, intent=Intent.REMOVED), view(asked)).state is S.REMOVED


def test_one_silent_host_of_three_is_believed_and_two_are_not() -> None:
    hosts = [host(n, state=S.ISOLATED, since=NOW - 100) for n in "ab"] + [host("c")]
    both = look(hosts, [silent(hosts[0], 100), silent(hosts[1], 99), view(hosts[2])])
    assert "2 of 3" in both.storm
    assert not both.kill
    assert both.again_at == NOW + T.audit  # nothing else may ever ask to look again
    single = look(hosts[1:], [silent(hosts[1], 99), view(hosts[2])])
    assert not single.storm
    assert single.kill == ("b",)


def test_after_a_storm_every_host_gets_its_grace_again() -> None:
    late = host("b", state=S.ISOLATED, since=NOW - 1_000)
    seen = silent(late, 1_000)
    assert one(late, seen).state is S.FENCING
    assert one(late, seen, calm_since=inf).state is S.ISOLATED  # it is over just now
    patient = T.isolation_grace
    assert one(late, seen, calm_since=NOW - patient + 1).state is S.ISOLATED
    assert one(late, seen, calm_since=NOW - patient).state is S.FENCING


def test_a_proof_is_believed_in_a_storm() -> None:
    hosts = [host(n, state=S.ISOLATED, since=NOW - 100) for n in "abc"] + [host("d")]
    views = [silent(h, 100) for h in hosts[:3]] + [view(hosts[3])]
    found = look(hosts, views, verdicts={"a": FenceVerdict(FenceState.PROVED, "power-off")})
    assert found.storm
    assert [(h.name, h.state) for h in found.changed] == [("a", S.DOWN)]


@pytest.mark.parametrize(("witness", "calm"), [(True, True), (None, False), (False, False)])
def test_a_whole_rack_may_die_only_if_the_witness_is_seen(witness: bool | None, calm: bool) -> None:
    gone = [host(n, rack="r1", state=S.ISOLATED, since=NOW - 50) for n in ("a", "b")]
    there = [host(n, rack="r2") for n in ("c", "d")]
    views = [*(silent(h, 60) for h in gone), *map(view, there)]
    found = look([*gone, *there], views, witness=witness)
    assert (not found.storm) is calm
    assert bool(found.kill) is calm


def test_silences_far_apart_are_no_storm() -> None:
    early = host("a", state=S.FENCING, since=NOW - 3_000)
    late = host("b", state=S.SUSPECT)
    found = look([early, late, host("c")], [silent(early, 3_000), silent(late, 5), view(host("c"))])
    assert not found.storm


def test_a_lost_witness_freezes_even_one() -> None:
    subject = host("b", state=S.ISOLATED, since=NOW - 100)
    assert one(subject, silent(subject, 100), witness=False).state is S.ISOLATED


def test_what_keeps_a_host_from_joining_is_on_record() -> None:
    fresh = host("b", state=S.JOINING, incarnation="", since=NOW - T.isolated + 1.0)
    refused = replace(silent(fresh, 5.0), error="authentication failed: wrong certificate")
    assert one(fresh, refused) is fresh  # it may join yet
    subject = replace(fresh, since=NOW - T.isolated)
    found = one(subject, refused)
    assert (found.state, found.reason) == (S.JOINING, refused.error)
    assert one(found, refused) is found  # said once
    assert one(found, replace(refused, error="")) is found

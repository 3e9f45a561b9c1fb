"""What holds of every rollout, whatever befalls its clusters and its controller."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from frota.model.rollout import Intent, Phase, Progress, RolloutFleet
from frota.planners.rollout import StandIns, UnderWay, waves_of
from tests.planners.rollout.builders import NEW, OLD, Play, fleet_of, stage

REGIONS = ("east", "west", "north", "")
STAGES = ("dev", "staging", "prod")


@st.composite
def fleets(draw: st.DrawFn) -> RolloutFleet:
    count = draw(st.integers(1, 8))
    members = {
        f"c{n}": (draw(st.sampled_from(STAGES)), draw(st.sampled_from(REGIONS)))
        for n in range(count)
    }
    pairs = draw(st.lists(st.tuples(*[st.sampled_from(REGIONS[:3])] * 2), max_size=3))
    gates = [
        stage(name, soak=draw(st.sampled_from([0.0, 2.0])), healthy=draw(st.booleans()))
        for name in STAGES
    ]
    declared = draw(st.permutations(sorted(members)))
    if draw(st.booleans()):
        gates[2] = stage("prod", tuple(declared))
    return fleet_of(members, gates, pairs)


TROUBLES: list[dict[str, Any]] = [
    {},
    {"reachable": False},
    {"failed": True},
    {"healthy": False},
    {"revision": ""},
]
HAPPENINGS = st.tuples(
    st.sampled_from(["trouble", "stuck", "free", "kill", "lost write", "pause", "run", "skip"]),
    st.integers(0, 7),
    st.sampled_from(TROUBLES),
)


def check(play: Play) -> None:
    """What holds at every step."""
    stand_ins = StandIns(play.fleet)
    for name in play.last.under_way:
        assert not UnderWay(stand_ins, play.last.under_way - {name}).met(name)
        assert name in play.last.deliver
    named = {reason.subject for reason in play.last.reasons}
    for part in play.rollout.clusters:
        if part.state in (Progress.FAILED, Progress.UNREACHABLE, Progress.SKIPPED):
            assert part.cluster in named
        given = play.last.deliver.get(part.cluster)
        assert given == NEW if part.reached else part.begun or given == OLD
    if play.rollout.phase is Phase.COMPLETED:
        assert all(part.state is Progress.DONE for part in play.rollout.clusters)
    if play.rollout.phase is Phase.PARTIAL:
        assert any(part.state is Progress.SKIPPED for part in play.rollout.clusters)


def befall(play: Play, what: str, who: int, trouble: dict[str, Any]) -> None:
    name = f"c{who}"
    if name not in play.has:
        return
    if what == "trouble":
        play.trouble[name] = trouble
    elif what == "stuck":
        play.stuck.add(name)
    elif what == "free":
        play.stuck.discard(name)
    elif what == "lost write":
        # The controller died after it looked and before it stored: nothing was delivered.
        before = play.rollout, dict(play.has)
        play.step()
        play.rollout, play.has = before
    elif what == "pause":
        play.intend(Intent.PAUSE)
    elif what == "run":
        play.intend(Intent.RUN)
    elif what == "skip":
        play.skip(name)


@given(fleets(), st.lists(HAPPENINGS, max_size=25))
def test_whatever_happens(fleet: RolloutFleet, happenings: list[Any]) -> None:
    play = Play(fleet)
    for what, who, trouble in happenings:
        befall(play, what, who, trouble)
        play.step()
        check(play)


@given(fleets(), st.lists(HAPPENINGS, max_size=25))
def test_once_all_is_well_it_ends(fleet: RolloutFleet, happenings: list[Any]) -> None:
    """Nothing that happened, no kill and no lost write, leaves it standing for ever."""
    play = Play(fleet)
    for what, who, trouble in happenings:
        befall(play, what, who, trouble)
        play.step()
    play.trouble.clear()
    play.stuck.clear()
    play.intend(Intent.RUN)
    play.steps(100)
    assert play.rollout.over
    for part in play.rollout.clusters:
        skipped = part.state is Progress.SKIPPED and not part.reached
        assert skipped or play.has[part.cluster] == NEW
    check(play)


@given(fleets(), st.lists(HAPPENINGS, max_size=25))
def test_a_rollback_gives_everything_back(fleet: RolloutFleet, happenings: list[Any]) -> None:
    play = Play(fleet)
    for what, who, trouble in happenings:
        befall(play, what, who, trouble)
        play.step()
    play.intend(Intent.ROLLBACK)
    play.rollout = replace(play.rollout, skips=())
    for _ in range(5):
        play.step()
        check_apart(play)
    play.trouble.clear()
    play.stuck.clear()
    for _ in range(100):
        play.step()
        check_apart(play)
    assert play.rollout.phase is Phase.ROLLED_BACK
    assert set(play.has.values()) == {OLD}


def check_apart(play: Play) -> None:
    stand_ins = StandIns(play.fleet)
    for name in play.last.under_way:
        assert not UnderWay(stand_ins, play.last.under_way - {name}).met(name)


@given(fleets(), st.integers(0, 7), st.sampled_from(TROUBLES[1:4]))
def test_a_cluster_that_stays_in_trouble_is_never_done(
    fleet: RolloutFleet, who: int, trouble: dict[str, Any]
) -> None:
    play = Play(fleet)
    name = f"c{who % len(play.has)}"
    play.trouble[name] = trouble
    play.steps(80)
    place = next(m.environment for m in fleet.members if m.cluster == name)
    gate = next(s.gate for s in fleet.stages if s.environment == place)
    if trouble == {"healthy": False} and not gate.healthy:
        return
    assert not play.rollout.over
    assert play.state_of(name) in (Progress.FAILED, Progress.UNREACHABLE, Progress.DELIVERING)
    if trouble != {"healthy": False}:
        assert play.reasons()[name] in ("Failed", "Unreachable")


@given(fleets())
def test_waves_hold_every_cluster_once_and_no_stand_ins(fleet: RolloutFleet) -> None:
    waves = waves_of(fleet)
    stand_ins = StandIns(fleet)
    placed = [name for wave in waves for name in wave.clusters]
    assert sorted(placed) == sorted(member.cluster for member in fleet.members)
    for wave in waves:
        for name in wave.clusters:
            assert not UnderWay(stand_ins, set(wave.clusters) - {name}).met(name)


@given(fleets(), st.lists(HAPPENINGS, max_size=15))
def test_time_is_told_when_only_time_is_waited_for(
    fleet: RolloutFleet, happenings: list[Any]
) -> None:
    play = Play(fleet)
    for what, who, trouble in happenings:
        befall(play, what, who, trouble)
        play.step()
    if {reason.reason for reason in play.last.reasons} == {"Soaking"}:
        assert play.now < play.last.again_at < inf

"""Rollouts, case by case."""

from __future__ import annotations

from dataclasses import replace
from math import nan
from typing import Any

import pytest

from frota.model.rollout import Intent, Phase, Progress
from frota.planners.rollout import advance
from tests.planners.rollout.builders import NEW, OLD, Play, fleet_of, stage, usual


def order_of(play: Play, most: int = 40) -> list[frozenset[str]]:
    """The sets of clusters that changed together, until nothing changes any more."""
    found: list[frozenset[str]] = []
    for _ in range(most):
        play.step()
        if play.last.under_way and (not found or found[-1] != play.last.under_way):
            found.append(play.last.under_way)
    return found


def test_through_all_stages() -> None:
    play = Play(usual())
    assert order_of(play) == [{"dev"}, {"staging"}, {"east"}, {"west"}]
    assert play.stands(Phase.COMPLETED)
    assert set(play.has.values()) == {NEW}
    assert not play.last.reasons


def test_a_step_that_changes_nothing_returns_an_equal_record() -> None:
    play = Play(usual(soak=100.0))
    play.steps(5)
    again = advance(play.fleet, play.states(), play.rollout, play.now)
    assert again.rollout == play.rollout


def test_those_that_wait_are_kept_at_what_they_have() -> None:
    play = Play(usual())
    play.stuck.add("dev")
    play.steps(3)
    assert play.last.deliver == {"dev": NEW, "staging": OLD, "east": OLD, "west": OLD}
    assert play.reasons()["west"] == "WaitsForWave"


def test_soak_is_counted_from_the_last_that_was_done() -> None:
    play = Play(usual(soak=60.0))
    play.step()
    play.step()
    assert play.state_of("dev") == Progress.DONE
    assert play.last.again_at == play.now + 60
    assert play.reasons()["dev/1"] == "Soaking"
    play.step(59)
    assert play.has["staging"] == OLD
    play.step(1)
    assert play.last.under_way == {"staging"}


def test_what_falls_ill_while_it_soaks_soaks_anew() -> None:
    play = Play(usual(soak=60.0))
    play.steps(2)
    play.trouble["dev"] = {"healthy": False, "message": "1 of 2 are ready"}
    play.step(59)
    play.trouble.clear()
    play.step(10)
    assert play.has["staging"] == OLD
    play.step(60)
    assert play.last.under_way == {"staging"}


@pytest.mark.parametrize(
    ("trouble", "state"),
    [
        ({"reachable": False}, Progress.UNREACHABLE),
        ({"failed": True, "message": "image not found"}, Progress.FAILED),
        ({"healthy": False}, Progress.DELIVERING),
        ({"revision": ""}, Progress.DELIVERING),
    ],
)
def test_a_cluster_in_trouble_holds_the_rest_and_is_named(trouble: Any, state: str) -> None:
    play = Play(usual())
    play.trouble["staging"] = trouble
    play.steps(50)
    assert play.stands(Phase.RUNNING)
    assert play.state_of("staging") == state
    assert play.reasons()["staging"] == state
    assert play.has["east"] == play.has["west"] == OLD
    play.trouble.clear()
    play.steps(20)
    assert play.stands(Phase.COMPLETED)


def test_health_may_be_left_out_of_the_gate() -> None:
    play = Play(usual(healthy=False))
    play.trouble["dev"] = {"healthy": False}
    play.steps()
    assert play.stands(Phase.COMPLETED)


def test_a_late_failure_stops_what_has_not_begun() -> None:
    play = Play(usual())
    while "east" not in play.last.under_way:
        play.step()
    play.trouble["dev"] = {"failed": True, "message": "crashes"}
    play.steps()
    assert play.has["west"] == OLD
    assert play.reasons()["dev"] == "Failed"
    assert play.last.deliver["dev"] == NEW


@pytest.mark.parametrize(
    ("burn", "passes"), [(None, True), (0.99, True), (1.0, False), (5.0, False), (nan, False)]
)
def test_the_error_budget(burn: float | None, passes: bool) -> None:
    play = Play(usual())
    play.trouble["dev"] = {"burn": burn}
    play.steps()
    assert play.stands(Phase.COMPLETED) is passes
    if not passes:
        assert play.reasons()["dev/1"] == "BudgetBurns"


def test_an_approval_is_of_one_wave_of_one_content() -> None:
    play = Play(usual(approval=True))
    approved = []
    for _ in range(40):
        play.step()
        if play.last.approve:
            assert play.reasons()[f"{_before(play)}/1"] == "WaitsForApproval"
            play.steps(3)
            approved.append(play.last.approve)
            play.approve()
    assert len(set(approved)) == 3  # nothing follows the last wave
    assert play.stands(Phase.COMPLETED)
    other = Play(usual(approval=True))
    other.rollout = _with(other, approvals=tuple(approved), revision="newer")
    other.steps()
    assert other.last.approve
    assert other.has["staging"] == OLD


@pytest.mark.parametrize(
    ("skips", "approvals"),
    [
        ((), 3),
        (("dev",), 3),
        (("staging",), 2),  # its gate and that of dev let the same wave begin
        (("west",), 2),
        (("east", "west"), 1),
        (("dev", "staging", "east", "west"), 0),
    ],
)
def test_a_wave_that_is_skipped_whole_needs_no_approval(
    skips: tuple[str, ...], approvals: int
) -> None:
    play = Play(usual(approval=True))
    for name in skips:
        play.skip(name)
    approved = []
    for _ in range(30):
        play.step()
        if play.last.approve:
            assert all(play.has[name] == OLD for name in skips)
            approved.append(play.last.approve)
            play.approve()
    assert len(approved) == len(set(approved)) == approvals
    assert play.stands(Phase.PARTIAL if skips else Phase.COMPLETED)


def _before(play: Play) -> str:
    done = [p.cluster for p in play.rollout.clusters if p.state is Progress.DONE]
    return {"dev": "dev", "staging": "staging", "east": "prod"}[done[-1]]


def _with(play: Play, **changes: Any) -> Any:
    return replace(play.rollout, **changes)


def test_pause_lets_what_has_begun_end() -> None:
    play = Play(usual())
    play.step()
    play.intend(Intent.PAUSE)
    play.steps()
    assert play.stands(Phase.PAUSED)
    assert (play.has["dev"], play.has["staging"]) == (NEW, OLD)
    play.intend(Intent.RUN)
    play.steps()
    assert play.stands(Phase.COMPLETED)


def test_abort_writes_nothing_more() -> None:
    play = Play(usual())
    play.stuck.add("staging")
    while "staging" not in play.last.under_way:
        play.step()
    play.intend(Intent.ABORT)
    play.steps()
    assert play.stands(Phase.ABORTED)
    assert play.last.deliver == {"dev": NEW, "east": OLD, "west": OLD}
    assert not play.last.under_way
    assert play.reasons()["staging"] == "LeftPartWay"
    play.intend(Intent.RUN)
    play.steps()
    assert play.stands(Phase.ABORTED)


@pytest.mark.parametrize("first", [Intent.RUN, Intent.PAUSE, Intent.ABORT])
def test_rollback_gives_back_what_was_there_last_wave_first(first: Intent) -> None:
    play = Play(usual())
    while "west" not in play.last.under_way:
        play.step()
    play.intend(first)
    play.step()
    play.intend(Intent.ROLLBACK)
    assert order_of(play) == [{"west"}, {"east"}, {"staging"}, {"dev"}]
    assert play.stands(Phase.ROLLED_BACK)
    assert set(play.has.values()) == {OLD}


def test_a_completed_rollout_can_be_rolled_back() -> None:
    play = Play(usual())
    play.steps()
    play.intend(Intent.ROLLBACK)
    play.steps()
    assert play.stands(Phase.ROLLED_BACK)
    assert set(play.has.values()) == {OLD}


def test_a_rollback_is_not_over_without_a_cluster_that_is_away() -> None:
    play = Play(usual())
    play.steps(6)
    play.trouble["dev"] = {"reachable": False}
    play.intend(Intent.ROLLBACK)
    play.steps()
    assert play.stands(Phase.ROLLING_BACK)
    assert play.reasons() == {"dev": "Unreachable"}
    assert {play.has[n] for n in ("staging", "east", "west")} == {OLD}
    play.trouble.clear()
    play.steps()
    assert play.stands(Phase.ROLLED_BACK)
    assert play.has["dev"] == OLD


def test_a_rollback_of_the_first_content_deletes_nothing() -> None:
    play = Play(usual())
    parts = tuple(_blank(part) for part in play.rollout.clusters)
    play.rollout = _with(play, clusters=parts)
    play.steps(4)
    play.intend(Intent.ROLLBACK)
    play.steps()
    assert play.last.deliver["dev"] == NEW
    assert play.reasons()["dev"] == "Skipped"


def _blank(part: Any) -> Any:
    return replace(part, before="")


def test_a_skipped_cluster_is_named_and_the_end_says_so() -> None:
    play = Play(usual())
    play.trouble["east"] = {"reachable": False}
    play.steps()
    assert play.has["west"] == OLD
    play.skip("east", "region east is down")
    play.steps()
    assert play.stands(Phase.PARTIAL)
    assert play.has["west"] == NEW
    assert play.reasons() == {"east": "Skipped"}
    assert next(r.message for r in play.last.reasons) == "region east is down"


def test_stand_ins_wait_for_each_other_even_when_one_comes_back() -> None:
    fleet = fleet_of(
        {"east": ("prod", "east"), "west": ("prod", "west")},
        [stage("prod")],
        [("east", "west")],
    )
    play = Play(fleet)
    play.stuck |= {"east", "west"}
    play.step()
    assert play.last.under_way == {"east"}
    play.trouble["east"] = {"reachable": False}
    play.step()
    play.skip("east")
    play.step()
    assert play.last.under_way == {"west"}
    play.trouble.clear()
    play.rollout = _with(play, skips=())
    play.steps(5)
    assert play.last.under_way == {"west"}
    play.stuck.clear()
    play.steps()
    assert play.stands(Phase.COMPLETED)


def test_a_cluster_that_joins_gets_its_turn() -> None:
    play = Play(usual())
    play.steps(4)
    members = {m.cluster: (m.environment, m.region) for m in play.fleet.members}
    play.fleet = fleet_of({**members, "dev2": ("dev", "")}, play.fleet.stages)
    play.has["dev2"] = ""
    play.steps()
    assert play.stands(Phase.COMPLETED)
    assert play.has["dev2"] == NEW


def test_a_cluster_that_joins_later_gets_the_content_too() -> None:
    play = Play(usual())
    play.steps()
    members = {m.cluster: (m.environment, m.region) for m in play.fleet.members}
    play.fleet = fleet_of({**members, "north": ("prod", "north")}, play.fleet.stages)
    play.has["north"] = ""
    play.step()
    assert play.has["north"] == NEW


def test_an_environment_that_is_no_stage_is_named() -> None:
    play = Play(fleet_of({"a": ("dev", ""), "b": ("lab", "")}, [stage("dev")]))
    play.steps()
    assert play.stands(Phase.RUNNING)
    assert play.reasons()["b"] == "NoStage"


def test_a_cluster_that_was_never_seen_is_not_done() -> None:
    play = Play(usual())
    del play.has["dev"]
    play.steps()
    assert play.reasons()["dev"] == "Unreachable"
    assert play.has["staging"] == OLD


@pytest.mark.parametrize("intent", [Intent.RUN, Intent.ROLLBACK])
def test_stand_ins_that_are_declared_meanwhile_come_apart(intent: Intent) -> None:
    places = {"east": ("prod", "east"), "west": ("prod", "west")}
    play = Play(fleet_of(places, [stage("prod")]))
    play.step()
    play.intend(intent)
    play.stuck |= {"east", "west"}
    if intent is Intent.ROLLBACK:
        play.has = dict.fromkeys(places, NEW)
    else:
        play.has = dict.fromkeys(places, OLD)
    play.step()
    assert play.last.under_way == {"east", "west"}
    play.fleet = fleet_of(places, [stage("prod")], [("east", "west")])
    play.step()
    assert len(play.last.under_way) == 1
    assert play.last.deliver.keys() == play.last.under_way
    play.stuck.clear()
    play.steps()
    assert play.rollout.over


def test_a_cluster_that_has_it_and_is_skipped_later_is_not_given_back() -> None:
    play = Play(usual())
    play.steps(3)
    play.trouble["dev"] = {"reachable": False}
    play.skip("dev")
    play.steps()
    assert play.stands(Phase.PARTIAL)
    play.trouble.clear()
    play.steps(3)
    assert play.has["dev"] == NEW
    play.skip("west", "too late")
    play.steps(3)
    assert play.has["west"] == NEW


def test_a_cluster_that_was_skipped_part_way_is_left_alone() -> None:
    play = Play(usual())
    play.stuck.add("dev")
    play.step()
    play.skip("dev")
    play.steps()
    assert play.stands(Phase.PARTIAL)
    assert "dev" not in play.last.deliver
    assert play.reasons() == {"dev": "Skipped"}

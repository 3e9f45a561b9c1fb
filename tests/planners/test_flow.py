"""The joint spread, case by case. Hosts are a to z; a set is written as a string of them."""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from frota.planners.placement.bounds import least_moves_alone
from frota.planners.placement.certificate import faults, prove
from frota.planners.placement.descent import descend
from frota.planners.placement.flow import solve
from frota.planners.placement.levels import passes
from frota.planners.placement.mincost import improved
from frota.planners.placement.network import Costs, play
from frota.planners.placement.spreadarrays import arrays, uneven
from frota.planners.placement.spreadproblem import (
    Score,
    SetSpread,
    SpreadAnswer,
    SpreadProblem,
    changes,
    score,
)


def on(members: str) -> dict[int, int]:
    """``on("aab")``: two members on host 0, one on host 1."""
    return dict(Counter(ord(letter) - ord("a") for letter in members))


def text(counts: dict[int, int]) -> str:
    return "".join(chr(ord("a") + host) * count for host, count in sorted(counts.items()))


def spread(members: str, levels: str = "host", **more: object) -> SetSpread:
    for key in ("fixed", "native", "away"):
        if key in more:
            more[key] = on(str(more[key]))
    if "allowed" in more:
        more["allowed"] = frozenset(on(str(more["allowed"])))
    fields: dict[str, object] = {"rack": "rack" in levels, "host": "host" in levels, **more}
    return SetSpread(on(members), **fields)  # type: ignore[arg-type]  # fields by name


def given(sets: list[SetSpread], slots: str, racks: str = "", closed: str = "") -> SpreadProblem:
    """Slots left and rack by host, as digits and letters."""
    return SpreadProblem(
        rack_of=[ord(rack) for rack in racks] if racks else list(range(len(slots))),
        slots=[int(digit) for digit in slots],
        accepts=[host not in on(closed) for host in range(len(slots))],
        load=[0] * len(slots),
        sets=sets,
    )


def after(problem: SpreadProblem) -> list[str]:
    answer = solve(problem)
    assert prove(problem, answer).holds
    return [text(dict(answer.of(problem, index))) for index in range(len(problem.sets))]


def test_more_members_than_hosts() -> None:
    assert after(given([spread("aaaaaaa")], "999")) == ["aaabbcc"]


def test_control_plane_of_three_on_two_hosts_moves_one() -> None:
    assert after(given([spread("aaa")], "99")) == ["aab"]


def test_even_sets_stay() -> None:
    problem = given([spread("aab"), spread("abb"), spread("c")], "999")
    answer = solve(given([spread("aab"), spread("abb")], "99"))
    assert answer.counts == {}
    assert score(problem, solve(problem)).moves == 2  # c is empty for the first two


def test_a_full_host_is_left_out() -> None:
    assert after(given([spread("aaaa")], "901")) == ["aaac"]


def test_a_closed_host_takes_nobody_but_keeps_its_own() -> None:
    assert after(given([spread("aaaab")], "999", closed="b")) == ["aabcc"]


def test_only_allowed_hosts() -> None:
    assert after(given([spread("aaa", allowed="ab")], "999")) == ["aab"]


def test_pinned_members_count_but_stay() -> None:
    assert after(given([spread("aaa", fixed="bb")], "999")) == ["aac"]


def test_an_overcommitted_host_gets_nobody() -> None:
    problem = given([spread("aaa")], "90")
    worse = SpreadProblem([0, 1], [9, -2], [True, True], [0, 0], problem.sets)
    assert after(worse) == ["aaa"]


def test_rack_first_then_host() -> None:
    racks = "xxyy"
    assert after(given([spread("aaab", "rack host")], "9999", racks)) == ["abcd"]
    assert after(given([spread("aab", "rack")], "9999", racks))[0].count("c") <= 1


def test_rack_only_sets_still_prefer_apart_when_they_move_anyway() -> None:
    assert after(given([spread("aabb", "rack")], "9999", "xxyy")) == ["abcd"]


def test_members_go_home() -> None:
    assert after(given([spread("aa", native="a", away="c")], "999")) == ["ac"]


def test_the_stranger_leaves_and_the_native_stays() -> None:
    # Two racks; two members too many in the first: whose home it is, stays.
    problem = given([spread("ab", "rack", native="a", away="c")], "9999", "xxyy")
    assert after(problem) == ["ac"]


def test_least_loaded_host_of_those_that_are_as_good() -> None:
    problem = given([spread("aa")], "999")
    loaded = SpreadProblem(problem.rack_of, problem.slots, problem.accepts, [0, 5, 1], problem.sets)
    assert after(loaded) == ["ac"]


def test_arrivals_share_the_load() -> None:
    sets = [spread("ab", "rack") for _ in range(6)]
    problem = given(sets, "000999", "xxxyyy")
    landed = Counter("".join(after(problem)))
    assert sorted(landed[host] for host in "def") == [2, 2, 2]


def test_others_make_way() -> None:
    """Host b is full of a set that is as even elsewhere."""
    assert after(given([spread("aaa"), spread("b")], "901")) == ["abc", "a"]
    sets = [spread("aaa", allowed="ab"), spread("b")]
    assert after(given(sets, "901")) == ["aab", "c"]


def test_swap_without_any_free_slot() -> None:
    sets = [spread("aa"), spread("bb")]
    assert sorted(after(given(sets, "00"))) == ["ab", "ab"]


def test_the_more_skewed_set_gets_the_last_slot() -> None:
    sets = [spread("aa", allowed="ab"), spread("aaa", allowed="ab")]
    assert after(given(sets, "91")) == ["aa", "aab"]


def test_a_light_set_makes_way_rather_than_a_heavy_one() -> None:
    sets = [spread("aa", allowed="ab"), spread("b", weight=4), spread("b", weight=1)]
    assert after(given(sets, "909")) == ["ab", "b", "c"]


def test_no_set_becomes_less_even_for_another() -> None:
    """The sum of squares would gain if the even set gave up its place on b."""
    sets = [spread("aaa", allowed="ab"), spread("ab", allowed="ab")]
    problem = given(sets, "00")
    answer = solve(problem)
    assert answer.counts.get(1, on("ab")) == on("ab")
    assert answer.held == (1,)
    assert prove(problem, answer).holds


@pytest.mark.parametrize("sets", [[], [SetSpread({})], [SetSpread({}, fixed={0: 3})]])
def test_nothing_in_play(sets: list[SetSpread]) -> None:
    answer = solve(SpreadProblem([0, 0], [1, 1], [True, True], [0, 0], sets))
    assert answer == SpreadAnswer({})


def test_no_hosts() -> None:
    assert solve(SpreadProblem([], [], [], [], [])) == SpreadAnswer({})


def test_changes_name_departures_and_arrivals() -> None:
    problem = given([spread("b"), spread("aaa")], "999")
    (change,) = [c for c in changes(problem, solve(problem)) if c.leave]
    assert change.set_index == 1
    assert change.leave == ((0, 2),)
    assert change.arrive == ((1, 1), (2, 1))


def scrambled(hosts: int, racks: int, members: int, share: float, seed: int) -> SpreadProblem:
    """Members anywhere, so that nearly every set is uneven; ``share`` of all slots taken."""
    rng = random.Random(seed)
    total = round(members / share)
    seats = [host % hosts for host in range(total)]
    rng.shuffle(seats)
    slots = Counter(seats[members:])
    sets = []
    left = seats[:members]
    while left:
        size = min(len(left), rng.randint(3, 30))
        levels = rng.choice(("rack", "host", "rack host"))
        current = dict(Counter(left[:size]))
        sets.append(SetSpread(current, rack="rack" in levels, host="host" in levels))
        left = left[size:]
    return SpreadProblem(
        rack_of=[host * racks // hosts for host in range(hosts)],
        slots=[slots[host] for host in range(hosts)],
        accepts=[True] * hosts,
        load=[0] * hosts,
        sets=sets,
    )


@pytest.mark.parametrize("share", [0.7, 0.95, 1.0])
def test_large_and_full_groups_are_proved(share: float) -> None:
    problem = scrambled(60, 6, 700, share, seed=3)
    answer = solve(problem)
    proof = prove(problem, answer)
    assert proof.holds
    assert proof.moves >= least_moves_alone(problem)
    if share < 0.9:
        assert proof.method == "closed-form"


def test_levels_that_do_not_fit_one_cost_are_settled_one_after_the_other() -> None:
    problem = scrambled(40, 4, 300, 0.98, seed=5)
    data = arrays(problem)
    game = play(data, uneven(data))
    assert len(passes(game)) < len(passes(game, limit=1)) == 5
    assert score(problem, solve(problem)) == score(problem, solve(problem, limit=1))


@pytest.mark.parametrize("share", [0.7, 1.0])
@pytest.mark.parametrize("work", [0.0, 0.02, 0.2])
def test_when_the_work_ends_the_answer_is_sound_and_says_so(share: float, work: float) -> None:
    problem = scrambled(60, 6, 700, share, seed=3)
    answer = solve(problem, work=work)
    assert faults(problem, answer) == ()
    assert score(problem, answer)[:2] <= score(problem, SpreadAnswer({}))[:2]
    assert answer == solve(problem, work=work)
    if not work:
        assert not answer.best


def test_numbers_out_of_the_range_of_the_solver_are_no_answer() -> None:
    problem = scrambled(20, 4, 100, 0.9, seed=1)
    data = arrays(problem)
    game = play(data, uneven(data))
    flow = descend(game)
    assert improved(flow, Costs(game, Score(1 << 30, 1, 1, 0, 0, 0))) is not None
    assert improved(flow, Costs(game, Score(1 << 54, 1, 1, 0, 0, 0))) is None


def test_loads_beyond_reason_only_break_ties() -> None:
    problem = given([spread("aa")], "999")
    loads = [-(10**15), 10**15, 10**12]
    heavy = SpreadProblem(problem.rack_of, problem.slots, problem.accepts, loads, problem.sets)
    assert after(heavy)[0] in ("ab", "ac")


SCRIPT = """
from tests.planners.test_flow import scrambled
from frota.planners.placement.flow import solve
print(repr(solve(scrambled(40, 4, 400, 0.97, seed=9))))
"""


def test_same_bytes_whatever_the_hash_seed() -> None:
    root = Path(__file__).parents[2]
    told = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            cwd=root,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": f"{root}/src:{root}"},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "4711")
    }
    assert len(told) == 1

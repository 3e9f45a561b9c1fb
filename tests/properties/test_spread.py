"""The joint spread against brute force, against CP-SAT, and against its certificate."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frota.model.host import Capacity, Size
from frota.planners.placement import exact
from frota.planners.placement.alone import SETS_MOST, alone
from frota.planners.placement.bounds import Bounds
from frota.planners.placement.certificate import faults, prove
from frota.planners.placement.evenness import even_counts, is_even, least_moves, sum_of_squares
from frota.planners.placement.flow import solve
from frota.planners.placement.residue import Mover, Residue
from frota.planners.placement.spreadproblem import (
    SetSpread,
    SpreadAnswer,
    SpreadProblem,
    changes,
    score,
    vector,
)
from tests.properties.spreads import answers, best_score, problems, ways

NOTHING = SpreadAnswer({})


@settings(max_examples=200)
@given(problems())
def test_best_of_all_assignments(problem: SpreadProblem) -> None:
    answer = solve(problem)
    assert faults(problem, answer) == ()
    assert score(problem, answer) == best_score(problem, answer.held)


@settings(max_examples=300)
@given(problems())
def test_one_uneven_set_is_spread_as_the_flow_spreads_it(problem: SpreadProblem) -> None:
    found = alone(problem)
    if found is not None:
        crowd = [SetSpread({})] * SETS_MOST  # so many sets are for the flow
        assert solve(replace(problem, sets=[*problem.sets, *crowd])).counts == dict([found])
        assert score(problem, SpreadAnswer(dict([found]))) == best_score(problem)


@settings(max_examples=100)
@given(problems())
def test_certificate_accepts_the_answer(problem: SpreadProblem) -> None:
    answer = solve(problem)
    proof = prove(problem, answer)
    assert proof.holds
    assert proof.bound == proof.moves


@settings(max_examples=200)
@given(problems(), st.randoms(use_true_random=False))
def test_certificate_holds_for_the_best_and_no_other(
    problem: SpreadProblem, rng: random.Random
) -> None:
    held = solve(problem).held
    sound = [answer for answer in answers(problem, held) if not faults(problem, answer)]
    best = min(score(problem, answer) for answer in sound)
    for answer in rng.sample(sound, min(8, len(sound))):
        mine = score(problem, answer)
        if mine == best:
            assert prove(problem, answer).holds
        elif mine[:3] > best[:3]:
            assert not prove(problem, answer).holds


@settings(max_examples=100)
@given(problems())
def test_bound_of_each_set_alone(problem: SpreadProblem) -> None:
    bounds = Bounds(problem)
    for index, item in enumerate(problem.sets):
        found = [
            (
                *vector(problem, index, counts),
                sum(max(0, count - item.current.get(host, 0)) for host, count in counts.items()),
            )
            for counts in ways(problem, item)
        ]
        assert bounds.alone(index) == min(found)


@settings(max_examples=100)
@given(problems())
def test_a_second_look_finds_nothing_more(problem: SpreadProblem) -> None:
    """Solving the solved problem moves nobody: no plan, no move."""
    answer = solve(problem)
    if answer.held:
        return
    on_host = [0] * len(problem.rack_of)
    for index, item in enumerate(problem.sets):
        for host, count in item.current.items():
            on_host[host] += count
        for host, count in answer.of(problem, index).items():
            on_host[host] -= count
    after = SpreadProblem(
        rack_of=problem.rack_of,
        slots=[s + by if s >= 0 else s for s, by in zip(problem.slots, on_host, strict=True)],
        accepts=problem.accepts,
        load=problem.load,
        sets=[
            SetSpread(
                current=answer.of(problem, index),
                rack=item.rack,
                host=item.host,
                fixed=item.fixed,
                allowed=item.allowed,
                weight=item.weight,
            )
            for index, item in enumerate(problem.sets)
        ],
    )
    assert all(not (c.leave or c.arrive) for c in changes(after, solve(after)))


def crowded(seed: int) -> SpreadProblem:
    """Up to 20 hosts with hardly any room, sets of 2 to 7 anywhere."""
    rng = random.Random(seed)
    hosts = rng.randint(5, 20)
    seats = [host for host in range(hosts) for _ in range(3)]
    rng.shuffle(seats)
    free = rng.randint(0, hosts // 2)
    slots = [0] * hosts
    for host in seats[:free]:
        slots[host] += 1
    sets = []
    rest = seats[free:]
    while rest:
        size = min(len(rest), rng.randint(2, 7))
        current: dict[int, int] = {}
        for host in rest[:size]:
            current[host] = current.get(host, 0) + 1
        rack, host = rng.choice([(True, False), (False, True), (True, True)])
        sets.append(SetSpread(current=current, rack=rack, host=host))
        rest = rest[size:]
    return SpreadProblem(
        rack_of=[host % rng.randint(2, 4) for host in range(hosts)],
        slots=slots,
        accepts=[True] * hosts,
        load=[0] * hosts,
        sets=sets,
    )


@pytest.mark.parametrize("seed", range(12))
def test_same_as_cp_sat_when_room_binds(seed: int) -> None:
    problem = crowded(seed)
    answer = solve(problem)
    size = Size(1, 1)
    movers = [
        Mover(set=index, size=size, host=host)
        for index, item in enumerate(problem.sets)
        for host, count in sorted(item.current.items())
        for _ in range(count)
    ]
    residue = Residue(
        movers=tuple(movers),
        room=(Capacity(3, 3, 3),) * len(problem.rack_of),
        rack_of=tuple(problem.rack_of),
        seated=((),) * len(problem.sets),
        levels=tuple((item.rack, item.host) for item in problem.sets),
    )
    found = exact.assign(residue, 20.0)
    assert found is not None
    counts: dict[int, dict[int, int]] = {}
    for mover, host in zip(movers, found.hosts, strict=True):
        mine = counts.setdefault(mover.set, {})
        mine[host] = mine.get(host, 0) + 1
    other = score(problem, SpreadAnswer(counts))
    if found.best and not answer.held:
        assert score(problem, answer)[:3] == other[:3]
    elif not answer.held:
        assert score(problem, answer)[:3] <= other[:3]
    assert prove(problem, answer).holds


@given(st.lists(st.integers(0, 12), min_size=1, max_size=6))
def test_closed_form_of_the_specification(counts: list[int]) -> None:
    """moves = max(sum over ceil, sum under floor), and targets differ by one at most."""
    total, domains = sum(counts), len(counts)
    low, high = total // domains, -(-total // domains)
    moves = max(sum(max(0, c - high) for c in counts), sum(max(0, low - c) for c in counts))
    assert least_moves(counts) == moves
    assert set(even_counts(counts)) <= {low, high}


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5)),
        min_size=1,
        max_size=4,
    )
)
def test_even_counts_are_the_least_squares_in_the_fewest_moves(
    domains: list[tuple[int, int, int]],
) -> None:
    counts = [count for count, _, _ in domains]
    floors = [max(0, count - can_leave) for count, can_leave, _ in domains]
    caps = [count + room for count, _, room in domains]
    choices = _vectors(floors, caps, sum(counts))

    def moves(vector_: tuple[int, ...]) -> int:
        return sum(max(0, c - new) for c, new in zip(counts, vector_, strict=True))

    best = min((sum_of_squares(choice), moves(choice)) for choice in choices)
    found = even_counts(counts, floors, caps)
    assert (sum_of_squares(found), moves(found)) == best
    assert least_moves(counts, floors, caps) == best[1]
    assert is_even(counts, floors, caps) == (sum_of_squares(counts) == best[0])


def _vectors(floors: list[int], caps: list[int], total: int) -> list[tuple[int, ...]]:
    if not floors:
        return [()] if total == 0 else []
    return [
        (first, *rest)
        for first in range(floors[0], min(caps[0], total) + 1)
        for rest in _vectors(floors[1:], caps[1:], total - first)
    ]

"""The formula for the fewest moves of one set agrees with the greedy answer."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from frota.planners.placement.bounds import Bounds, least_moves_alone
from frota.planners.placement.spreadproblem import SetSpread, SpreadProblem
from tests.properties.spreads import problems


@st.composite
def crowded(draw: st.DrawFn) -> SpreadProblem:
    """Up to 16 hosts, mostly open, sets of up to 20 members on some of them."""
    rng = random.Random(draw(st.integers(0, 2**32)))
    hosts = rng.randint(1, 16)
    rack_of = [rng.randrange(rng.choice((1, 2, 4, hosts))) for _ in range(hosts)]
    sets = []
    for _ in range(rng.randint(1, 4)):
        places = rng.sample(range(hosts), rng.randint(1, hosts))
        current: dict[int, int] = {}
        for _ in range(rng.randint(0, 20)):
            place = rng.choice(places)
            current[place] = 1 if rng.random() < 0.3 else current.get(place, 0) + 1
        rack, host = rng.choice(((True, False), (False, True), (True, True), (False, False)))
        sets.append(SetSpread(current, rack=rack, host=host))
    accepts = [rng.random() < 0.95 for _ in range(hosts)]
    return SpreadProblem(rack_of, [20] * hosts, accepts, [0] * hosts, sets)


@given(st.one_of(problems(), crowded()))
def test_formula_and_greedy_agree(problem: SpreadProblem) -> None:
    bounds = Bounds(problem)
    greedy = [bounds.alone(index).moves for index in range(len(problem.sets))]
    assert [bounds.moves(index) for index in range(len(problem.sets))] == greedy
    assert least_moves_alone(problem) == sum(greedy)

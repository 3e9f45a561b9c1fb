"""Small spread problems at random, and their best answers by trying everything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product

from hypothesis import strategies as st

from frota.planners.placement.spreadproblem import (
    Score,
    SetSpread,
    SpreadAnswer,
    SpreadProblem,
    score,
)

HOSTS, MEMBERS, SETS = 4, 8, 3


@st.composite
def set_spreads(draw: st.DrawFn, hosts: int, most: int) -> SetSpread:
    """One set of up to ``most`` members in play, often crowded on the first host."""
    place = st.integers(0, hosts - 1)
    seats = draw(st.lists(st.one_of(st.just(0), place), max_size=most))
    homes = draw(st.lists(place, min_size=len(seats), max_size=len(seats)))
    stray = draw(st.booleans())
    current: dict[int, int] = {}
    native: dict[int, int] = {}
    away: dict[int, int] = {}
    for seat, home in zip(seats, homes if stray else seats, strict=True):
        current[seat] = current.get(seat, 0) + 1
        side = native if seat == home else away
        side[home] = side.get(home, 0) + 1
    return SetSpread(
        current=current,
        rack=draw(st.booleans()),
        host=draw(st.booleans()),
        fixed=draw(st.dictionaries(place, st.integers(1, 2), max_size=1)),
        allowed=draw(st.one_of(st.none(), st.frozensets(place))),
        weight=draw(st.sampled_from((1, 1, 2, 5))),
        native=native,
        away=away,
    )


@st.composite
def problems(draw: st.DrawFn) -> SpreadProblem:
    """Up to 4 hosts and 8 members, with little room, closed hosts and fixed members."""
    hosts = draw(st.integers(1, HOSTS))

    def each(values: st.SearchStrategy[int]) -> list[int]:
        return draw(st.lists(values, min_size=hosts, max_size=hosts))

    sets = []
    left = MEMBERS
    for _ in range(draw(st.integers(1, SETS))):
        sets.append(draw(set_spreads(hosts, min(4, left))))
        left -= sum(sets[-1].current.values())
    return SpreadProblem(
        rack_of=each(st.integers(0, hosts - 1)),
        slots=each(st.sampled_from((0, 0, 0, 1, 2, 5, -1))),
        accepts=[bool(value) for value in each(st.sampled_from((1, 1, 1, 1, 0)))],
        load=each(st.sampled_from((0, 0, 1, 3))),
        sets=sets,
    )


def ways(problem: SpreadProblem, item: SetSpread) -> list[Mapping[int, int]]:
    """All counts that one set could have."""

    def most(host: int) -> int:
        taken = problem.accepts[host] and problem.slots[host] >= 0
        barred = item.allowed is not None and host not in item.allowed
        return item.current.get(host, 0) if barred or not taken else MEMBERS

    def rest(host: int, left: int) -> Iterator[dict[int, int]]:
        if host == len(problem.rack_of):
            if not left:
                yield {}
            return
        for count in range(min(left, most(host)) + 1):
            for others in rest(host + 1, left - count):
                yield {host: count, **others} if count else others

    return list(rest(0, sum(item.current.values())))


def answers(problem: SpreadProblem, held: tuple[int, ...] = ()) -> Iterator[SpreadAnswer]:
    """All answers that keep to the room of the hosts, with some sets held."""
    room = [max(0, slots) for slots in problem.slots]
    for item in problem.sets:
        for host, count in item.current.items():
            room[host] += count
    choices = [
        [item.current] if index in held else ways(problem, item)
        for index, item in enumerate(problem.sets)
    ]
    for combination in product(*choices):
        used = [0] * len(room)
        for counts in combination:
            for host, count in counts.items():
                used[host] += count
        if all(taken <= most for taken, most in zip(used, room, strict=True)):
            yield SpreadAnswer(dict(enumerate(combination)), held)


def best_score(problem: SpreadProblem, held: tuple[int, ...] = ()) -> Score:
    """The best score there is, by trying everything."""
    return min(score(problem, answer) for answer in answers(problem, held))

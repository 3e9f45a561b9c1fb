from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from frota.model.lease import Lease
from frota.ports.store import StoreError, StoreFull, Write
from frota.runtime.lease import KIND, Leases
from frota.store.memory import MemoryStore
from tests.runtime.virtual import VirtualClock


class Pair:
    """Two controllers on one store, each with a clock of its own."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.clocks = VirtualClock(1000.0), VirtualClock(88_000.0)
        self.one = Leases(self.store, self.clocks[0], "one")
        self.two = Leases(self.store, self.clocks[1], "two")

    def pass_time(self, seconds: float) -> None:
        for clock in self.clocks:
            clock.time += seconds

    def stored(self) -> Lease:
        entry = self.store.get(KIND, "g")
        assert entry is not None
        lease: Lease = entry.value
        return lease


@pytest.fixture
def pair() -> Pair:
    return Pair()


def test_the_first_takes_it_and_the_second_waits(pair: Pair) -> None:
    standing = pair.one.ensure("g")
    assert (standing.held, standing.term, standing.holder) == (True, 1, "one")
    assert pair.one.held("g")
    other = pair.two.ensure("g")
    assert (other.held, other.term, other.holder) == (False, 1, "one")
    assert other.again_at == 88_020.0
    assert not pair.two.held("g")
    assert pair.two.ensure("h").held, "groups have leases of their own"


def test_renewing_writes_only_when_it_must(pair: Pair) -> None:
    standing = pair.one.ensure("g")
    revision = pair.store.changes(0)[1]
    pair.pass_time(1)
    assert pair.one.ensure("g") == standing
    assert pair.store.changes(0)[1] == revision
    pair.pass_time(standing.again_at - pair.clocks[0].time)
    assert pair.one.ensure("g").again_at > standing.again_at
    assert pair.store.changes(0)[1] == revision + 1
    assert pair.stored().acquired == 1000.0


def test_all_that_are_held_are_renewed_in_one_commit(pair: Pair) -> None:
    for group in "ghi":
        assert pair.one.ensure(group).held
        pair.pass_time(0.5)
    pair.store.commit([Write(KIND, "h", None, None)])
    pair.pass_time(5.5)
    revision = pair.store.changes(0)[1]
    renewed = pair.one.ensure("g").again_at
    assert pair.one.ensure("i").again_at == renewed
    assert pair.store.changes(0)[1] == revision + 1
    assert pair.store.get(KIND, "h") is None, "what somebody wrote is left alone"


def test_a_holder_that_renews_keeps_it_for_ever(pair: Pair) -> None:
    for _ in range(50):
        assert pair.one.ensure("g").held
        assert not pair.two.ensure("g").held
        pair.pass_time(7)
    assert pair.stored().term == 1


def test_a_dead_holder_is_followed_after_its_time(pair: Pair) -> None:
    pair.one.ensure("g")
    pair.pass_time(100)  # nobody looked: the time counts from the first look
    assert not pair.two.ensure("g").held
    pair.pass_time(19.9)
    assert not pair.two.ensure("g").held
    pair.pass_time(0.2)
    standing = pair.two.ensure("g")
    assert (standing.held, standing.term) == (True, 2)
    assert not pair.one.held("g")
    assert not pair.one.ensure("g").held


def test_a_holder_knows_that_it_lost_before_another_takes_it(pair: Pair) -> None:
    pair.one.ensure("g")
    pair.two.ensure("g")
    pair.pass_time(18.1)
    assert not pair.one.held("g")
    assert not pair.two.ensure("g").held


def test_alone_on_the_store_a_dead_ones_lease_is_taken_at_once(pair: Pair) -> None:
    pair.one.ensure("g")
    restarted = Leases(pair.store, pair.clocks[0], "one, next life", alone=True)
    standing = restarted.ensure("g")
    assert (standing.held, standing.term) == (True, 2)


def test_letting_go_lets_another_in_at_once(pair: Pair) -> None:
    pair.one.ensure("g")
    pair.one.release("g")
    pair.one.release("g")
    assert not pair.one.held("g")
    standing = pair.two.ensure("g")
    assert (standing.held, standing.term) == (True, 2)
    pair.one.release("g")
    assert pair.two.held("g")
    assert pair.stored().holder == "two"


def test_letting_go_late_takes_nothing_from_the_next(pair: Pair) -> None:
    pair.one.ensure("g")
    pair.two.ensure("g")
    pair.pass_time(21)
    assert pair.two.ensure("g").held
    pair.one.release("g")
    assert pair.stored().holder == "two"


def test_a_store_that_cannot_be_written_ends_it_only_with_its_time() -> None:
    class Full(MemoryStore):
        full = False

        def commit(self, *arguments: object, **named: object) -> int:
            if self.full:
                raise StoreFull("the disk is full")
            return super().commit(*arguments, **named)  # type: ignore[arg-type]  # passed through

    store, clock = Full(), VirtualClock()
    leases = Leases(store, clock, "one")
    leases.ensure("g")
    store.full = True
    clock.time += 10
    with pytest.raises(StoreError):
        leases.ensure("g")
    assert leases.held("g")
    clock.time += 10
    assert not leases.held("g")
    store.full = False
    assert leases.ensure("g").held


def test_a_lease_deleted_by_hand_is_taken_anew(pair: Pair) -> None:
    pair.one.ensure("g")
    pair.store.commit([Write(KIND, "g", None, None)])
    pair.pass_time(10)
    assert pair.one.ensure("g").held


class Contention(RuleBasedStateMachine):
    """Controllers that ask, pause, die and let go at random: never two hold one lease."""

    def __init__(self) -> None:
        super().__init__()
        self.store = MemoryStore()
        self.clocks = [VirtualClock(1000.0 * (number + 1)) for number in range(3)]
        self.lives = 0
        self.leases = [self.new(number) for number in range(3)]
        self.terms: dict[str, list[int]] = {"g": [], "h": []}

    def new(self, number: int) -> Leases:
        self.lives += 1
        return Leases(self.store, self.clocks[number], f"life {self.lives}")

    @rule(who=st.integers(0, 2), group=st.sampled_from("gh"))
    def ask(self, who: int, group: str) -> None:
        standing = self.leases[who].ensure(group)
        assert standing.again_at > self.clocks[who].now()
        if standing.held:
            assert self.leases[who].held(group)
            self.terms[group].append(standing.term)

    @rule(seconds=st.floats(0, 25))
    def time_passes(self, seconds: float) -> None:
        for clock in self.clocks:
            clock.time += seconds

    @rule(who=st.integers(0, 2))
    def dies(self, who: int) -> None:
        self.leases[who] = self.new(who)

    @rule(who=st.integers(0, 2), group=st.sampled_from("gh"))
    def lets_go(self, who: int, group: str) -> None:
        self.leases[who].release(group)

    @invariant()
    def at_most_one_holds(self) -> None:
        for group in self.terms:
            assert sum(leases.held(group) for leases in self.leases) <= 1

    @invariant()
    def terms_never_go_back(self) -> None:
        for terms in self.terms.values():
            assert terms == sorted(terms)


TestContention = Contention.TestCase
TestContention.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)

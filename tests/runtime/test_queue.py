from __future__ import annotations

from random import Random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from frota.runtime.backoff import Backoff
from frota.runtime.queue import QueueFull, WorkQueue


@pytest.fixture
def queue() -> WorkQueue:
    return WorkQueue(Random(1), Backoff(first=1.0, most=8.0))


def test_keys_come_out_when_due_and_earliest_first(queue: WorkQueue) -> None:
    queue.add("late", 30.0)
    queue.add("soon", 10.0)
    queue.add("now", 5.0)
    assert queue.next_due() == 5.0
    assert queue.pop_due(4.9) is None
    assert [queue.pop_due(20.0), queue.pop_due(20.0), queue.pop_due(20.0)] == ["now", "soon", None]
    assert queue.next_due() == 30.0
    assert len(queue) == 1


def test_keys_due_together_come_in_the_order_they_were_asked_for(queue: WorkQueue) -> None:
    for key in ("c", "a", "b"):
        queue.add(key, 1.0)
    assert [queue.pop_due(1.0) for _ in "abc"] == ["c", "a", "b"]


def test_many_requests_are_one_at_the_earliest_time(queue: WorkQueue) -> None:
    for at in (30.0, 10.0, 20.0):
        queue.add("a", at)
    assert len(queue) == 1
    assert queue.pop_due(10.0) == "a"
    queue.done("a")
    assert queue.next_due() is None
    assert queue.pop_due(1e9) is None


def test_a_request_while_the_key_runs_makes_it_run_again(queue: WorkQueue) -> None:
    queue.add("a", 0.0)
    assert queue.pop_due(0.0) == "a"
    queue.add("a", 1.0)
    assert queue.pop_due(100.0) is None, "never twice at once"
    queue.done("a", again_at=50.0)
    assert queue.next_due() == 1.0
    assert queue.pop_due(1.0) == "a"
    queue.done("a")
    assert queue.next_due() is None


def test_done_comes_back_when_it_said(queue: WorkQueue) -> None:
    queue.add("a", 0.0)
    queue.pop_due(0.0)
    queue.done("a", again_at=900.0)
    assert queue.next_due() == 900.0
    queue.add("a", 3.0)
    assert queue.next_due() == 3.0


def test_failures_back_off_and_requests_do_not_shorten_that(queue: WorkQueue) -> None:
    queue.add("a", 0.0)
    now = 0.0
    for failures in range(1, 12):
        assert queue.pop_due(now) == "a"
        queue.add("a", now)  # its own writes come back as events
        again = queue.failed("a", now)
        assert now + 1.0 <= again <= now + min(8.0, 2.0**failures)
        assert queue.failures("a") == failures
        queue.add("a", now)
        assert queue.next_due() == again
        now = again
    queue.pop_due(now)
    queue.done("a")
    assert queue.failures("a") == 0
    queue.add("a", now)
    assert queue.next_due() == now


def test_one_key_that_fails_holds_up_no_other(queue: WorkQueue) -> None:
    queue.add("bad", 0.0)
    queue.add("good", 0.0)
    assert queue.pop_due(0.0) == "bad"
    queue.failed("bad", 0.0)
    assert queue.pop_due(0.0) == "good"


def test_the_number_of_keys_is_bounded() -> None:
    queue = WorkQueue(Random(1), limit=2)
    queue.add("a", 0.0)
    queue.add("b", 0.0)
    queue.add("a", 0.0)
    with pytest.raises(QueueFull, match="no room for c: the queue was made for 2 keys"):
        queue.add("c", 0.0)
    assert queue.pop_due(0.0) == "a"
    with pytest.raises(QueueFull):
        queue.add("c", 0.0)
    queue.done("a")
    queue.add("c", 0.0)


@pytest.mark.parametrize("give_back", ["done", "failed"])
def test_giving_back_what_is_not_out_is_a_mistake(queue: WorkQueue, give_back: str) -> None:
    queue.add("a", 0.0)
    with pytest.raises(ValueError, match="a was given back but is not running"):
        queue.done("a") if give_back == "done" else queue.failed("a", 0.0)


def test_requests_for_ever_take_no_more_room(queue: WorkQueue) -> None:
    for number in range(10_000):
        queue.add("a", 1e9 - number)
    assert len(queue._heap) < 200


KEYS = st.sampled_from("abcd")
TIMES = st.floats(0, 20)


class QueueModel(RuleBasedStateMachine):
    """Against a plain dictionary of due times."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = WorkQueue(Random(1), Backoff(first=1.0, most=8.0))
        self.now = 0.0
        self.due: dict[str, float] = {}  # also what was asked of keys that run
        self.running: set[str] = set()
        self.floor: dict[str, float] = {}

    @rule(key=KEYS, after=TIMES)
    def add(self, key: str, after: float) -> None:
        self.queue.add(key, self.now + after)
        at = max(self.now + after, self.floor.get(key, 0.0))
        self.due[key] = min(at, self.due.get(key, at))

    @rule(seconds=TIMES)
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def pop(self) -> None:
        ready = {key: at for key, at in self.waiting().items() if at <= self.now}
        key = self.queue.pop_due(self.now)
        assert (key is None) == (not ready)
        if key is not None:
            assert ready[key] == min(ready.values())
            del self.due[key]
            self.running.add(key)

    @precondition(lambda self: self.running)
    @rule(data=st.data(), again=st.none() | TIMES)
    def done(self, data: st.DataObject, again: float | None) -> None:
        key = data.draw(st.sampled_from(sorted(self.running)))
        at = None if again is None else self.now + again
        self.queue.done(key, at)
        self.running.remove(key)
        self.floor.pop(key, None)
        if at is not None:
            self.due[key] = min(at, self.due.get(key, at))

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def failed(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.running)))
        self.due[key] = self.floor[key] = self.queue.failed(key, self.now)
        assert self.now + 1.0 <= self.due[key] <= self.now + 8.0
        self.running.remove(key)

    @invariant()
    def agrees(self) -> None:
        waiting = self.waiting()
        assert len(self.queue) == len(waiting)
        assert self.queue.next_due() == min(waiting.values(), default=None)

    def waiting(self) -> dict[str, float]:
        return {key: at for key, at in self.due.items() if key not in self.running}


TestQueueModel = QueueModel.TestCase
TestQueueModel.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


@pytest.mark.parametrize("meanwhile", [True, False])
def test_what_is_to_be_done_at_once_waits_for_no_rest(queue: WorkQueue, meanwhile: bool) -> None:
    queue.add("a", 1.0)
    assert queue.pop_due(1.0) == "a"
    queue.add("a", 1.0)
    if meanwhile:
        queue.add("a", 1.5, at_once=True)
    queue.done("a", rests_until=5.0)
    if not meanwhile:
        queue.add("a", 1.5, at_once=True)
    assert queue.next_due() is not None
    assert queue.pop_due(1.5) == "a"
    queue.add("a", 2.0)
    queue.done("a", rests_until=6.0)
    assert queue.next_due() == 6.0, "only once"
    queue.pop_due(6.0)
    until = queue.failed("a", 6.0)
    queue.add("a", 6.0, at_once=True)
    assert queue.next_due() == until, "a failure is waited for all the same"


def test_a_key_rests_whatever_asks_for_it(queue: WorkQueue) -> None:
    queue.add("a", 1.0)
    assert queue.pop_due(1.0) == "a"
    queue.add("a", 1.0)
    queue.done("a", 2.0, rests_until=5.0)
    queue.add("a", 3.0)
    assert queue.next_due() == 5.0
    assert queue.pop_due(5.0) == "a"
    queue.done("a", 7.0)
    queue.add("a", 6.0)
    assert queue.next_due() == 6.0


def test_a_key_is_pressed_when_it_was_asked_for_while_it_rested(queue: WorkQueue) -> None:
    def run(*asked: float, begins: float, at_once: bool = False) -> bool:
        for at in asked:
            queue.add("a", at, at_once=at_once)
        assert queue.pop_due(begins) == "a"
        found = queue.pressed("a")
        queue.done("a", 100.0, rests_until=begins + 2.0)
        return found

    assert not run(1.0, begins=1.0)
    assert run(1.5, 2.5, begins=3.0), "it waited for the end of the rest"
    assert not run(6.0, begins=6.0), "the rest was over"
    assert not run(6.5, begins=6.5, at_once=True), "it waited for nothing"
    queue.add("a", 9.0)
    assert queue.pop_due(9.0) == "a"
    queue.add("a", 9.5)
    queue.done("a", rests_until=11.0)
    assert queue.pop_due(11.0) == "a"
    assert queue.pressed("a"), "asked for while it ran"

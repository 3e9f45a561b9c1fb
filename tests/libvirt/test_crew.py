"""Operations in threads: bounded, given up, told of once. Time is moved by hand."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from frota.drivers.libvirt.crew import HANDS, QUEUE_MOST, SILENT_S, THREADS_MOST, Crew, Task
from frota.drivers.libvirt.fault import Abandoned, Fault, Kind, Refused, Silent
from frota.drivers.libvirt.pulse import Beat, Pulse
from frota.model.sight import Outcome
from frota.model.vm import Operation, Verb
from tests.libvirt.daemon import WAIT_S, ManualClock

DEADLINE_S = 60.0


class Works:
    """A crew whose operations do what the test says: end, raise, or hang."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.pulse = Pulse(self.clock, math.inf)
        self.silences: dict[str, float] = {}
        self.ends: dict[str, BaseException | None] = {}
        self.flow = threading.Event()
        self.began: list[str] = []
        self.touched: list[str] = []
        self.aborted: list[str] = []
        self._news = threading.Condition()
        self.crew = Crew(self.work, self.silence, lambda: Beat(self.pulse), self.changed)

    def silence(self, host: str) -> float:
        return self.silences.get(host, 0.0)

    def changed(self) -> None:
        with self._news:
            self._news.notify_all()

    def work(self, task: Task) -> None:
        name = task.operation.id
        self.began.append(name)
        self.changed()
        if name not in self.ends:
            self.flow.wait(WAIT_S)
        task.check()
        self.touched.append(name)
        end = self.ends.get(name)
        if end is not None:
            raise end

    def take(self, name: str, host: str = "a") -> Task:
        task = Task(Operation(name, Verb.LIVE, name), None, host, DEADLINE_S)
        self.crew.take(task)
        return task

    def wait(self, condition: Callable[[], bool]) -> None:
        with self._news:
            assert self._news.wait_for(condition, WAIT_S), "it never came"

    def outcome(self, name: str) -> Outcome:
        self.wait(lambda: any(item.operation == name for item in self.crew.outcomes()))
        return next(item for item in self.crew.outcomes() if item.operation == name)


def began(works: Works, count: int) -> bool:
    return len(works.began) == count


@pytest.fixture
def works() -> Iterator[Works]:
    stage = Works()
    yield stage
    stage.crew.close()
    stage.flow.set()


@pytest.mark.parametrize(
    ("end", "outcome"),
    [
        (None, Outcome("x")),
        (Refused("no room"), Outcome("x", "no room")),
        (Silent("a is silent"), Outcome("x", "a is silent", unknown=True)),
        (Fault(Kind.OTHER, "qemu said no"), Outcome("x", "qemu said no")),
        (Fault(Kind.LOST, "it broke"), Outcome("x", "it broke", unknown=True)),
        (Abandoned(), Outcome("x", "it was given up", unknown=True)),
        (KeyError("y"), Outcome("x", "this driver failed: KeyError('y')", unknown=True)),
    ],
)
def test_ends(works: Works, end: BaseException | None, outcome: Outcome) -> None:
    works.ends["x"] = end
    works.take("x")
    assert works.outcome("x") == outcome
    works.crew.settle("x")
    assert not works.crew.outcomes()
    assert works.crew.find("x") is None


def test_an_id_is_done_once(works: Works) -> None:
    works.take("x")
    works.take("x")
    works.crew.settle("x")  # not ended: stays
    works.flow.set()
    works.outcome("x")
    works.take("x")
    assert works.began == ["x"]


def test_few_hands_and_nobody_hinders_another_host(works: Works) -> None:
    for number in range(HANDS + 3):
        works.take(f"a{number}")
    works.wait(lambda: len(works.began) == HANDS)
    works.ends["b0"] = None
    works.take("b0", "b")
    works.outcome("b0")
    assert len(works.began) == HANDS + 1
    works.flow.set()
    for number in range(HANDS + 3):
        assert works.outcome(f"a{number}") == Outcome(f"a{number}")


def test_what_waits_for_a_silent_host_is_unknown_and_touches_nothing(works: Works) -> None:
    for number in range(HANDS + 2):
        works.take(f"a{number}")
    works.wait(lambda: len(works.began) == HANDS)
    works.silences["a"] = SILENT_S + 1
    works.crew.check()
    for number in range(HANDS + 2):
        outcome = works.outcome(f"a{number}")
        assert outcome.unknown
        assert "silent for 21 s" in outcome.error
    works.flow.set()
    works.silences["a"] = 0.0
    works.ends["later"] = None
    works.take("later")
    assert works.outcome("later") == Outcome("later")
    assert works.touched == ["later"]


def test_a_deadline_is_unknown(works: Works) -> None:
    works.take("x")
    works.wait(lambda: works.began == ["x"])
    works.clock.time += DEADLINE_S - 1
    works.crew.check()
    assert not works.crew.outcomes()
    works.clock.time += 2
    works.crew.check()
    assert works.outcome("x") == Outcome("x", "it did not end within 60 s", unknown=True)


def test_hung_threads_are_bounded(works: Works) -> None:
    for turn in range(THREADS_MOST):
        for number in range(HANDS):
            works.take(f"{turn}-{number}")
        expected = min((turn + 1) * HANDS, THREADS_MOST)
        works.wait(partial(began, works, expected))
        works.silences["a"] = SILENT_S + 1
        works.crew.check()
        works.silences["a"] = 0.0
    assert len(works.began) == THREADS_MOST
    works.flow.set()
    works.ends["later"] = None
    works.take("later")

    def ended() -> bool:
        works.crew.check()  # hires again when a hung thread has ended
        return any(item.operation == "later" for item in works.crew.outcomes())

    works.wait(ended)


def test_a_full_queue_is_told(works: Works) -> None:
    for number in range(QUEUE_MOST + HANDS + 1):
        works.take(str(number))
        if number < HANDS:
            works.wait(partial(began, works, number + 1))
    outcome = works.outcome(str(QUEUE_MOST + HANDS))
    assert "5000 operations wait" in outcome.error
    assert not outcome.unknown


def test_a_host_watched_no_longer(works: Works) -> None:
    works.take("x")
    works.silences["a"] = math.inf
    works.crew.check()
    assert works.outcome("x").error == "host a is watched no longer"


def test_refusing_and_cancelling(works: Works) -> None:
    works.crew.refuse(Operation("x", Verb.LIVE, "x"), "no such host")
    works.crew.refuse(Operation("x", Verb.LIVE, "x"), "again")
    assert works.crew.outcomes() == [Outcome("x", "no such host")]
    task = works.take("y")
    for _ in range(3):
        works.crew.cancel(task, lambda t: works.aborted.append(t.operation.id))
    assert task.cancelled.is_set()
    works.ends["y"] = Refused("cancelled")
    works.flow.set()
    works.outcome("y")
    works.crew.cancel(task, lambda t: works.aborted.append("too late"))
    assert set(works.aborted) == {"y"}

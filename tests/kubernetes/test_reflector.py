"""Whatever befalls lists and watches, in the end a reflector has what the server has."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from frota.drivers.kubernetes.pump import Ended, Pump
from frota.drivers.kubernetes.reflector import (
    Bounds,
    End,
    Event,
    Follow,
    Item,
    Page,
    ReadPage,
    Reflector,
    Rest,
    Sort,
)
from frota.model.objects import ObjectKey
from frota.runtime.backoff import Backoff
from tests.kubernetes.simloop import SimLoop

NAMES = st.sampled_from("abc")


def key(name: str) -> ObjectKey:
    return ObjectKey("", "ConfigMap", "d", name)


class Server:
    """What an API server has of one kind: its objects, and the history that it remembers."""

    def __init__(self) -> None:
        self.objects: dict[ObjectKey, Item] = {}
        self.log: list[Event] = []
        self.revision = 10
        self.oldest = 0

    def put(self, name: str) -> None:
        self.revision += 1
        item = Item(key(name), {"revision": self.revision}, str(self.revision), 1)
        self.objects[item.key] = item
        self.log.append(Event(Sort.THERE, item.revision, item))

    def remove(self, name: str) -> None:
        item = self.objects.pop(key(name), None)
        if item is not None:
            self.revision += 1
            gone = item._replace(revision=str(self.revision))
            self.log.append(Event(Sort.GONE, gone.revision, gone))

    def compact(self) -> None:
        self.oldest = self.revision
        self.log.clear()

    def set_back(self) -> None:
        """Another database, with lower versions."""
        self.objects.clear()
        self.log.clear()
        self.revision, self.oldest = 3, 0

    def since(self, revision: str) -> list[Event]:
        return [event for event in self.log if int(event.revision) > int(revision)]


class Interleavings(RuleBasedStateMachine):
    """A server that changes, and a reflector that is told of it in every possible order."""

    def __init__(self) -> None:
        super().__init__()
        self.server = Server()
        self.reflector = Reflector(Backoff().delay, Random(1))
        self.snapshot: tuple[str, list[Item]] | None = None  # a list under way
        self.stream: list[Event] | None = None  # events of a watch that are on their way
        self.told: list[Event] = []

    @rule(name=NAMES)
    def put(self, name: str) -> None:
        self.server.put(name)
        self._push()

    @rule(name=NAMES)
    def remove(self, name: str) -> None:
        self.server.remove(name)
        self._push()

    @rule()
    def compact(self) -> None:
        self.server.compact()

    @rule()
    def set_back(self) -> None:
        """The server must be away for that: watches end, and it is noticed by its identity."""
        self.server.set_back()
        self.stream = self.snapshot = None
        self.reflector.again()

    @rule()
    def bookmark(self) -> None:
        if self.stream is not None:
            self.stream.append(Event(Sort.BOOKMARK, str(self.server.revision)))

    @rule(count=st.integers(1, 6))
    def proceed(self, count: int) -> None:
        for _ in range(count):
            self._proceed()

    @rule(names=st.lists(NAMES, min_size=2, max_size=5))
    def flow(self, names: list[str]) -> None:
        """For a while all goes well; without that, the faults would be all there is."""
        for _ in range(8):
            self._proceed()
        for name in names:
            self.put(name)
            self._proceed()

    @rule(end=st.sampled_from([End.CLOSED, End.BROKEN, End.EXPIRED, End.BUSY, End.LARGE]))
    def fail(self, end: End) -> None:
        """A list or watch ends before it gave all; events on their way are lost."""
        if self.stream is not None or isinstance(self.reflector.step(), ReadPage):
            self.stream = None
            if end is End.EXPIRED:
                self.snapshot = None
            self.reflector.ended(end, lived=1.0)

    @rule(index=st.integers(0, 5))
    def repeat(self, index: int) -> None:
        """An event comes a second time."""
        if self.stream is not None and self.told:
            self._tell(self.told[index % len(self.told)])

    @rule()
    def drop(self) -> None:
        """What is under way is given up, as when a server came back."""
        self.stream = None
        self.reflector.rested()

    @invariant()
    def only_what_was_there(self) -> None:
        for held, item in self.reflector.objects.items():
            assert held == item.key
        if self.reflector.current and self.stream is not None and not self.stream:
            assert self.reflector.objects == self.server.objects

    def teardown(self) -> None:
        """Nothing changes any more, all gets through, and bookmarks come now and then."""
        for _ in range(200):
            self._proceed()
        self.bookmark()
        for _ in range(20):
            self._proceed()
        assert self.reflector.current
        assert self.reflector.objects == self.server.objects

    def _push(self) -> None:
        if self.stream is not None:
            self.stream.append(self.server.log[-1]) if self.server.log else None

    def _proceed(self) -> None:
        step = self.reflector.step()
        if isinstance(step, Rest):
            self.reflector.rested()
        elif isinstance(step, ReadPage):
            self.stream = None
            self._page(step)
        elif self.stream is None:
            self._open(step)
        elif self.stream:
            self._tell(self.stream.pop(0))

    def _page(self, step: ReadPage) -> None:
        """Pages of two objects, all of the state at the first of them."""
        if not step.token:
            self.snapshot = (str(self.server.revision), sorted(self.server.objects.values()))
        if self.snapshot is None:
            self.reflector.ended(End.EXPIRED)
            return
        revision, items = self.snapshot
        begin = int(step.token or 0)
        token = str(begin + 2) if begin + 2 < len(items) else ""
        self.reflector.page(Page(items[begin : begin + 2], revision, token))

    def _open(self, step: Follow) -> None:
        if int(step.revision) < self.server.oldest:
            self.reflector.ended(End.EXPIRED)
            return
        self.stream = self.server.since(step.revision)
        self.told = []
        self.reflector.opened()

    def _tell(self, event: Event) -> None:
        self.told.append(event)
        if not self.reflector.event(event):
            self.stream = None
            self.reflector.ended(End.EXPIRED, lived=1.0)


TestInterleavings = Interleavings.TestCase
TestInterleavings.settings = settings(max_examples=200, stateful_step_count=60)


class Faulty:
    """The same server for a pump: slow, and failing as often as ``rng`` likes."""

    def __init__(self, server: Server, rng: Random) -> None:
        self.server = server
        self.rng = rng
        self.well = False
        self._snapshot: tuple[str, list[Item]] = ("", [])

    async def _maybe(self, *ends: End) -> None:
        await asyncio.sleep(self.rng.uniform(0.001, 0.2))
        if not self.well and self.rng.random() < 0.4:
            raise Ended(self.rng.choice(ends), "bad luck")

    async def page(self, token: str, limit: int) -> Page:
        await self._maybe(End.BROKEN, End.BUSY, End.EXPIRED, End.LARGE)
        if not token:
            self._snapshot = (str(self.server.revision), sorted(self.server.objects.values()))
        revision, items = self._snapshot
        begin = int(token or 0)
        more = str(begin + 2) if begin + 2 < len(items) else ""
        return Page(items[begin : begin + 2], revision, more)

    async def follow(self, revision: str, heard: Callable[[Sequence[Event]], bool]) -> None:
        await self._maybe(End.BROKEN, End.BUSY)
        if int(revision) < self.server.oldest:
            raise Ended(End.EXPIRED)
        heard([])
        while True:
            await self._maybe(End.BROKEN, End.CLOSED, End.EXPIRED)
            if int(revision) < self.server.oldest:
                raise Ended(End.EXPIRED)
            events = self.server.since(revision)
            revision = events[-1].revision if events else revision
            if events and not heard(events):
                return


def simulated(seed: int) -> tuple[list[str], float]:
    """An hour with faults and a minute without, in virtual time. What happened, and when."""
    loop = SimLoop()
    rng = Random(seed)
    server = Server()
    source = Faulty(server, rng)
    story: list[str] = []
    reflector = Reflector(Backoff().delay, rng)

    def changed(_: Sequence[Event]) -> None:
        story.append(f"{loop.time():.6f} {reflector.serial} {sorted(reflector.objects)}")

    async def run() -> None:
        pump = Pump(reflector, source, threading.Lock(), changed, lambda: None)
        pump.start()
        for _ in range(1200):
            await asyncio.sleep(rng.uniform(0.0, 6.0))
            chance = rng.random()
            if chance < 0.05:
                server.compact()
            elif chance < 0.35:
                server.remove(rng.choice("abcdefg"))
            else:
                server.put(rng.choice("abcdefg"))
        source.well = True
        await asyncio.sleep(60)
        pump.stop()

    loop.run(run())
    assert reflector.current
    assert reflector.objects == server.objects
    return story, loop.time()


def test_an_hour_with_faults_ends_well_and_is_the_same_every_time() -> None:
    story, spent = simulated(5)
    assert spent > 3000
    assert len(story) > 1000
    assert simulated(5) == (story, spent)
    assert simulated(6) != (story, spent)


def test_an_event_that_comes_again_leads_to_a_list() -> None:
    reflector = Reflector(Backoff().delay, Random(1))
    reflector.page(Page([], "10", ""))
    events = [
        Event(Sort.THERE, revision, Item(key("a"), {}, revision, 1)) for revision in ("11", "12")
    ]
    assert [reflector.event(event) for event in (*events, events[1])] == [True] * 3
    assert not reflector.event(events[0])
    reflector.ended(End.EXPIRED)
    assert isinstance(reflector.step(), ReadPage)
    assert reflector.objects[key("a")].revision == "12"


def test_no_object_goes_because_a_list_failed() -> None:
    reflector = Reflector(Backoff().delay, Random(1))
    items = [Item(key(name), {}, "5", 1) for name in "abc"]
    reflector.page(Page(items, "10", ""))
    reflector.ended(End.EXPIRED)
    assert not reflector.current
    reflector.page(Page(items[:1], "20", "more"))
    reflector.ended(End.BROKEN)
    assert len(reflector.objects) == 3
    reflector.rested()
    reflector.ended(End.EXPIRED)
    assert len(reflector.objects) == 3
    reflector.page(Page(items[:2], "30", ""))
    assert reflector.objects.keys() == {key("a"), key("b")}


def test_too_many_objects_are_an_error_that_is_shown() -> None:
    reflector = Reflector(Backoff().delay, Random(1), Bounds(objects=2))
    items = [Item(key(name), {}, "5", 1) for name in "abc"]
    reflector.page(Page(items, "10", ""))
    assert not reflector.current
    assert reflector.error == "more than 2 objects"
    reflector.rested()
    reflector.page(Page(items[:2], "11", ""))
    assert reflector.current
    assert not reflector.event(Event(Sort.THERE, "12", items[2]._replace(revision="12")))


def test_pages_that_are_too_large_are_asked_for_in_smaller_ones() -> None:
    reflector = Reflector(Backoff().delay, Random(1))
    limits = []
    while isinstance(step := reflector.step(), ReadPage):
        limits.append(step.limit)
        reflector.ended(End.LARGE, why="an answer of more than 64 MiB")
    assert limits == [500, 125, 31, 7, 1]
    assert reflector.error == "an answer of more than 64 MiB"


def test_rests_grow_and_are_bounded() -> None:
    reflector = Reflector(Backoff(first=0.2, most=15).delay, Random(1))
    rests = []
    for _ in range(40):
        reflector.ended(End.BROKEN)
        step = reflector.step()
        assert isinstance(step, Rest)
        rests.append(step.seconds)
        reflector.rested()
    assert rests[0] <= 0.4
    assert max(rests) <= 15
    assert max(rests[10:]) > 7


def test_a_server_may_ask_for_a_pause() -> None:
    reflector = Reflector(Backoff().delay, Random(1))
    reflector.ended(End.BUSY, after=20.0)
    assert reflector.step() == Rest(20.0)


def test_watches_that_end_as_soon_as_they_begin_lead_to_a_list() -> None:
    reflector = Reflector(Backoff().delay, Random(1))
    reflector.page(Page([], "10", ""))
    for _ in range(2):
        reflector.rested()
        assert reflector.step() == Follow("10")
        reflector.opened()
        reflector.ended(End.CLOSED, lived=0.01)
    reflector.rested()
    assert isinstance(reflector.step(), ReadPage)

"""Runs one reflector against a server: does what it says, tells it what came of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from frota.drivers.kubernetes.reflector import End, Event, Follow, Page, ReadPage, Reflector, Rest


class Ended(Exception):
    """A list or watch that gave no more. The message says why, in plain words."""

    def __init__(self, end: End, why: str = "", after: float = 0.0) -> None:
        super().__init__(why)
        self.end = end
        self.why = why
        self.after = after


class Source(Protocol):
    """The objects of one kind, as a server gives them."""

    async def page(self, token: str, limit: int) -> Page:
        """One page of the list. Raises Ended."""
        ...

    async def follow(self, revision: str, heard: Callable[[Sequence[Event]], bool]) -> None:
        """Watch from a version: call ``heard`` first with nothing, as soon as the watch is
        there, then with every handful of events until it says False or the server ends the
        watch in order. Raises Ended."""
        ...


class Pump:
    """One reflector that runs, for one event loop. ``lock`` is held while the reflector
    changes. ``changed`` is called after whatever may have changed what it shows, with the
    events if it was events; ``broken`` when a stream ended out of order. Without ``follows`` it
    lists and does not watch."""

    def __init__(
        self,
        reflector: Reflector,
        source: Source,
        lock: threading.Lock,
        changed: Callable[[Sequence[Event]], None],
        broken: Callable[[], None],
        *,
        follows: bool = True,
    ) -> None:
        self.reflector = reflector
        self._source = source
        self._lock = lock
        self._changed = changed
        self._broken = broken
        self._follows = follows
        self._task: asyncio.Task[None] | None = None

    @property
    def resting(self) -> bool:
        """It waits before it tries again."""
        return isinstance(self.reflector.step(), Rest)

    def start(self) -> None:
        """Begin, or begin anew with what is under way dropped: what the reflector knows
        stays, and nothing rests any longer."""
        self.reflector.rested()
        self._begin()

    def stop(self) -> None:
        """End what is under way."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def _begin(self) -> None:
        self.stop()
        self._task = asyncio.create_task(self._run())
        self._task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        """It never ends by itself, but for an error of Frota's own: it is shown, and tried
        again after a rest."""
        error = None if task.cancelled() else task.exception()
        if error is not None and task is self._task:
            why = f"an error of Frota's own ({type(error).__name__}); its log says more"
            self._tell(Ended(End.BROKEN, why))
            task.get_loop().call_exception_handler({"message": why, "exception": error})
            self._begin()

    async def _run(self) -> None:
        while True:
            step = self.reflector.step()
            if isinstance(step, Rest):
                await asyncio.sleep(step.seconds)
                self.reflector.rested()
            elif isinstance(step, ReadPage):
                await self._read(step)
            elif self._follows:
                await self._follow(step)
            elif self.reflector.current:
                return
            else:
                with self._lock:
                    self.reflector.again()

    async def _read(self, step: ReadPage) -> None:
        try:
            page = await self._source.page(step.token, step.limit)
        except Ended as ended:
            self._tell(ended)
        else:
            with self._lock:
                self.reflector.page(page)
            self._changed(())

    async def _follow(self, step: Follow) -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        useless = False

        def heard(events: Sequence[Event]) -> bool:
            nonlocal begun, useless
            with self._lock:
                if not events:
                    begun = loop.time()
                    self.reflector.opened()
                useless = not all(self.reflector.event(event) for event in events)
            self._changed(events)
            return not useless

        try:
            await self._source.follow(step.revision, heard)
            ended = Ended(End.EXPIRED if useless else End.CLOSED)
        except Ended as raised:
            ended = raised
        self._tell(ended, lived=loop.time() - begun)
        if ended.end is not End.CLOSED:
            self._broken()

    def _tell(self, ended: Ended, lived: float = 0.0) -> None:
        with self._lock:
            self.reflector.ended(ended.end, lived=lived, why=ended.why, after=ended.after)
        self._changed(())

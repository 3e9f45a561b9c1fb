"""Does an API server answer: asked about once a second, said after two misses.

The worst case to notice a server that hangs: it dies just after an answer (``BEAT_S``), then
two questions time out (2 x ``ANSWER_S``) with ``AGAIN_S`` between them: 2.8 s, below the 3 s
that are promised. One that refuses connections is noticed within ``BEAT_S + AGAIN_S``, and
at once where a watch broke. Once it answers again that is seen within ``BEAT_S + ANSWER_S``.

Clusters are asked at the same moments, six in a ``BEAT_S``: three questions at once cost half
of what three by themselves do, each of which wakes a process that sleeps.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus

from frota.drivers.kubernetes.fault import Silent, Unusable
from frota.drivers.kubernetes.link import Link

BEAT_S = 0.9
ANSWER_S = 0.9
AGAIN_S = 0.1
_STEP_S = BEAT_S / 6
_MISSES = 2
# Own lateness: when the loop woke up that much later than it asked for, this machine slept
# or was too busy, and a timeout says nothing about the server.
_LATE_S = 0.5


class Heartbeat:
    """Watches one server. ``answered`` is called after every question, with why there was
    no good answer or nothing. ``heard_at``: when it last said anything, in loop time.
    ``unwelcome``: it answers, and does not accept who asks."""

    def __init__(self, link: Link, answered: Callable[[str], None]) -> None:
        self._link = link
        self._answered = answered
        self._misses = 0
        self._doubt = asyncio.Event()
        self.heard_at = float("-inf")
        self.answers = False
        self.unwelcome = False

    def heard(self) -> None:
        """The server said something to somebody."""
        self.heard_at = asyncio.get_running_loop().time()

    def doubt(self) -> None:
        """Something broke: ask now."""
        self._doubt.set()

    async def run(self) -> None:
        """Ask for ever."""
        while True:
            await self._ask()
            self._doubt.clear()
            try:
                async with asyncio.timeout_at(self._next()):  # wait_for may swallow a cancellation
                    await self._doubt.wait()
                await asyncio.sleep(AGAIN_S)  # many streams break at once: one question
            except TimeoutError:
                pass

    def _next(self) -> float:
        """When to ask again, in loop time."""
        now = asyncio.get_running_loop().time()
        if 0 < self._misses < _MISSES:
            return now + AGAIN_S
        return (now + BEAT_S) // _STEP_S * _STEP_S

    async def _ask(self) -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        try:
            code = await self._link.alive("/readyz", ANSWER_S)
            why, self.unwelcome = _said(code), code == HTTPStatus.UNAUTHORIZED
        except (Silent, Unusable) as fault:
            why = str(fault)
        if not why:
            self._misses = 0
            self.answers = True
            self.heard()
        elif loop.time() - begun < ANSWER_S + _LATE_S and self.heard_at < begun:
            self._misses += 1
            if self._misses >= _MISSES:
                self.answers = False
        self._answered(why)


def _said(code: int) -> str:
    """Why an answer is none. A server that refuses who asks is there all the same; so is one
    that does not know the path."""
    if code < HTTPStatus.INTERNAL_SERVER_ERROR:
        return ""
    return f"not ready (HTTP status {code} from /readyz)"

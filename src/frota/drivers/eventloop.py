"""An event loop in a thread of its own, for drivers whose port never waits."""

from __future__ import annotations

import asyncio
import threading
from asyncio.sslproto import SSLProtocol
from collections.abc import Callable

_CLOSE_S = 3.0
_LAST_TURNS = 5  # of the loop, in which connections that were dropped close their sockets
# asyncio holds a buffer for each TLS connection, as long as that lives: 256 KiB if it is not told
# otherwise, of which the watches of one cluster would take 9 MiB. A TLS record has 16 KiB.
SSLProtocol.max_size = 32 * 1024


class EventLoop:
    """Runs from the beginning until ``close``. Safe to use from any thread."""

    def __init__(self, name: str) -> None:
        self.loop = asyncio.new_event_loop()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def post(self, act: Callable[[], object]) -> None:
        """Have something done in the loop soon; nothing once it is closed."""
        if not self._closed:
            self.loop.call_soon_threadsafe(act)

    def close(self, first: Callable[[], object]) -> None:
        """Do something first, let tasks end, cancel those that do not, and end. Waits at
        most a few seconds. Closing again does nothing."""
        if not self._closed:
            self.post(lambda: self._close(first))
            self._closed = True
            self._thread.join(_CLOSE_S)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
        finally:
            self.loop.close()

    def _close(self, first: Callable[[], object]) -> None:
        first()
        ending = self.loop.create_task(self._end_all())
        ending.add_done_callback(lambda _: self.loop.stop())

    async def _end_all(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            await asyncio.wait(others, timeout=_CLOSE_S / 2)
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        for _ in range(_LAST_TURNS):
            await asyncio.sleep(0)
        await self.loop.shutdown_asyncgens()

"""An event loop on virtual time: nothing waits, and the same program does the same again."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any


class _Never(selectors.SelectSelector):
    """Does not wait: the loop's time goes on by as much as it wanted to wait."""

    def __init__(self, loop: SimLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[Any]:
        assert timeout is not None, "everything waits for everything else"
        self._loop.passed += max(timeout, 0.0)
        return []


class SimLoop(asyncio.SelectorEventLoop):
    """No sockets, no threads, no time of this world."""

    def __init__(self) -> None:
        self.passed = 0.0
        super().__init__(_Never(self))

    def time(self) -> float:
        return self.passed

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Run to its end, and end what it left."""
        try:
            self.run_until_complete(work)
            left = asyncio.all_tasks(self)
            for task in left:
                task.cancel()
            self.run_until_complete(self._gather(left))
        finally:
            self.close()

    async def _gather(self, tasks: set[asyncio.Task[Any]]) -> None:
        await asyncio.gather(*tasks, return_exceptions=True)

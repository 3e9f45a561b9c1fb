"""A reconcile loop in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable

from frota.runtime.loop import Loop

_JOIN_S = 15.0


class Turning:
    """Runs a loop until it is stopped, then ``finish``. ``error`` is what ended it against
    all expectation."""

    def __init__(self, loop: Loop, name: str, finish: Callable[[], None]) -> None:
        self._loop = loop
        self._finish = finish
        self.name = name
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.error: BaseException | None = None

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self, key: str, *, at_once: bool = False) -> None:
        """Look at a key soon: something that it stands on was written. ``at_once``: by a
        person, or for the sake of what a person wrote."""
        self._loop.wake(key, at_once=at_once)

    def stop(self) -> None:
        """Ask it to end after the pass that is under way."""
        self._loop.stop()

    def join(self) -> bool:
        """Wait for the end, a while; whether it came."""
        self._thread.join(_JOIN_S)
        return not self._thread.is_alive()

    @property
    def alive(self) -> bool:
        """Whether it still works."""
        return self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._loop.run()
        except BaseException as error:  # noqa: BLE001 - told by the thread that started this one
            self.error = error
        finally:
            self._finish()

"""Virtual time for the runtime's tests."""

from __future__ import annotations

from collections.abc import Callable


class VirtualClock:
    def __init__(self, time: float = 1000.0) -> None:
        self.time = time

    def now(self) -> float:
        return self.time


class VirtualAlarm:
    """Waiting moves the clock; ``script`` is played when its times come, as other threads
    and signals would. A wait that would pass ``end`` fails the test instead of hanging."""

    def __init__(self, clock: VirtualClock, end: float = 1e6) -> None:
        self.clock = clock
        self.end = end
        self.script: list[tuple[float, Callable[[], None]]] = []
        self.waits: list[float] = []
        self._rang = False

    def at(self, time: float, act: Callable[[], None]) -> None:
        self.script.append((time, act))
        self.script.sort(key=lambda entry: entry[0])

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        until = self.clock.time + seconds
        while not self._rang and self.script and self.script[0][0] <= until:
            time, act = self.script.pop(0)
            self.clock.time = max(self.clock.time, time)
            act()
        if not self._rang:
            self.clock.time = max(self.clock.time, until)
        self._rang = False
        assert self.clock.time <= self.end, "the loop did not stop"

    def ring(self) -> None:
        self._rang = True


class Told:
    """An Observer that remembers, and does on top what the test asks."""

    def __init__(self) -> None:
        self.react: Callable[[str], None] = lambda _what: None
        self.failures: list[tuple[str, str, float]] = []
        self.stalls: list[float] = []

    def failed(self, key: str, error: Exception, again_at: float) -> None:
        self.failures.append((key, str(error), again_at))
        self.react(f"failed {key}")

    def stalled(self, seconds: float) -> None:
        self.stalls.append(seconds)
        self.react(f"stalled {seconds:.1f}")

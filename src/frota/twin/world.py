"""Virtual time: a heap of things to come, one seeded source of chance, and a clock."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable


class World:
    """Runs events in order of time; events of one instant run in the order they were made.

    ``rng`` is the only source of chance for all that happens in the world. A wall clock
    that people may set (``wall_offset_s``) runs beside the time that really passes.
    """

    __slots__ = ("_heap", "_made", "now", "rng", "wall_offset_s")

    def __init__(self, seed: int) -> None:
        self.now = 0.0
        self.wall_offset_s = 0.0
        self.rng = random.Random(seed)  # noqa: S311 - simulation, not secrets
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._made = 0

    def at(self, when: float, event: Callable[[], None]) -> None:
        """Run ``event`` at a time; one that has passed means now, after what is due."""
        self._made += 1
        heapq.heappush(self._heap, (max(when, self.now), self._made, event))

    def after(self, delay_s: float, event: Callable[[], None]) -> None:
        """Run ``event`` after a delay in seconds."""
        self._made += 1
        heapq.heappush(self._heap, (self.now + delay_s, self._made, event))

    @property
    def next_at(self) -> float:
        """The time of the next event; infinity when nothing is to come."""
        return self._heap[0][0] if self._heap else math.inf

    def step(self) -> None:
        """Go to the next event and run it. There must be one."""
        self.now, _, event = heapq.heappop(self._heap)
        event()

    def run_until(self, when: float) -> None:
        """Run all that is due up to and at ``when``, then stand there."""
        while self.next_at <= when:
            self.step()
        self.now = max(self.now, when)


class TwinClock:
    """The Clock port as the real one is built: it starts at the later of the wall clock
    and the last time found in the store, then only follows the time that passes."""

    __slots__ = ("_offset_s", "_world")

    def __init__(self, world: World, last_known: float = 0.0) -> None:
        self._world = world
        self._offset_s = max(world.now + world.wall_offset_s, last_known) - world.now

    def now(self) -> float:
        """The present time in seconds."""
        return self._world.now + self._offset_s

    def of(self, world_time: float) -> float:
        """A time of the world, as this clock shows it."""
        return world_time + self._offset_s

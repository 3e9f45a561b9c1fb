"""How long things take in the simulated world, and how often they go wrong."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """A duration in seconds between two bounds, drawn evenly."""

    least: float
    most: float

    def draw(self, rng: random.Random) -> float:
        """One duration."""
        return self.least + (self.most - self.least) * rng.random()


@dataclass(frozen=True, slots=True)
class Pace:
    """How long things take, in seconds. The defaults are in the order of what was
    measured on small real hosts; a live migration also takes time for its memory."""

    beat: float = 1.0
    connect: Span = Span(0.05, 0.3)
    notice: Span = Span(0.02, 0.3)  # from a change to its sight
    start: Span = Span(0.6, 3.0)
    stop: Span = Span(1.0, 8.0)
    kill: Span = Span(0.1, 1.0)
    move: Span = Span(1.5, 3.0)
    move_per_gib: Span = Span(0.3, 1.0)
    power_status: Span = Span(0.3, 1.5)
    power_off: Span = Span(2.0, 5.0)
    bmc_timeout: float = 10.0
    lease: float = 20.0
    lease_renew: float = 5.0
    lease_margin: float = 5.0
    lease_kill: Span = Span(0.1, 3.0)  # from the decision of a host to end its guests


@dataclass(frozen=True, slots=True)
class ClusterPace:
    """How long things take, in seconds; in the order of real API servers on one machine.
    ``refused`` and ``silent`` are the most that the real driver takes to notice a server
    that refuses connections, and one that hangs."""

    connect: Span = Span(0.05, 0.3)
    write: Span = Span(0.005, 0.03)
    watch: Span = Span(0.001, 0.02)  # from a change to its sight
    settle: Span = Span(0.5, 3.0)  # from a spec to the status that follows
    finalize: Span = Span(0.5, 5.0)  # from the end of a namespace to its absence
    refused: Span = Span(0.05, 1.0)
    silent: Span = Span(2.0, 2.8)
    timeout: float = 10.0  # of a write that is not answered


@dataclass(frozen=True, slots=True)
class Chances:
    """How often, from 0 to 1, operations go wrong of themselves."""

    start_fails: float = 0.0
    move_fails: float = 0.0
    move_slow: float = 0.0  # takes ten times as long
    outcome_lost: float = 0.0
    move_dies_with_controller: float = 0.5  # not peer to peer: its client is gone
    extra_look: float = 0.0  # the controller is woken once more for nothing

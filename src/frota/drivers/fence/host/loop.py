"""The host agent's loop: tells the holder of the lease what happens, does what it says.

The loop itself never waits for storage, for libvirt longer than a moment, or for its own
log. Its one long wait is a quarter of a second.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from frota.drivers.fence.host.disk import Errand, Report, Rounds
from frota.drivers.fence.host.memory import Place
from frota.drivers.fence.host.notify import Notify
from frota.drivers.fence.host.reaper import Ends
from frota.drivers.fence.host.watchdog import Watchdog
from frota.drivers.fence.lease.holder import Holder, Phase, Refused
from frota.ports.clock import Clock

TICK = 0.25  # seconds
POLL = 1.0  # between rounds of reading, and between sweeps of a fenced host
LOOK = 5.0  # between notes of which VMs run


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the loop works with."""

    disk: Rounds
    place: Place
    reaper: Ends
    clock: Clock
    say: Callable[[str], None]
    notify: Notify
    watchdog: Watchdog | None = None


class Agent:
    """Runs one host's lease. ``step`` once per tick, or ``run`` until it may stop."""

    def __init__(self, holder: Holder, around: Surroundings) -> None:
        self._holder = holder
        self._around = around
        self._alone = False
        self._writing = False
        self._first = around.place.load()
        self._shown: object = None
        now = around.clock.now()
        self._next_round = self._next_sweep = self._next_look = now

    def run(self, stop: threading.Event) -> None:
        """Until told to stop and the controller can see that nobody guards any more.
        Raises Refused when another agent or machine holds this host's slot."""
        while self._writing or not self._holder.done:
            if stop.is_set():
                self._holder.stop()
            self.step(TICK)
        if self._around.watchdog is not None:
            self._around.watchdog.disarm()

    def step(self, wait: float) -> None:
        """Wait this long for storage, at most, then do what is due."""
        holder, around = self._holder, self._around
        report = around.disk.wait(wait)
        now = around.clock.now()
        holder.tick(now)
        if report is not None:
            self._hear(report, now)
        if holder.ends:
            self._sweep(now)
        elif now >= self._next_look:
            self._next_look = now + LOOK
            around.reaper.look()
        self._round(around.clock.now())
        if around.watchdog is not None and holder.pets(around.clock.now()):
            around.watchdog.pet()
        self._show()

    def _hear(self, report: Report, now: float) -> None:
        self._writing = False
        if report.error:
            self._around.say(f"storage: {report.error}")
        if report.wrote is not None:
            self._holder.wrote(report.wrote)
        if report.read:
            self._holder.read(report.slot, report.order, now)

    def _sweep(self, now: float) -> None:
        """End VMs: again at once while some are left, else every second."""
        ending = self._holder.phase is Phase.ENDING
        if now < self._next_sweep and not ending:
            return
        self._next_sweep = now + POLL
        left = self._around.reaper.sweep(thorough=ending)
        if left:
            self._around.say(f"VMs that should be gone may still run: {', '.join(left)}")
        self._holder.swept(len(left))

    def _round(self, now: float) -> None:
        """Begin a round of reads and writes when one is due."""
        disk = self._around.disk
        if now < self._next_round or not disk.idle or not self._may_write():
            return
        self._next_round = now + POLL
        write = self._holder.to_write(now)
        self._writing = write is not None
        self._save()
        me = self._holder.identity
        disk.submit(Errand(me.host, me.space, write, self._holder.owns))

    def _may_write(self) -> bool:
        """Whether this is the only agent of the host. One that died while storage hung may
        still have a write under way; one that renews is alive, and this one too many."""
        if not self._alone:
            self._alone = self._around.place.alone()
        if self._alone:
            return True
        self._around.say("another agent of this host has not ended yet; not writing")
        there = self._around.place.load()
        if there is not None and there != self._first:
            raise Refused("another agent of this host runs, and renews its lease")
        return False

    def _save(self) -> None:
        if self._alone:
            problem = self._around.place.save(self._holder.memory())
            if problem:
                self._around.say(problem)

    def _show(self) -> None:
        """Tell service manager and log when the phase changed; always that we live."""
        holder, around = self._holder, self._around
        self._save()
        state = (holder.phase, holder.cause, holder.incarnation, holder.ready)
        around.notify.send(WATCHDOG="1")
        if state == self._shown:
            return
        self._shown = state
        line = f"{holder.phase} {holder.incarnation}".strip()
        if holder.cause:
            line += f" (cause: {holder.cause})"
        around.say(line)
        if holder.ready:
            around.notify.send(READY="1", STATUS=line)
        else:
            around.notify.send(STATUS=line)

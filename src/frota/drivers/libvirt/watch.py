"""The thread that watches one host: connect, look at all copies, again at every beat.

It may hang in libvirt for as long as a dead or stopped daemon keeps it waiting. It then
can be given up: what it sees later is thrown away, and it hangs up and ends as soon as
libvirt lets go of it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from frota.drivers.libvirt.fault import Fault, redact
from frota.drivers.libvirt.incarnation import incarnation_of
from frota.drivers.libvirt.inventory import Census, Sighting, capacity_of
from frota.drivers.libvirt.pulse import Beat, Pulse
from frota.drivers.libvirt.session import Session
from frota.model.host import Capacity
from frota.model.sight import CopyState
from frota.ports.hypervisor import HostAddress

OPEN_S = 10.0  # a connection attempt longer than this hangs
CALL_S = 15.0  # keepalive breaks a dead connection before this
PAUSE_FIRST_S = 0.5
PAUSE_MOST_S = 5.0
GATHER_S = 0.05  # events that come together are answered together
CAPACITY_EVERY = 60  # beats

_RAN = (CopyState.RUNNING, CopyState.PAUSED, CopyState.OUTGOING)


@dataclass(frozen=True, slots=True)
class Kit:
    """What watching needs of the world."""

    pulse: Pulse
    beat: float
    connect: Callable[[str], Session]


@dataclass(frozen=True, slots=True)
class Stock:
    """What does not change from beat to beat."""

    incarnation: str
    capacity: Capacity


class Reports(Protocol):
    """Who is told. All return at once; a watcher that was given up is not listened to."""

    def version(self) -> int:
        """A number that grows when the copies were changed by somebody else."""
        ...

    def saw(self, watcher: Watcher, version: int, stock: Stock, sighting: Sighting) -> bool:
        """A look succeeded; the version is that from before it. False: look again."""
        ...

    def lost(self, watcher: Watcher, error: str) -> None:
        """The host does not answer."""
        ...


class Watcher:
    """One thread of one host."""

    def __init__(self, address: HostAddress, kit: Kit, reports: Reports) -> None:
        self._address = address
        self._kit = kit
        self._reports = reports
        self._over = threading.Event()
        self._nudged = threading.Event()
        self._lock = threading.Lock()
        self._begun = False
        self._busy: tuple[Beat, float, str] | None = None
        self._thread = threading.Thread(target=self._run, name=f"watch-{address.name}", daemon=True)

    def start(self) -> None:
        """Begin, once."""
        with self._lock:
            if self._begun:
                return
            self._begun = True
        self._thread.start()

    def nudge(self) -> None:
        """Look again soon."""
        self._nudged.set()

    def give_up(self) -> None:
        """Tell the thread to end, whenever it can."""
        self._over.set()
        self._nudged.set()

    def join(self, timeout: float) -> None:
        """Wait for the thread's end, if it ever began."""
        if self._thread.ident is not None:
            self._thread.join(timeout)

    @property
    def started(self) -> bool:
        """Whether the thread was begun."""
        with self._lock:
            return self._begun

    @property
    def alive(self) -> bool:
        """Whether the thread is there."""
        return self._thread.is_alive()

    def hangs(self) -> str:
        """Why another watcher is needed: what this one has been waiting for too long. Empty
        when all is well."""
        with self._lock:
            if self._busy is None:
                return ""
            since, limit, what = self._busy
            if since.silence() <= limit:
                return ""
            return f"no answer within {limit:g} s to {what}: does its libvirt daemon hang?"

    @contextmanager
    def _waiting(self, limit: float, what: str) -> Iterator[None]:
        with self._lock:
            self._busy = (Beat(self._kit.pulse), limit, what)
        try:
            yield
        finally:
            with self._lock:
                self._busy = None

    def _run(self) -> None:
        pause = PAUSE_FIRST_S
        while not self._over.is_set():
            since = Beat(self._kit.pulse)
            try:
                self._serve()
            except Fault as fault:
                self._reports.lost(self, f"{redact(self._address.uri)}: {fault}")
            except Exception as bug:  # noqa: BLE001 - whatever it is, the host must be watched
                self._reports.lost(self, redact(f"this driver failed: {bug!r}"))
            pause = PAUSE_FIRST_S if since.silence() > PAUSE_MOST_S + OPEN_S else pause
            self._over.wait(pause)
            pause = min(2 * pause, PAUSE_MOST_S)

    def _serve(self) -> None:
        with self._waiting(OPEN_S, "a connection attempt"):
            watch = self._kit.connect(self._address.uri)
        census = Census(watch)
        try:
            with self._waiting(CALL_S, "the first questions"):
                version = self._reports.version()
                watch.watch(lambda uuid: self._changed(census, uuid))
                sighting = census.look()
                stock = self._take_stock(watch, sighting)
            self._beat(watch, census, (version, stock, sighting))
        finally:
            with self._waiting(CALL_S, "hanging up"):
                watch.unwatch()

    def _beat(self, watch: Session, census: Census, first: tuple[int, Stock, Sighting]) -> None:
        version, stock, sighting = first
        beats = 0
        while not self._over.is_set():
            if self._reports.saw(self, version, stock, sighting):
                beats += 1
                if self._nudged.wait(self._kit.beat):
                    self._over.wait(GATHER_S)
                self._nudged.clear()
            with self._waiting(CALL_S, "a heartbeat"):
                version = self._reports.version()
                sighting = census.look()
                if beats % CAPACITY_EVERY == 0:
                    stock = Stock(stock.incarnation, capacity_of(watch))

    def _changed(self, census: Census, uuid: str) -> None:
        census.changed(uuid)
        self.nudge()

    def _take_stock(self, watch: Session, sighting: Sighting) -> Stock:
        running = sighting.of_state(*_RAN)
        stopped = sighting.of_state(CopyState.STOPPED)
        incarnation = incarnation_of(watch, self._address.name, running, stopped)
        return Stock(incarnation, capacity_of(watch))

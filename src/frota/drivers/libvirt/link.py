"""One host as the driver sees it: its last known view, and the way to act on it.

Nothing here waits for the host: a ``Watcher`` does. ``check``, called on the driver's
own rhythm, gives up a watcher that hangs and starts another one, as long as fewer than
``HUNG_MOST`` threads of this host hang; when one of them is let go, watching goes on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from frota.drivers.libvirt.fault import Refused, Silent
from frota.drivers.libvirt.inventory import Sighting, copy_of
from frota.drivers.libvirt.pulse import Beat
from frota.drivers.libvirt.session import Session
from frota.drivers.libvirt.watch import OPEN_S, Kit, Stock, Watcher
from frota.model.sight import Copy, HostView
from frota.ports.hypervisor import HostAddress

HUNG_MOST = 3
MISSED = 1.5  # silent for this many beats: one was missed


class Link:
    """One host. Only ``open``, ``turn`` and ``note`` may wait."""

    def __init__(self, address: HostAddress, kit: Kit, changed: Callable[[], None]) -> None:
        self.address = address
        self._kit = kit
        self._changed = changed
        self._lock = threading.Lock()
        self._tried = threading.Event()  # the first attempt has ended, well or not
        self._beat = Beat(kit.pulse)
        self._stock: Stock | None = None
        self._copies: Mapping[str, Copy] = {}
        self._version = 0
        self._connected = False
        self._error = "not reached yet"
        self._stopped = False
        self._shown = False  # whether it was beating when last checked
        self._hung: list[Watcher] = []
        self._turns = {"storage": threading.Lock(), "devices": threading.Lock()}
        self._watcher = Watcher(address, kit, self)

    def start(self) -> None:
        """Begin to watch."""
        self._watcher.start()

    def stop(self) -> None:
        """Stop watching. A thread that hangs ends when libvirt lets go of it."""
        with self._lock:
            self._stopped, self._connected, self._error = True, False, "not watched"
            self._watcher.give_up()
        self._tried.set()

    def join(self, timeout: float) -> None:
        """Wait a little for the watcher's end, after ``stop``."""
        self._watcher.join(timeout)

    def view(self) -> HostView:
        """The last known state."""
        with self._lock:
            beating, stock = self._beats(), self._stock
            return HostView(
                host=self.address.name,
                beating=beating,
                last_seen=self._beat.last(),
                incarnation=stock.incarnation if stock is not None else "",
                capacity=stock.capacity if stock is not None else None,
                copies=self._copies,
                error="" if beating else self._error or "a heartbeat was missed",
            )

    def _beats(self) -> bool:
        return self._connected and self._beat.silence() <= MISSED * self._kit.beat

    def silence(self) -> float:
        """Seconds since the last sign of life, or since the link was made."""
        with self._lock:
            return self._beat.silence()

    def open(self) -> Session:
        """A new session for the calling thread. Raises ``Silent`` when the host does not
        answer, after waiting for the very first connection attempt; ``Fault`` when it
        refuses. May hang when the host falls silent just now."""
        self._tried.wait(OPEN_S)
        with self._lock:
            if not self._beats():
                error = self._error or "a heartbeat was missed"
                raise Silent(f"host {self.address.name} does not answer: {error}")
        return self._kit.connect(self.address.uri)

    def incarnation(self) -> str:
        """The host's present incarnation, as last seen."""
        with self._lock:
            return self._stock.incarnation if self._stock is not None else ""

    @contextmanager
    def turn(self, what: str, seconds: float) -> Iterator[None]:
        """Work alone on the host's ``storage`` or ``devices``: libvirt refuses to look at
        a directory while it makes a file there, and two starts must not choose one GPU.
        Raises ``Refused`` when the turn does not come in time."""
        lock = self._turns[what]
        if not lock.acquire(timeout=seconds):
            raise Refused(f"another start has kept the {what} of host {self.address.name} busy")
        try:
            yield
        finally:
            lock.release()

    def note(self, session: Session, vm: str) -> None:
        """See one VM's copy anew, after an operation on it. Asks the host."""
        guest = session.find(vm)
        found = copy_of(guest) if guest is not None else None
        with self._lock:
            copies = {name: copy for name, copy in self._copies.items() if name != vm}
            if found is not None:
                copies[vm] = found[0]
            self._copies, self._version = copies, self._version + 1
        self._watcher.nudge()

    def version(self) -> int:
        """How often ``note`` changed the copies."""
        with self._lock:
            return self._version

    def saw(self, watcher: Watcher, version: int, stock: Stock, sighting: Sighting) -> bool:
        """The watcher's look. Not taken when ``note`` saw something newer meanwhile."""
        with self._lock:
            if watcher is not self._watcher:
                return True
            if version != self._version:
                return False
            news = not self._connected or stock != self._stock or sighting.copies != self._copies
            self._stock, self._copies = stock, sighting.copies
            self._connected, self._error = True, ""
            self._beat.strike()
        self._tried.set()
        if news:
            self._changed()
        return True

    def lost(self, watcher: Watcher, error: str) -> None:
        """The watcher's news that the host does not answer."""
        with self._lock:
            if watcher is not self._watcher:
                return
            news = self._connected or error != self._error
            self._connected, self._error = False, error
        self._tried.set()
        if news:
            self._changed()

    def check(self) -> None:
        """Give up a watcher that hangs; tell of a heartbeat that was missed."""
        hangs = self._watcher.hangs()
        if hangs:
            self.lost(self._watcher, hangs)
        with self._lock:
            if self._stopped:
                return
            if hangs:
                self._watcher.give_up()
                self._hung.append(self._watcher)
                self._watcher = Watcher(self.address, self._kit, self)
            self._hung = [watcher for watcher in self._hung if watcher.alive]
            fresh = not self._watcher.started and len(self._hung) < HUNG_MOST
            flipped, self._shown = self._shown != self._beats(), self._beats()
            watcher = self._watcher
        if fresh:
            watcher.start()
        if flipped:
            self._changed()

"""The Hypervisor port on real libvirt hosts.

Every host has a ``Link`` that watches it; operations run in a ``Crew``. One more thread,
the pacemaker, waits for nobody: it notices missed heartbeats, gives up what hangs, and
tells its own lateness from the silence of hosts (``pulse``). No method here waits.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

from frota.drivers.libvirt import lifecycle, moves
from frota.drivers.libvirt.act import Act
from frota.drivers.libvirt.crew import Crew, Task
from frota.drivers.libvirt.fault import Fault, Refused, Silent
from frota.drivers.libvirt.link import Link
from frota.drivers.libvirt.pulse import Beat, Pulse
from frota.drivers.libvirt.session import Session, open_session
from frota.drivers.libvirt.watch import Kit
from frota.model.definition import Definition
from frota.model.sight import HostView, Outcome
from frota.model.vm import Operation, Verb
from frota.ports.clock import Clock
from frota.ports.hypervisor import HostAddress

_TICKS_PER_BEAT = 4
_CLOSE_S = 2.0
# How long an operation may take before its end is called unknown, in seconds; how long
# a guest may take to end itself comes on top. Migrations are cancelled by their owner.
_DEADLINES = {
    Verb.START: 900.0,
    Verb.COLD: 1200.0,
    Verb.STOP: 120.0,
    Verb.KILL: 120.0,
    Verb.LIVE: 6 * 3600.0,
}
_AT_SOURCE = frozenset({Verb.STOP, Verb.KILL, Verb.COLD, Verb.LIVE})
_AT_DESTINATION = frozenset({Verb.START, Verb.COLD, Verb.LIVE})


class LibvirtHypervisor:
    """All hosts of one group, over libvirt. Safe to use from any thread.

    ``beat`` is the time between heartbeats and ``stop_grace`` how long a guest may take
    to end itself, both in seconds. Capacities in views are all that a host has: reserve
    and overcommit are the caller's. ``connect`` opens a session from a URI.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        beat: float = 1.0,
        stop_grace: float = 90.0,
        connect: Callable[[str], Session] = open_session,
    ) -> None:
        self._rhythm = beat / _TICKS_PER_BEAT
        self._pulse = Pulse(clock, self._rhythm)
        self._kit = Kit(self._pulse, beat, connect)
        self._stop_grace = stop_grace
        self._lock = threading.Lock()
        self._links: dict[str, Link] = {}
        self._wakes: tuple[Callable[[], None], ...] = ()
        self._closed = threading.Event()
        self._crew = Crew(self._carry_out, self._silence, self._begin, self._wake)
        self._pacemaker = threading.Thread(target=self._pace, name="pacemaker", daemon=True)
        self._pacemaker.start()

    def attach(self, address: HostAddress) -> None:
        """Begin to watch a host, or watch it at its new address."""
        with self._lock:
            known = self._links.get(address.name)
            if (known is not None and known.address == address) or self._closed.is_set():
                return
            link = self._links[address.name] = Link(address, self._kit, self._wake)
        if known is not None:
            known.stop()
        link.start()

    def detach(self, host: str) -> None:
        """Stop watching a host."""
        with self._lock:
            link = self._links.pop(host, None)
        if link is not None:
            link.stop()

    def view(self, host: str) -> HostView:
        """The last known state."""
        with self._lock:
            link = self._links.get(host)
        if link is None:
            return HostView(host, False, 0.0, "", None, error="not watched")
        return link.view()

    def order(self, operation: Operation, definition: Definition | None) -> None:
        """Begin an operation."""
        hosts = _hosts(operation)
        for host in hosts:
            try:
                self._link(host)
            except Refused as refused:
                self._crew.refuse(operation, str(refused))
                return
        grace = self._stop_grace if operation.verb in (Verb.STOP, Verb.COLD) else 0.0
        deadline = _DEADLINES[operation.verb] + grace
        self._crew.take(Task(operation, definition, hosts[0], deadline))

    def cancel(self, operation: str) -> None:
        """Ask a live migration to stop."""
        task = self._crew.find(operation)
        if task is not None and task.operation.verb is Verb.LIVE:
            self._crew.cancel(task, self._abort)

    def outcomes(self) -> Sequence[Outcome]:
        """Operations that ended and were not settled yet."""
        return self._crew.outcomes()

    def settle(self, operation: str) -> None:
        """Forget the outcome of one operation."""
        self._crew.settle(operation)

    def on_change(self, wake: Callable[[], None]) -> None:
        """Call ``wake``, from any thread, whenever a view or outcome may have changed."""
        with self._lock:
            self._wakes = (*self._wakes, wake)

    def close(self) -> None:
        """Stop watching and give up what is under way on the hosts: it goes on there.
        Waits at most a few seconds. Closing again does nothing."""
        self._closed.set()
        self._crew.close()
        with self._lock:
            links, self._links, self._wakes = list(self._links.values()), {}, ()
        for link in links:
            link.stop()
        end = Beat(self._pulse)
        for link in links:
            link.join(max(0.0, _CLOSE_S - end.silence()))
        self._pacemaker.join(_CLOSE_S)

    def _pace(self) -> None:
        while not self._closed.wait(self._rhythm):
            self._pulse.tick()
            with self._lock:
                links = list(self._links.values())
            for link in links:
                link.check()
            self._crew.check()

    def _wake(self) -> None:
        with self._lock:
            wakes = self._wakes
        for wake in wakes:
            wake()

    def _begin(self) -> Beat:
        return Beat(self._pulse)

    def _link(self, host: str) -> Link:
        with self._lock:
            link = self._links.get(host)
        if link is None:
            raise Refused(f"no host named {host!r} is attached")
        return link

    def _silence(self, host: str) -> float:
        with self._lock:
            link = self._links.get(host)
        return link.silence() if link is not None else math.inf

    def _act(self, task: Task) -> Act:
        return Act(task, self._link, self._stop_grace)

    def _abort(self, task: Task) -> None:
        moves.abort(self._act(task))

    def _carry_out(self, task: Task) -> None:
        act = self._act(task)
        try:
            self._do(act)
        except (Refused, Fault):
            with suppress(Refused, Fault, Silent):  # what failed may have left its traces
                act.note(*_hosts(task.operation))
            raise

    @staticmethod
    def _do(act: Act) -> None:
        operation = act.operation
        match operation.verb:
            case Verb.START:
                lifecycle.start(act, operation.dst)
            case Verb.STOP:
                lifecycle.stop(act, operation.src)
            case Verb.KILL:
                lifecycle.kill(act, operation.src)
            case Verb.COLD:
                lifecycle.cold(act)
            case Verb.LIVE:
                moves.live(act)


def _hosts(operation: Operation) -> tuple[str, ...]:
    """The hosts it needs, first the one where most of it happens."""
    source = (operation.src,) if operation.verb in _AT_SOURCE else ()
    destination = (operation.dst,) if operation.verb in _AT_DESTINATION else ()
    return source + destination

"""The Hypervisor port of the simulated world: what one controller process can see."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from frota.model.definition import Definition
from frota.model.host import Capacity
from frota.model.sight import Copy, HostView, Outcome
from frota.model.vm import Operation, Verb
from frota.ports.hypervisor import HostAddress
from frota.twin.jobs import Task, begin
from frota.twin.machine import Machine
from frota.twin.mischief import Trouble
from frota.twin.site import Site
from frota.twin.world import TwinClock

_REMEMBERED_MOST = 10_000
_SRC_VERBS = frozenset({Verb.STOP, Verb.KILL, Verb.COLD, Verb.LIVE})
_DST_VERBS = frozenset({Verb.START, Verb.COLD, Verb.LIVE})


@dataclass(slots=True)
class _Sight:
    """What this process last saw of one host; times are the world's."""

    address: HostAddress
    last_beat: float
    beating: bool = False
    incarnation: str = ""
    capacity: Capacity | None = None
    copies: dict[str, Copy] = field(default_factory=dict)
    stale: bool = False  # a change is on its way
    view: HostView | None = None


class TwinHypervisor:
    """One session with the hosts. A controller that starts anew makes a new one: nothing
    is remembered but what the hosts themselves still show.

    A host that was attached and never seen has the time of attaching as ``last_seen``.
    """

    def __init__(self, site: Site, clock: TwinClock) -> None:
        self._site = site
        self._clock = clock
        self._sights: dict[str, _Sight] = {}
        self._open: dict[str, Operation] = {}
        self._outcomes: dict[str, Outcome] = {}
        self._known: dict[str, None] = {}
        self._wake: Callable[[], None] = lambda: None
        self._closed = False
        site.watcher = self
        for job in list(site.jobs.values()):
            job.client_gone(None)

    def close(self) -> None:
        """The process died: it sees and reports nothing from here on."""
        self._closed = True
        self._wake = lambda: None

    # The port

    def attach(self, address: HostAddress) -> None:
        """Begin to watch a host."""
        sight = self._sights.get(address.name)
        if sight is not None and sight.address == address:
            return
        self._sights[address.name] = _Sight(address, self._site.world.now)
        machine = self._site.machines.get(address.name)
        if machine is not None:
            self.found(machine)

    def detach(self, host: str) -> None:
        """Stop watching a host."""
        self._sights.pop(host, None)

    def view(self, host: str) -> HostView:
        """The last known state."""
        sight = self._sights.get(host)
        if sight is None:
            return HostView(host, beating=False, last_seen=0.0, incarnation="", capacity=None)
        last = sight.last_beat
        if sight.beating:
            machine = self._site.machines[host]
            if self._site.sees(machine):
                site = self._site
                last = sight.last_beat = machine.tick(site.world.now, site.pace.beat)
        seen = self._clock.of(last)
        view = sight.view
        if view is None or view.last_seen != seen:
            view = sight.view = HostView(
                host,
                sight.beating,
                seen,
                sight.incarnation,
                sight.capacity,
                sight.copies,
                "" if sight.beating else f"{host} does not answer",
            )
        return view

    def order(self, operation: Operation, definition: Definition | None) -> None:
        """Begin an operation, or adopt it when it runs already."""
        if operation.id in self._known:
            return
        self._remember(operation.id)
        if definition is not None:
            self._site.sizes[operation.vm] = definition.size
        self._open[operation.id] = operation
        running = self._site.jobs.get(operation.id)
        if isinstance(running, Task):
            running.reporter = self._ended
            running.adopted()
            return
        refusal = self._unfit(operation, definition)
        if refusal is not None:
            self._report(operation.id, refusal)
            return
        dead = [host for host in _ends(operation) if not self._in_reach(host)]
        if not dead:
            begin(self._site, operation, self._ended)
            return
        lost = Outcome(operation.id, f"{dead[0]} did not answer", unknown=True)
        self._report(operation.id, lost, 2 * self._site.pace.beat)

    def _unfit(self, operation: Operation, definition: Definition | None) -> Outcome | None:
        """Why the order cannot be sent. Of a silent host nothing is known: a process before
        this one may have begun the operation there."""
        if operation.verb in (Verb.START, Verb.COLD) and definition is None:
            return Outcome(operation.id, f"{operation.verb} of {operation.vm}: no definition")
        for host in _ends(operation):
            sight = self._sights.get(host)
            if sight is None or host not in self._site.machines:
                return Outcome(operation.id, f"no host {host!r} is attached")
            if not sight.beating:
                return Outcome(operation.id, f"{host} cannot be reached", unknown=True)
        return None

    def _in_reach(self, host: str) -> bool:
        machine = self._site.machines[host]
        return machine.up and not machine.net_cut and not self._site.controller_cut

    def cancel(self, operation: str) -> None:
        """Ask a live migration to stop."""
        job = self._site.jobs.get(operation)
        if isinstance(job, Task) and operation in self._open:
            src = job.operation.src
            if src and self._in_reach(src):
                delay = self._site.pace.notice.draw(self._site.world.rng)
                self._site.world.after(delay, lambda: None if job.over else job.cancel())

    def outcomes(self) -> Sequence[Outcome]:
        """Operations that ended and were not settled."""
        return tuple(self._outcomes.values())

    def settle(self, operation: str) -> None:
        """Forget one outcome."""
        self._outcomes.pop(operation, None)

    def on_change(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` on every change."""
        self._wake = wake

    # The site's watcher

    def noticed(self, machine: Machine) -> None:
        """Something changed on a host: it is seen a moment later."""
        sight = self._sights.get(machine.name)
        if sight is None or sight.stale or self._closed or not sight.beating:
            return
        sight.stale = True
        delay = self._site.pace.notice.draw(self._site.world.rng)
        self._site.world.after(delay, lambda: self._refresh(machine, sight))

    def lost(self, machine: Machine) -> None:
        """A host ceased to answer: it is silent from its next beat on."""
        sight = self._sights.get(machine.name)
        if sight is None or self._closed or not sight.beating:
            return
        site = self._site
        sight.last_beat = machine.tick(site.world.now, site.pace.beat)
        token = machine.lost_token
        site.world.at(sight.last_beat + site.pace.beat, lambda: self._silent(machine, sight, token))

    def found(self, machine: Machine) -> None:
        """A host answers: its next beat is heard, or a new connection made."""
        sight = self._sights.get(machine.name)
        if sight is None or self._closed or not self._site.sees(machine):
            return
        world, pace = self._site.world, self._site.pace
        token = machine.lost_token
        when = machine.tick(world.now, pace.beat) + pace.beat if sight.incarnation else world.now
        world.at(when + pace.connect.draw(world.rng), lambda: self._heard(machine, sight, token))

    # What follows

    def _current(self, machine: Machine, sight: _Sight) -> bool:
        return not self._closed and self._sights.get(machine.name) is sight

    def _silent(self, machine: Machine, sight: _Sight, token: int) -> None:
        if machine.lost_token != token or not self._current(machine, sight):
            return
        sight.beating = False
        sight.view = None
        for operation in list(self._open.values()):
            if machine.name not in _ends(operation) or operation.id in self._outcomes:
                continue
            job = self._site.jobs.get(operation.id)
            if isinstance(job, Task) and machine.name not in job.tellers():
                continue
            self._publish(Outcome(operation.id, f"{machine.name} fell silent", unknown=True))
        self._wake()

    def _heard(self, machine: Machine, sight: _Sight, token: int) -> None:
        if machine.lost_token != token or not self._current(machine, sight):
            return
        sight.beating = True
        machine.connected()
        sight.last_beat = machine.tick(self._site.world.now, self._site.pace.beat)
        self._look(machine, sight)
        self._wake()

    def _refresh(self, machine: Machine, sight: _Sight) -> None:
        if not sight.stale or not self._current(machine, sight):
            return
        sight.stale = False
        if self._site.sees(machine) and sight.beating:
            self._look(machine, sight)
            self._wake()

    def _look(self, machine: Machine, sight: _Sight) -> None:
        sight.stale = False
        sight.incarnation = machine.incarnation
        sight.capacity = machine.capacity
        sight.copies = dict(machine.copies)
        sight.view = None

    def _ended(self, job: Task, error: str) -> None:
        """A job ended in the world; its end is seen a moment later, if at all."""
        if self._closed:
            return
        rng = self._site.world.rng
        delay = self._site.pace.notice.draw(rng)
        lost = job.trouble is Trouble.LOSE
        outcome = Outcome(job.id, "the answer was lost" if lost else error, unknown=lost)
        self._report(job.id, outcome, delay, job.tellers())

    def _report(
        self, operation: str, outcome: Outcome, delay: float = 0.0, tellers: Sequence[str] = ()
    ) -> None:
        self._site.world.after(delay, lambda: self._tell(operation, outcome, tellers))

    def _tell(self, operation: str, outcome: Outcome, tellers: Sequence[str]) -> None:
        """Show an outcome if every host that tells it is in sight; else silence tells."""
        ordered = self._open.get(operation)
        if self._closed or ordered is None:
            return
        site = self._site
        for host in tellers:
            sight = self._sights.get(host)
            if sight is None or not sight.beating:
                outcome = Outcome(operation, f"{host} fell silent", unknown=True)
            elif not site.sees(site.machines[host]):
                self._report(operation, outcome, site.pace.beat, tellers)
                return
        for host in _ends(ordered):
            sight = self._sights.get(host)
            if sight is not None and sight.beating and site.sees(site.machines[host]):
                self._look(site.machines[host], sight)
        self._publish(outcome)
        self._wake()

    def _publish(self, outcome: Outcome) -> None:
        self._open.pop(outcome.operation, None)
        self._outcomes[outcome.operation] = outcome

    def _remember(self, operation: str) -> None:
        self._known[operation] = None
        if len(self._known) > _REMEMBERED_MOST:
            del self._known[next(iter(self._known))]


def _ends(operation: Operation) -> tuple[str, ...]:
    """The hosts an operation needs."""
    ends = []
    if operation.verb in _SRC_VERBS:
        ends.append(operation.src)
    if operation.verb in _DST_VERBS:
        ends.append(operation.dst)
    return tuple(ends)

"""One host with its agent, shared storage and the controller's observer, in real time.

Each side has a clock of its own that runs up to one per cent fast or slow. Everything
that can be late is: writes, reads, the agent's own steps, the end of a VM. Without a
watchdog the host's lateness is bounded (that is what the margin is for); with one it is
not. ``check`` fails as soon as there is a proof while VMs run.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from frota.drivers.fence.lease.holder import Holder, Identity, Memory
from frota.drivers.fence.lease.observer import Finding, Observer
from frota.drivers.fence.lease.records import Order, Slot, Terms, Verb

STEP = 0.25
HOST = "a"
LIFE = "life-1"


class VmsRun(AssertionError):
    """There is a proof, and VMs run."""


@dataclass
class Flight:
    """A round of the agent's reads and writes that is under way."""

    slot: Slot | None
    memory: Memory | None
    landed: bool = False


@dataclass
class Knobs:
    """What a test chooses once for a whole run."""

    agent_rate: float = 1.0
    controller_rate: float = 1.0
    watchdog: bool = False
    io_steps: int = 0  # steps that a round of the agent takes
    kill_steps: int = 2  # steps from the order to end the VMs until they are gone
    read_lag: float = 0.0  # how long before and after the moment of a read it spans


@dataclass
class Model:
    """The whole arrangement; ``t`` is true time in seconds."""

    knobs: Knobs = field(default_factory=Knobs)
    terms: Terms = field(default_factory=Terms)
    t: float = 0.0
    vms: bool = True
    slot: Slot | None = None
    order: Order | None = None
    agent_storage: bool = True
    controller_storage: bool = True
    memory: Memory | None = None
    boots: int = 1
    held_until: float = 0.0  # the agent does nothing before this time
    agent_up: bool = True
    host_up: bool = True
    blind_until: float = 0.0  # the controller does nothing before this time
    in_service: bool = True
    asked: bool = False
    ordered: bool = False
    proofs: int = 0
    petted: float = 0.0
    kill_left: int = -1
    io_left: int = 0
    next_io: float = 0.0
    next_round: float = 0.0
    unkillable: bool = False
    flight: Flight | None = None

    def __post_init__(self) -> None:
        self.holder = self._new_holder()
        self.observer = Observer(self.terms)

    # Clocks.

    @property
    def agent_now(self) -> float:
        return 1000.0 + self.t * self.knobs.agent_rate

    @property
    def controller_now(self) -> float:
        return 5000.0 + self.t * self.knobs.controller_rate

    # What a test does to it.

    def hold_agent(self, seconds: float) -> None:
        self.held_until = max(self.held_until, self.t + seconds)

    def restart_agent(self, after: float) -> None:
        """``kill -9``, and the service manager starts it again; a round under way may
        still land, once."""
        self.agent_up = self.host_up
        self.kill_left = -1
        if self.flight is not None and self.flight.slot is not None and self.agent_storage:
            self._land(self.flight)
        self.flight = None
        self.holder = self._new_holder()
        self.hold_agent(after)
        if self.petted == float("inf"):
            self.petted = self.t + after  # opening the watchdog arms it again

    def stop_agent(self) -> None:
        self.holder.stop()

    def start_agent(self) -> None:
        if self.host_up and not self.agent_up:
            self.restart_agent(0.0)

    def lose_agent_unnoticed(self) -> None:
        """The agent dies for good while the host is in service and the controller can
        read: only a watchdog would end the VMs, yet nothing may be concluded from it."""
        if self.in_service and not self.asked and self.controller_storage:
            self.agent_up = False
            self.run(max(0.0, self.blind_until - self.t) + self.terms.proof + 8.0)

    def crash_host(self) -> None:
        self.vms = self.agent_up = self.host_up = False
        self.flight, self.memory, self.kill_left = None, None, -1

    def boot_host(self) -> None:
        if not self.host_up:
            self.boots += 1
            self.host_up = self.agent_up = True
            self.memory, self.petted = None, self.t
            self.holder = self._new_holder()

    def start_vms(self) -> None:
        """Only a host in service gets VMs; libvirt comes up after the agent has joined."""
        joining = self.agent_up and not self.holder.ready
        if self.in_service and self.host_up and not joining:
            self.vms = True

    def probe(self) -> None:
        if self.in_service:
            self.in_service = False
            self.run(2.0)  # a host is silent for longer than this before anybody asks
        self.asked = True
        self.observer.ask(HOST, LIFE, self.controller_now)

    def kill(self) -> None:
        self.probe()
        self.ordered = True

    def forget(self) -> None:
        """The host is let back into service: only when it is there."""
        if not self.host_up:
            return
        self.observer.forget(HOST)
        self.asked = self.ordered = False
        self.in_service = True
        if self.order is not None and self.order.verb is Verb.FENCE:
            self._write_order(replace_verb(self.order, Verb.RESUME))

    def restart_controller(self) -> None:
        """Everything in memory is lost; what was asked is asked again."""
        self.observer = Observer(self.terms)
        if self.order is not None and self.order.distrusted >= 0:
            self.observer.distrust(HOST, self.order.incarnation, self.order.distrusted)
        if self.asked:
            self.observer.ask(HOST, LIFE, self.controller_now)

    # Time.

    def run(self, seconds: float) -> None:
        for _ in range(max(1, round(seconds / STEP))):
            self.t += STEP
            self._watchdog()
            if self.agent_up and self.t >= self.held_until:
                self._agent_step()
            if self.t >= self.next_round and self.t >= self.blind_until:
                self.next_round = self.t + 1.0
                self._controller_round()
            self.check()

    def check(self) -> None:
        evidence = self.observer.evidence(HOST, LIFE)
        if evidence is not None and evidence.finding is Finding.PROVED:
            self.proofs += 1
            if self.vms:
                raise VmsRun(f"at {self.t}: {evidence.message}")

    # The host.

    def _new_holder(self) -> Holder:
        identity = Identity(HOST, "space", "machine", f"boot{self.boots}", self.knobs.watchdog)
        return Holder(identity, self.terms, self.memory)

    def _agent_step(self) -> None:
        holder, now = self.holder, self.agent_now
        if holder.done and self.flight is None:
            self.agent_up = False
            self.petted = float("inf")  # disarmed
            return
        holder.tick(now)
        self._sweep()
        self._round_trip(now)
        self.memory = holder.memory()
        if holder.pets(now):
            self.petted = self.t

    def _sweep(self) -> None:
        if not self.holder.ends:
            self.kill_left = -1
            return
        if not self.vms or self.unkillable:
            self.holder.swept(1 if self.vms else 0)
        elif self.kill_left < 0:
            self.kill_left = self.knobs.kill_steps
        elif self.kill_left == 0:
            self.vms, self.kill_left = False, -1
            self.holder.swept(0)
        else:
            self.kill_left -= 1

    def _round_trip(self, now: float) -> None:
        if self.flight is None and self.t >= self.next_io:
            self.flight = Flight(self.holder.to_write(now), self.holder.memory())
            self.io_left = self.knobs.io_steps
            self.next_io = self.t + 1.0
        if self.flight is None or not self.agent_storage:
            return  # a round that storage does not answer simply hangs
        if self.io_left > 0:
            self.io_left -= 1
            return
        flight, self.flight = self.flight, None
        before = self.slot
        if flight.slot is not None and self.holder.owns(before):
            self._land(flight)
            self.holder.wrote(flight.slot)
        self.holder.read(before, self.order, now)

    def _land(self, flight: Flight) -> None:
        self.slot = flight.slot

    def _watchdog(self) -> None:
        armed = self.knobs.watchdog and self.host_up
        if armed and (self.t - self.petted) * self.knobs.agent_rate >= self.terms.watchdog:
            self.crash_host()

    # The controller.

    def _controller_round(self) -> None:
        now = self.controller_now
        if not self.controller_storage:
            self.observer.missed(HOST, "no answer", now)
            return
        lag = self.knobs.read_lag
        self.observer.found(HOST, self.slot, now - lag, now + lag)
        bound = self.observer.bound(HOST, LIFE)
        if self.ordered and bound is not None:
            noted = self.observer.distrusted(HOST, bound.incarnation)
            wanted = Order(HOST, "space", bound.incarnation, Verb.FENCE, noted)
            if self.order != wanted:
                self._write_order(wanted)
        self._note_distrust()

    def _note_distrust(self) -> None:
        slot = self.slot
        if self.asked or slot is None:
            return
        noted = self.observer.distrusted(HOST, slot.incarnation)
        if noted < 0:
            return
        verb = Verb.NONE
        if self.order is not None and self.order.incarnation == slot.incarnation:
            verb = self.order.verb
        wanted = Order(HOST, "space", slot.incarnation, verb, noted)
        if self.order != wanted:
            self._write_order(wanted)

    def _write_order(self, order: Order) -> None:
        if self.controller_storage:
            self.order = order


def replace_verb(order: Order, verb: Verb) -> Order:
    return Order(order.host, order.space, order.incarnation, verb, order.distrusted)

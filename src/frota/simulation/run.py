"""One simulated world with the production controller in it."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from frota.controllers.desired import desired_group
from frota.controllers.hostgroup import HostGroupController
from frota.model.host import Capacity
from frota.model.vm import Operation, Verb
from frota.ports.store import Conflict, Write
from frota.resources.quantity import MIB, whole_units
from frota.runtime.loop import PAUSE_S
from frota.simulation.ports import (
    Fuse,
    KilledController,
    WatchedFence,
    WatchedHypervisor,
    WatchedStore,
)
from frota.simulation.scenario import Document
from frota.store.memory import MemoryStore
from frota.twin import (
    Bmc,
    Chances,
    Pace,
    Site,
    TwinClock,
    TwinFence,
    TwinHypervisor,
    TwinWitness,
    World,
)
from frota.twin.invariants import Checker

_RESTART_S = 2.0
_CRASHED_S = 600.0
_INSTANT_S = 1e-6
_PASSES_MOST = 50  # at one instant; more is a controller that never rests
_HOST_VMS = 1000
_REST_PASSES = 1000  # since the last fault, beside one a minute: nothing needs so many


@dataclass(slots=True)
class Tally:
    """What the controller ordered, by kind, with times; for expectations."""

    orders: list[tuple[float, Operation]] = field(default_factory=list)
    passes: int = 0
    events: int = 0

    def count(self, wanted: Callable[[Operation], bool], since: float = 0.0) -> int:
        """Orders from a time on that match."""
        return sum(1 for at, operation in self.orders if at >= since and wanted(operation))


class Run:
    """A world, its controller, and the checker between them."""

    def __init__(
        self,
        documents: tuple[Document, ...],
        seed: int,
        *,
        chances: Chances | None = None,
        fences: Mapping[str, str] | None = None,
    ) -> None:
        group = next(item for item in documents if item["kind"] == "HostGroup")
        spec = desired_group(group)
        timers = spec.policy.timers
        self.group = spec.name
        self.world = World(seed)
        pace = Pace(
            beat=timers.beat,
            lease=timers.lease,
            lease_renew=timers.lease_renew,
            lease_margin=timers.lease_margin,
        )
        self.site = Site(self.world, pace, chances, leases=spec.policy.lease_usable)
        self.witnessed = bool(spec.witness)
        self.store = MemoryStore()
        self.fuse = Fuse()
        self.tally = Tally()
        self.clock = TwinClock(self.world)
        self.checker = Checker(self.site, spec.policy, self._now)
        self._watched = WatchedStore(self.store, self.checker, self.fuse)
        self._seeds = random.Random(seed)  # noqa: S311 - simulation, not secrets
        self._controller: HostGroupController | None = None
        self._hypervisor: TwinHypervisor | None = None
        self._due = math.inf
        self._last = (-1.0, 0)
        self.after_pass: Callable[[], None] = lambda: None
        for host in group["spec"]["hosts"]:
            self.put_up(host, (fences or {}).get(host["name"], ""))
        for document in documents:
            self.apply(document)
        self.start_controller()

    def _now(self) -> float:
        return self.clock.now()

    # The world

    def put_up(self, host: Mapping[str, Any], fence: str = "") -> None:
        """Build the machine of a declared host, if there is none."""
        if host["name"] in self.site.machines:
            return
        bmc = Bmc.WORKS if host["fence"] else Bmc.ABSENT
        self.site.add(host["name"], found_capacity(host["capacity"]), Bmc(fence) if fence else bmc)

    # What people ask for

    def apply(self, document: Document) -> None:
        """Store a document, as ``frota apply`` does."""
        kind, name = document["kind"], document["metadata"]["name"]
        self.write(kind, name, document)
        if kind == "HostGroup":
            self.checker.policy(desired_group(document).policy)

    def document(self, kind: str, name: str) -> Document:
        """A stored document; there must be one."""
        entry = self.store.get(kind, name)
        if entry is None:
            raise KeyError(f"no {kind} {name}")
        value: Document = entry.value
        return value

    def write(self, kind: str, name: str, value: object) -> None:
        """Write past the controller, which is told."""
        writes = [Write(kind, name, value, None)]
        self.store.commit(writes)
        self.checker.committed(writes)
        self.checker.fault()
        self.wake()

    # The controller

    def start_controller(self) -> None:
        """A new process on the same store; it remembers nothing."""
        last_known = self.clock.now()
        self.clock = TwinClock(self.world, last_known)
        self._hypervisor = TwinHypervisor(self.site, self.clock)
        fence = TwinFence(self.site)
        port = WatchedHypervisor(self._hypervisor, self.checker, self.fuse, self._told)
        self.checker.watch(self._hypervisor.view)
        self._hypervisor.on_change(self.wake)
        fence.on_change(self.wake)
        self._controller = HostGroupController(
            self.group,
            store=self._watched,
            hypervisor=port,
            fence=WatchedFence(fence, self.fuse),
            witness=TwinWitness(self.site, configured=self.witnessed),
            clock=self.clock,
            rng=random.Random(self._seeds.getrandbits(32)),  # noqa: S311 - simulation
        )
        self.wake()

    def kill_controller(self, down_s: float = _RESTART_S) -> None:
        """The process dies; another takes over after a while."""
        self.fuse.left = 0
        if self._controller is None:
            return
        self._controller = None
        if self._hypervisor is not None:
            self._hypervisor.close()
        self._due = math.inf
        self.checker.fault()
        self.world.after(down_s, self.start_controller)

    def wake(self) -> None:
        """Something may have changed: let the controller look soon."""
        if self._controller is not None:
            self._due = min(self._due, self.world.now + PAUSE_S)

    def _told(self, operation: Operation) -> None:
        self.tally.orders.append((self.world.now, operation))

    def _pass(self) -> None:
        controller = self._controller
        if controller is None:
            return
        now = self.world.now
        self.tally.passes += 1
        if self.checker.restless(now, _REST_PASSES):
            self._restless()
            return
        self._last = (now, self._last[1] + 1) if self._last[0] == now else (now, 1)
        self._due = math.inf
        try:
            result = controller.reconcile()
        except KilledController:
            self.kill_controller()
            return
        except Conflict:
            self._due = now
            return
        except Exception as error:  # noqa: BLE001 - whatever it raises is a finding
            self.checker.raised(error)
            self.kill_controller(_CRASHED_S)
            return
        again = result.again_at
        if again is not None:
            wait = again - self.clock.now()
            # A deadline a rounding error away must not be waited for at one instant forever.
            self._due = min(self._due, now + (max(wait, _INSTANT_S) if wait > 0 else 0.0))
        if self._last[1] > _PASSES_MOST:
            self.checker.acted_idle(f"the controller looked {self._last[1]} times at one instant")
            self._due = now + _CRASHED_S
        if self._due > now:
            self.checker.settled()
            self.after_pass()
            if self._seeds.random() < self.site.chances.extra_look:
                self._look_again(controller)

    def _restless(self) -> None:
        """Passes without end although nothing happens: say so, and stop the controller."""
        last = self.tally.orders[-4:]
        acts = ", ".join(f"{operation.verb} of {operation.vm}" for _, operation in last)
        what = f"{_REST_PASSES} passes since the last fault; the last orders: {acts or 'none'}"
        self.checker.acted_idle(what)
        self.checker.fault()
        self.kill_controller(_CRASHED_S)

    def _look_again(self, controller: HostGroupController) -> None:
        """I14: a wake-up that was sent twice. The second look must do nothing."""
        orders, revision = len(self.tally.orders), self.store.commit(())
        controller.doubt()
        try:
            controller.reconcile()
        except KilledController:
            self.kill_controller()
            return
        if len(self.tally.orders) > orders or self.store.commit(()) > revision:
            last = self.tally.orders[-1][1] if len(self.tally.orders) > orders else None
            what = f"{last.verb} of {last.vm}" if last is not None else "a commit"
            self.checker.repeated(f"a second look at the same instant led to {what}")

    def tick(self, seconds: float) -> None:
        """Let time pass, then let the controller look though nothing happened."""
        self.run_until(self.world.now + seconds)
        self._pass()
        self.checker.happened()

    def moves(self) -> int:
        """Live and cold moves ordered so far."""
        return self.tally.count(is_move)

    def restarts(self) -> int:
        """Starts ordered so far of VMs that had run before."""
        return self.tally.count(lambda op: op.verb is Verb.START and op.epoch > 1)

    def run_until(self, end: float) -> None:
        """Let the world and the controller run on, checking after every event."""
        world, checker, tally = self.world, self.checker, self.tally
        while True:
            if self._due < world.next_at:
                if self._due > end:
                    break
                world.now = max(world.now, self._due)
                self._pass()
            else:
                if world.next_at > end:
                    break
                world.step()
                tally.events += 1
            checker.happened()
        world.now = max(world.now, end)


def found_capacity(short: Mapping[str, Any]) -> Capacity:
    """What a machine has, from what its host declares."""
    gpus = tuple(sorted((gpu["model"], gpu["count"]) for gpu in short.get("gpus", ())))
    return Capacity(
        whole_units(short["memory"], MIB), short["cpus"], short.get("vms", _HOST_VMS), gpus
    )


def is_move(operation: Operation) -> bool:
    """Whether an order moves a VM by choice or for a drain."""
    return operation.verb in (Verb.LIVE, Verb.COLD)

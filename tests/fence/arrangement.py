"""A group of two hosts in virtual time, on the production code: the composite, the lease
watch and the host agents' loop, with a real directory between them.

Only the outermost things are made up: the fence devices, the VMs, the clock.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from frota.drivers.fence.agents import DeviceError
from frota.drivers.fence.fencing import GroupFence
from frota.drivers.fence.host.disk import Errand, Report, perform
from frota.drivers.fence.host.loop import Agent, Surroundings
from frota.drivers.fence.host.memory import Place
from frota.drivers.fence.host.notify import Notify
from frota.drivers.fence.lease.holder import Holder, Identity
from frota.drivers.fence.lease.records import Terms
from frota.drivers.fence.lease.space import Space
from frota.drivers.fence.lease.watch import LeaseWatch

TICK = 0.25
TERMS = Terms()


@dataclass
class ManualClock:
    at: float = 1000.0

    def now(self) -> float:
        return self.at


@dataclass
class ManualWorkers:
    """Jobs run when ``run_due`` is called, in the order in which they are due."""

    clock: ManualClock
    jobs: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    count: itertools.count[int] = field(default_factory=itertools.count)
    closed: bool = False

    def submit(self, job: Callable[[], None], after: float) -> None:
        heapq.heappush(self.jobs, (self.clock.at + after, next(self.count), job))

    def close(self) -> None:
        self.closed = True
        self.jobs.clear()

    def run_due(self) -> None:
        while self.jobs and self.jobs[0][0] <= self.clock.at:
            heapq.heappop(self.jobs)[2]()


@dataclass
class Machine:
    """One host: whether it has power, and whether a VM runs."""

    name: str
    life: int = 1
    powered: bool = True
    vm: bool = True
    device_works: bool = True
    storage: bool = True
    unkillable: bool = False
    sweeps: int = 0

    def lose_power(self) -> None:
        self.powered = self.vm = False

    def look(self) -> None:
        pass

    def sweep(self, *, thorough: bool) -> Sequence[str]:
        self.sweeps += 1
        self.vm = self.vm and self.unkillable
        return ["vm"] if self.vm else []


@dataclass
class FakeDevice:
    """Switches one machine off, unless it is broken."""

    machine: Machine
    name: str = "fence_fake"
    asked: int = 0

    def is_off(self) -> bool:
        self._answer()
        return not self.machine.powered

    def switch_off(self) -> None:
        self._answer()
        self.machine.lose_power()

    def _answer(self) -> None:
        self.asked += 1
        if not self.machine.device_works:
            raise DeviceError(f"{self.name}: no answer")


@dataclass
class InlineRounds:
    """A host's reads and writes, at once; without storage a round hangs until it is back."""

    space: Space
    machine: Machine
    errand: Errand | None = None

    @property
    def idle(self) -> bool:
        return self.errand is None

    def submit(self, errand: Errand) -> None:
        self.errand = errand

    def wait(self, seconds: float) -> Report | None:
        if self.errand is None or not self.machine.storage:
            return None
        errand, self.errand = self.errand, None
        return perform(self.space, errand)


class Arrangement:
    """Implements ``tests.contract.fence.FenceWorld``."""

    def __init__(self, root: Path, *, devices: bool, leases: bool) -> None:
        self.clock = ManualClock()
        self.workers = ManualWorkers(self.clock)
        self.machines = {name: Machine(name) for name in ("a", "b")}
        self.devices = {
            name: [FakeDevice(machine)] if devices else []
            for name, machine in self.machines.items()
        }
        self.root = root
        self.space = Space(root / "leases")
        self.space.path.mkdir()
        self.leases = leases
        self.agents: dict[str, Agent] = {}
        self.holders: dict[str, Holder] = {}
        self.said: list[str] = []
        self._places: list[Place] = []
        self.watch: LeaseWatch | None = None
        self.fence = self.controller()
        for name in self.machines if leases else ():
            self.start_agent(name)
        self.settle(2)

    def controller(self) -> GroupFence:
        """A new controller process, which remembers nothing."""
        if self.leases:
            self.watch = LeaseWatch(self.space, TERMS, self.clock)
            self.watch.round()
        return GroupFence(self.devices, self.watch, self.workers, self.clock)

    def start_agent(self, name: str) -> None:
        machine = self.machines[name]
        marker = self.space.marker()
        place = Place(self.root / f"run-{name}-{machine.life}", name)
        self._places.append(place)
        memory = place.load()
        identity = Identity(name, marker.space, f"machine-{name}", f"boot-{machine.life}")
        holder = Holder(identity, marker.terms, memory)
        around = Surroundings(
            disk=InlineRounds(self.space, machine),
            place=place,
            reaper=machine,
            clock=self.clock,
            say=self.said.append,
            notify=Notify(""),
        )
        self.holders[name] = holder
        self.agents[name] = Agent(holder, around)

    def kill_agent(self, name: str) -> None:
        """The process is gone; so is its lock."""
        del self.agents[name]
        for place in self._places:
            place.close()
        self._places.clear()

    def close(self) -> None:
        self.fence.close()
        for place in self._places:
            place.close()

    # FenceWorld

    def incarnation(self, host: str) -> str:
        return f"{host}-{self.machines[host].life}"

    def runs_vms(self, host: str) -> bool:
        return self.machines[host].vm

    def power_off(self, host: str) -> None:
        self.machines[host].lose_power()

    def hang(self, host: str) -> None:
        """The loop does not ask libvirt for anything, so nothing changes for it."""

    def cut(self, host: str) -> None:
        self.machines[host].storage = False
        self.break_devices(host)

    def break_devices(self, host: str) -> None:
        self.machines[host].device_works = False

    def mend_devices(self, host: str) -> None:
        self.machines[host].device_works = True

    def revive(self, host: str) -> None:
        """Boots if it had lost its power; else its agent goes on, once it is let back."""
        machine = self.machines[host]
        machine.life += 1
        machine.storage = machine.device_works = True
        if not machine.powered:
            machine.powered = True
            if self.leases:
                self.start_agent(host)
        self.settle(3)
        machine.vm = True

    def wait_until(self, condition: Callable[[], bool], within: float) -> None:
        end = self.clock.at + within
        while not condition():
            assert self.clock.at < end, f"not within {within} s"
            self.step()

    def settle(self, seconds: float) -> None:
        end = self.clock.at + seconds
        while self.clock.at < end:
            self.step()

    def step(self) -> None:
        self.clock.at += TICK
        for name, agent in self.agents.items():
            if self.machines[name].powered:
                agent.step(0)
        self.workers.run_due()
        if self.watch is not None and self.clock.at % 1 == 0:
            self.watch.round()

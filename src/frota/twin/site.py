"""The ground truth of one host group, and all that may happen to it.

What a controller believes never enters here. Invariants are judged against this.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Protocol

from frota.model.host import Capacity, Size
from frota.model.sight import Copy, CopyState
from frota.twin.chance import Chances, Pace
from frota.twin.machine import Bmc, Machine, Usage
from frota.twin.mischief import Mischief
from frota.twin.world import World

_LIVE = frozenset({CopyState.RUNNING, CopyState.PAUSED, CopyState.OUTGOING})
_TAKES_ROOM = _LIVE | {CopyState.INCOMING}
_DRIFT_MOST = 0.005
_REBOOT_S = 75.0  # a reset by the watchdog, until the daemon answers again


class Crash(StrEnum):
    """How a host may die."""

    KERNEL = "kernel"  # still has power
    POWER_OFF = "power-off"  # its power controller says so
    POWER_LOSS = "power-loss"  # its power controller is dead too


class Leftovers(StrEnum):
    """What a host still shows of its old guests when it boots."""

    NONE = "none"
    DEFINED = "defined"
    RUNNING = "running"  # started by the host itself, against all rules


class Job(Protocol):
    """An operation that runs in the world, whether or not its controller lives."""

    id: str

    def machine_died(self, machine: Machine) -> None:
        """An end of the job lost all its guests."""
        ...

    def client_gone(self, machine: Machine | None) -> None:
        """The controller lost sight of one end, or (None) of everything."""
        ...

    def claims(self, machine: Machine) -> Size | None:
        """The room it will take on a host beyond the copies that are there already."""
        ...


class Watcher(Protocol):
    """Whoever sees the hosts through the hypervisor port."""

    def noticed(self, machine: Machine) -> None:
        """Something changed on a host."""
        ...

    def lost(self, machine: Machine) -> None:
        """A host ceased to answer."""
        ...

    def found(self, machine: Machine) -> None:
        """A host answers again."""
        ...


class Site:
    """Hosts, their network and storage, and the jobs that run on them."""

    def __init__(
        self,
        world: World,
        pace: Pace | None = None,
        chances: Chances | None = None,
        *,
        leases: bool = False,
    ) -> None:
        self.world = world
        self.pace = pace or Pace()
        self.chances = chances or Chances()
        self.leases = leases
        self.machines: dict[str, Machine] = {}
        self.jobs: dict[str, Job] = {}
        self.sizes: dict[str, Size] = {}
        self.mischief = Mischief(world.rng, self.chances)
        self.controller_cut = False
        self.controller_storage_cut = False
        self.watcher: Watcher | None = None
        self.doubles: set[str] = set()  # VMs with two running copies, which must not be
        self.version = 0  # grows with every change of what runs where
        self._live: dict[str, list[str]] = {}

    # What is

    def add(self, name: str, capacity: Capacity, bmc: Bmc = Bmc.WORKS) -> Machine:
        """Put up a host, powered on and healthy."""
        phase = (len(self.machines) * 0.377) % 1.0 * self.pace.beat
        drift = 1.0 + _DRIFT_MOST * (2 * self.world.rng.random() - 1)
        machine = self.machines[name] = Machine(name, capacity, phase, drift)
        machine.bmc = bmc
        if self.watcher is not None:
            self.watcher.found(machine)
        return machine

    def sees(self, machine: Machine) -> bool:
        """Whether the controller can reach the host's daemon."""
        return not self.controller_cut and machine.answers

    def hosts_of(self, vm: str) -> tuple[str, ...]:
        """Where copies of a VM really run, those started against the rules left out."""
        return tuple(self._live.get(vm, ()))

    @property
    def running(self) -> Mapping[str, list[str]]:
        """The hosts of every VM that really runs."""
        return self._live

    def usage(self, machine: Machine) -> Usage:
        """What running and arriving guests take, with what has been ordered. Guests that
        the host started against the rules are left out: nobody could plan for them."""
        usage = Usage()
        for vm, copy in machine.copies.items():
            if copy.state in _TAKES_ROOM and vm in self.sizes and vm not in machine.rogues:
                usage.add(self.sizes[vm])
        for job in self.jobs.values():
            size = job.claims(machine)
            if size is not None:
                usage.add(size)
        return usage

    # Changes made by jobs

    def put(self, machine: Machine, copy: Copy) -> None:
        """Set one copy."""
        before = machine.copies.get(copy.vm)
        machine.copies[copy.vm] = copy
        was = before is not None and before.state in _LIVE and copy.vm not in machine.rogues
        if not was and copy.state in _LIVE:
            self._goes_live(copy.vm, machine.name)
        elif was and copy.state not in _LIVE:
            self._ends(copy.vm, machine.name)
        machine.rogues.discard(copy.vm)
        self.version += 1

    def drop(self, machine: Machine, vm: str) -> None:
        """Remove one copy and what is defined of it."""
        copy = machine.copies.pop(vm, None)
        if copy is not None and copy.state in _LIVE and vm not in machine.rogues:
            self._ends(vm, machine.name)
        machine.rogues.discard(vm)
        self.version += 1

    def recognise(self, vm: str, host: str, epoch: int) -> None:
        """The controller takes a copy that a host started by itself for its own."""
        machine = self.machines.get(host)
        if machine is not None and vm in machine.rogues and machine.copies[vm].epoch == epoch:
            machine.rogues.discard(vm)
            self._goes_live(vm, host)

    def _goes_live(self, vm: str, host: str) -> None:
        hosts = self._live.setdefault(vm, [])
        hosts.append(host)
        if len(hosts) > 1:
            self.doubles.add(vm)

    def _ends(self, vm: str, host: str) -> None:
        hosts = self._live[vm]
        hosts.remove(host)
        if not hosts:
            del self._live[vm]
        if len(hosts) < 2:
            self.doubles.discard(vm)

    def notice(self, machine: Machine) -> None:
        """Let a change be seen by whoever can."""
        if self.watcher is not None:
            self.watcher.noticed(machine)

    # What may happen

    def crash(self, host: str, how: Crash = Crash.KERNEL) -> None:
        """The host dies with all its guests."""
        machine = self.machines[host]
        saw = self.sees(machine)
        if how is not Crash.KERNEL:
            machine.powered = False
        if how is Crash.POWER_LOSS and machine.bmc is Bmc.WORKS:
            machine.bmc = Bmc.FAILS
        if machine.up:
            machine.up = False
            self._guests_die(machine)
        self._settle(machine, saw)

    def boot(
        self,
        host: str,
        capacity: Capacity | None = None,
        leftovers: Leftovers = Leftovers.DEFINED,
    ) -> None:
        """A dead host comes up with a new incarnation; a living one does nothing."""
        machine = self.machines[host]
        if machine.up:
            return
        saw = self.sees(machine)
        machine.powered = machine.up = True
        machine.known_life = machine.life
        machine.hung = machine.agent_hung = False
        if machine.bmc is Bmc.FAILS:
            machine.bmc = Bmc.WORKS
        if capacity is not None:
            machine.capacity = capacity
        if leftovers is Leftovers.NONE:
            machine.copies.clear()
        elif leftovers is Leftovers.RUNNING:
            machine.rogues.update(machine.copies)
            machine.copies = {
                vm: Copy(vm, old.epoch, CopyState.RUNNING) for vm, old in machine.copies.items()
            }
        self.version += 1
        self._settle(machine, saw)

    def hang(self, host: str, *, agent: bool = False) -> None:
        """The daemon freezes, the guests run on; with ``agent`` the lease agent too."""
        machine = self.machines[host]
        saw = self.sees(machine)
        machine.hung = True
        machine.agent_hung = machine.agent_hung or agent
        self._settle(machine, saw)

    def thaw(self, host: str) -> None:
        """A frozen daemon goes on, and does what it was told meanwhile."""
        machine = self.machines[host]
        saw = self.sees(machine)
        machine.hung = machine.agent_hung = False
        backlog, machine.backlog = machine.backlog, []
        for act in backlog:
            self.world.after(self.pace.notice.draw(self.world.rng), act)
        self._settle(machine, saw)

    def cut(self, hosts: Iterable[str], *, storage: bool = False, network: bool = True) -> None:
        """Cut hosts off from the controller, from the lease storage, or both."""
        for host in hosts:
            machine = self.machines[host]
            saw = self.sees(machine)
            machine.net_cut = machine.net_cut or network
            machine.storage_cut = machine.storage_cut or storage
            self._settle(machine, saw)

    def heal(self, hosts: Iterable[str]) -> None:
        """Mend network and storage of hosts."""
        for host in hosts:
            machine = self.machines[host]
            saw = self.sees(machine)
            machine.net_cut = machine.storage_cut = False
            self._settle(machine, saw)

    def cut_controller(self, *, storage: bool = False) -> None:
        """The controller itself loses its network: all hosts fall silent, the witness too."""
        seen = [machine for machine in self.machines.values() if self.sees(machine)]
        self.controller_cut = True
        self.controller_storage_cut = storage
        for machine in seen:
            self._settle(machine, saw=True)

    def heal_controller(self) -> None:
        """The controller's own network is well again."""
        if not self.controller_cut:
            return
        self.controller_cut = self.controller_storage_cut = False
        for machine in self.machines.values():
            self._settle(machine, saw=False)

    def resize(self, host: str, capacity: Capacity) -> None:
        """The host's capacity changes while it runs."""
        machine = self.machines[host]
        machine.capacity = capacity
        self.notice(machine)

    def move_by_hand(self, vm: str, dst: str) -> None:
        """An administrator moves a running VM past the controller, at once."""
        (src,) = self.hosts_of(vm)
        source, target = self.machines[src], self.machines[dst]
        copy = source.copies[vm]
        self.drop(source, vm)
        self.put(target, copy)
        self.notice(source)
        self.notice(target)

    def stop_by_hand(self, vm: str) -> None:
        """A VM is shut down past the controller, at once."""
        for host in self.hosts_of(vm):
            machine = self.machines[host]
            old = machine.copies[vm]
            self.put(machine, Copy(vm, old.epoch, CopyState.STOPPED, old.operation))
            self.notice(machine)

    def take_pill(self, machine: Machine, life: int) -> None:
        """The host reads on the lease storage that this life of it must end."""
        if machine.renews and machine.life == life:
            self._guests_end_by_lease(machine)

    # What follows from it

    def _guests_die(self, machine: Machine) -> None:
        for vm, copy in machine.copies.items():
            if copy.state in _LIVE and vm not in machine.rogues:
                self._ends(vm, machine.name)
        machine.die()
        self.version += 1
        for job in list(self.jobs.values()):
            job.machine_died(machine)

    def _settle(self, machine: Machine, saw: bool) -> None:
        """After a fault: tell the watcher, and let the lease agent of the host act."""
        if self.leases:
            self._lease(machine)
        sees = self.sees(machine)
        if saw == sees:
            return
        machine.lost_token += 1
        if not sees:
            for job in list(self.jobs.values()):
                job.client_gone(machine)
        if self.watcher is not None:
            (self.watcher.found if sees else self.watcher.lost)(machine)

    def _lease(self, machine: Machine) -> None:
        if machine.renews:
            machine.lease_stopped_at = None
            machine.lease_life = machine.life
            machine.lease_token += 1
            return
        if machine.lease_stopped_at is not None:
            if machine.up and machine.agent_hung:
                self._unpetted(machine)
            return
        machine.lease_stopped_at = self.world.now
        machine.lease_token += 1
        if not machine.up:
            return
        token = machine.lease_token
        renewed = machine.last_renewal(self.world, self.pace.lease_renew)
        deadline = renewed + self.pace.lease * machine.drift
        self.world.at(deadline, lambda: self._lease_ran_out(machine, token))

    def _unpetted(self, machine: Machine) -> None:
        """The agent of a host without a lease froze: the watchdog resets the host."""
        life, token = machine.life, machine.lease_token

        def reset() -> None:
            if (machine.life, machine.lease_token) == (life, token) and machine.agent_hung:
                self.crash(machine.name)
                self._boot_later(machine, machine.life)

        self.world.after(self.pace.lease * machine.drift, reset)

    def _lease_ran_out(self, machine: Machine, token: int) -> None:
        """The host's own lease ended: its agent, or else its watchdog, ends the guests."""
        if machine.lease_token != token or not machine.up:
            return
        if machine.agent_hung:
            self.crash(machine.name)
            self._boot_later(machine, machine.life)
            return
        life = machine.life
        delay = self.pace.lease_kill.draw(self.world.rng)

        def end() -> None:
            if machine.life == life and machine.up:
                self._guests_end_by_lease(machine)

        self.world.after(delay, end)

    def _boot_later(self, machine: Machine, life: int) -> None:
        def boot() -> None:
            if machine.life == life and machine.powered:
                self.boot(machine.name)

        self.world.after(_REBOOT_S, boot)

    def _guests_end_by_lease(self, machine: Machine) -> None:
        self._guests_die(machine)
        if machine.renews:
            machine.lease_life = machine.life
        self.notice(machine)

"""Host groups on simulated hosts, in real time or faster.

The simulated world lives in this process alone. When it starts, hosts and VMs are put up
as the store says that they were.
"""

from __future__ import annotations

from dataclasses import dataclass

from frota.app.outfit import Outfit, Wake
from frota.controllers.desired import GroupSpec, HostSpec
from frota.controllers.records import Records
from frota.model.host import Capacity, HostState
from frota.model.sight import Copy, CopyState
from frota.model.vm import VmState
from frota.ports.clock import Clock
from frota.ports.store import Store
from frota.runtime.alarm import PipeAlarm
from frota.twin import Bmc, Pace, Site, TwinClock, TwinFence, TwinHypervisor, TwinWitness, World

PROVIDER = "twin"
_WAIT_MOST_S = 0.5  # real seconds; a process that was stopped for longer loses the time
_RAN = frozenset({VmState.RUNNING, VmState.MIGRATING, VmState.UNMONITORED, VmState.STOPPING})
_GONE = frozenset({HostState.DOWN, HostState.REMOVED})


class WorldAlarm:
    """An Alarm that lets the world's time pass while it waits, ``speed`` times as fast."""

    def __init__(self, world: World, real: Clock, speed: float) -> None:
        self._world = world
        self._real = real
        self._speed = speed
        self._pipe = PipeAlarm()
        self._rang = False

    def wait(self, seconds: float) -> None:
        """See ``runtime.alarm.Alarm``; in seconds of the world."""
        world = self._world
        goal = world.now + seconds
        while not self._rang:
            world.run_until(world.now)
            if self._rang or world.now >= goal:
                break
            step = min(goal, world.next_at) - world.now
            began = self._real.now()
            self._pipe.wait(min(step / self._speed, _WAIT_MOST_S))
            passed = min(self._real.now() - began, _WAIT_MOST_S) * self._speed
            world.run_until(min(world.now + passed, goal))
        self._rang = False

    def ring(self) -> None:
        """See ``runtime.alarm.Alarm``."""
        self._rang = True
        self._pipe.ring()

    def close(self) -> None:
        """Release the pipe."""
        self._pipe.close()


@dataclass(slots=True)
class _Group:
    """One group's part of the world."""

    site: Site
    hypervisor: TwinHypervisor


class TwinOutfitter:
    """All simulated groups of one process, in one world."""

    def __init__(self, real: Clock, *, speed: float, seed: int) -> None:
        self.world = World(seed)
        self.clock = TwinClock(self.world, real.now())
        self.alarm = WorldAlarm(self.world, real, speed)
        self._groups: dict[str, _Group] = {}

    def outfit(self, spec: GroupSpec, store: Store, wake: Wake) -> Outfit:
        """See ``Outfitter``."""
        known = self._groups.get(spec.name)
        if known is None:
            site = Site(self.world, _pace(spec), leases=spec.policy.lease_usable)
            _arrange(site, spec)
            _restore(site, spec, store)
        else:
            site = known.site
        hypervisor = TwinHypervisor(site, self.clock)
        self._groups[spec.name] = _Group(site, hypervisor)
        fence = TwinFence(site)
        hypervisor.on_change(wake)
        fence.on_change(wake)
        witness = TwinWitness(site, configured=bool(spec.witness))
        witnessed = bool(spec.witness)

        def arrange(changed: GroupSpec) -> bool:
            _arrange(site, changed)
            return bool(changed.witness) == witnessed

        return Outfit(hypervisor, fence, witness, arrange, hypervisor.close)

    def site(self, group: str) -> Site | None:
        """The simulated hosts of a group."""
        known = self._groups.get(group)
        return known.site if known is not None else None

    def close(self) -> None:
        """See ``Outfitter``."""
        self.alarm.close()


def _pace(spec: GroupSpec) -> Pace:
    timers = spec.policy.timers
    return Pace(
        beat=timers.beat,
        lease=timers.lease,
        lease_renew=timers.lease_renew,
        lease_margin=timers.lease_margin,
    )


def _arrange(site: Site, spec: GroupSpec) -> None:
    """Build the machines that are declared and not there; change the size of others."""
    for host in spec.hosts:
        capacity = _raw(host)
        machine = site.machines.get(host.name)
        if machine is None:
            site.add(host.name, capacity, Bmc.WORKS if host.fence else Bmc.ABSENT)
        elif machine.capacity != capacity:
            site.resize(host.name, capacity)


def _raw(host: HostSpec) -> Capacity:
    """All that the machine has: reserve and overcommit are taken off by the controller."""
    return Capacity(host.memory_mib or 0, host.cpus or 0, host.vms, host.gpus or ())


def _restore(site: Site, spec: GroupSpec, store: Store) -> None:
    """Hosts in the life that is on record, with the VMs that ran there. Dead ones boot."""
    records = Records(store, spec.name)
    records.refresh()
    for name, host in records.hosts.items():
        machine = site.machines.get(name)
        if machine is None:
            continue
        life = _life(host.incarnation) + (host.state in _GONE)
        machine.life = machine.known_life = machine.lease_life = life
    for vm in records.vms.values():
        machine = site.machines.get(vm.host)
        record = records.hosts.get(vm.host)
        if machine is None or record is None or record.state in _GONE or vm.state not in _RAN:
            continue
        site.sizes[vm.name] = vm.size
        site.put(machine, Copy(vm.name, vm.epoch, CopyState.RUNNING))


def _life(incarnation: str) -> int:
    """The number of a machine's life in its name; one that no twin lived begins anew."""
    number = incarnation.rpartition("#")[2]
    return int(number) if number.isdecimal() else 1

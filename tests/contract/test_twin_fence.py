"""The fence contract on the simulated world, with power controllers and with leases."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from frota.model.host import Capacity
from frota.model.sight import Copy, CopyState
from frota.ports.fence import Fence
from frota.twin import Bmc, Crash, Site, TwinFence, World
from tests.contract.fence import HOST, OTHER, FenceContract, FenceWorld, LeaseContract

ROOM = Capacity(memory_mib=64 * 1024, vcpus=64, slots=100)


class TwinWorld:
    def __init__(self, *, leases: bool, bmc: Bmc) -> None:
        self.world = World(7)
        self.site = Site(self.world, leases=leases)
        for host in (HOST, OTHER):
            self.site.add(host, ROOM, bmc)
            self._start(host)
        self.named = {name: machine.incarnation for name, machine in self.site.machines.items()}
        self.fence: Fence = TwinFence(self.site)

    def _start(self, host: str) -> None:
        self.site.put(self.site.machines[host], Copy(f"vm-{host}", 1, CopyState.RUNNING))

    def incarnation(self, host: str) -> str:
        return self.named[host]

    def runs_vms(self, host: str) -> bool:
        machine = self.site.machines[host]
        return machine.up and any(copy.live for copy in machine.copies.values())

    def power_off(self, host: str) -> None:
        self.site.crash(host, Crash.POWER_OFF)

    def hang(self, host: str) -> None:
        self.site.hang(host)

    def cut(self, host: str) -> None:
        self.break_devices(host)
        self.site.cut([host], storage=True)

    def break_devices(self, host: str) -> None:
        if self.site.machines[host].bmc is Bmc.WORKS:
            self.site.machines[host].bmc = Bmc.FAILS

    def mend_devices(self, host: str) -> None:
        self.site.machines[host].bmc = Bmc.WORKS

    def revive(self, host: str) -> None:
        self.site.heal([host])
        self.site.thaw(host)
        self.site.boot(host)
        self.site.machines[host].connected()
        self._start(host)
        self.named[host] = self.site.machines[host].incarnation

    def wait_until(self, condition: Callable[[], bool], within: float) -> None:
        end = self.world.now + within
        while not condition():
            assert self.world.now < end, f"not within {within} s"
            self.world.run_until(self.world.now + 0.1)

    def settle(self, seconds: float) -> None:
        self.world.run_until(self.world.now + seconds)


class TestPowerControllers(FenceContract):
    @pytest.fixture
    def world(self) -> FenceWorld:
        return TwinWorld(leases=False, bmc=Bmc.WORKS)


class TestLeases(LeaseContract):
    @pytest.fixture
    def world(self) -> FenceWorld:
        return TwinWorld(leases=True, bmc=Bmc.ABSENT)

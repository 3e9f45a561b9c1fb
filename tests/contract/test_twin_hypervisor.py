"""The hypervisor contract on the simulated world."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from frota.model.definition import Definition
from frota.model.host import Capacity, Size
from frota.model.vm import Verb
from frota.ports.hypervisor import HostAddress, Hypervisor
from frota.twin import Chances, Leftovers, Site, TwinClock, TwinHypervisor, World
from frota.twin.mischief import Trouble
from tests.contract.hypervisor import HypervisorContract
from tests.contract.hypervisor_stage import Stage

ROOM = Capacity(memory_mib=64 * 1024, vcpus=64, slots=100)


class TwinStage:
    def __init__(self, seed: int, leftovers: Leftovers) -> None:
        self.hosts: Sequence[str] = ("a", "b", "c")
        self.world = World(seed)
        self.site = Site(self.world, chances=Chances(move_dies_with_controller=0.0))
        self.leftovers = leftovers
        for host in self.hosts:
            self.site.add(host, ROOM)
        self._port = self._session()

    def _session(self) -> TwinHypervisor:
        self.clock = TwinClock(self.world, 1000.0)
        port = TwinHypervisor(self.site, self.clock)
        for host in self.hosts:
            port.attach(self.address(host))
        self.world.run_until(self.world.now + 2)
        return port

    @property
    def port(self) -> Hypervisor:
        return self._port

    def address(self, host: str) -> HostAddress:
        return HostAddress(host)

    def definition(self, vm: str) -> Definition:
        return Definition(vm, Size(1024, 1), "east", "control-plane")

    def now(self) -> float:
        return self.clock.now()

    def crash(self, host: str) -> None:
        self.site.crash(host)

    def boot(self, host: str) -> None:
        self.site.boot(host, leftovers=self.leftovers)

    def hang(self, host: str) -> None:
        self.site.hang(host)

    def thaw(self, host: str) -> None:
        self.site.thaw(host)

    def renew_daemon(self, host: str) -> None:
        self.site.hang(host)
        self.world.after(3.0, lambda: self.site.thaw(host))

    def slow(self, vm: str, host: str) -> None:
        del host
        self.site.mischief.plan(Trouble.SLOW, frozenset({Verb.LIVE}), 1, vm)

    def restart(self) -> None:
        self._port.close()
        self._port = self._session()

    def wait_until(self, condition: Callable[[], bool], within: float = 30.0) -> None:
        end = self.world.now + within
        while not condition():
            assert self.world.now < end, f"not within {within} s"
            self.world.run_until(self.world.now + 0.05)


class TestTwin(HypervisorContract):
    @pytest.fixture(params=[1, 2, 3])
    def stage(self, request: pytest.FixtureRequest) -> Stage:
        seed: int = request.param
        return TwinStage(seed, Leftovers.DEFINED if seed % 2 else Leftovers.NONE)

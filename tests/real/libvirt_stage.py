"""The hypervisor contract's stage on real libvirt hosts of the lab."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from frota.drivers.libvirt.hypervisor import LibvirtHypervisor
from frota.model.definition import Definition
from frota.model.host import Size
from frota.ports.hypervisor import HostAddress
from tests.real.lab import guest
from tests.real.lab.hosts import Lab
from tests.real.lab.namespaces import LabError
from tests.waiting import until

STOP_GRACE_S = 1.0
SLOW_MIB_S = 10  # a lab guest has some 50 MiB to send, and dirties more


class MonotonicClock:
    """The machine's own clock."""

    def now(self) -> float:
        return time.monotonic()


class LibvirtStage:
    """Hosts ``a`` and ``b`` of a lab, empty, watched by a port of their own."""

    def __init__(self, lab: Lab, *, peer_to_peer: bool = True) -> None:
        self.lab = lab
        self.hosts: Sequence[str] = tuple(lab.names[:2])
        self._peer_to_peer = peer_to_peer
        self._files = guest.prepare(lab.site, lab.cache)
        self._clock = MonotonicClock()
        for host in self.hosts:
            lab.boot(host)
            lab.resume(host)
            lab.heal(host)
            self._empty(host)
        self.port = self._attached()

    def _attached(self) -> LibvirtHypervisor:
        port = LibvirtHypervisor(self._clock, stop_grace=STOP_GRACE_S)
        for host in self.hosts:
            port.attach(self.address(host))
        self.wait_until(lambda: all(port.view(host).beating for host in self.hosts))
        return port

    def _empty(self, host: str) -> None:
        for name in self.virsh(host, "list", "--all", "--name").split():
            with suppress(LabError):  # it does not run
                self.virsh(host, "destroy", name)
            with suppress(LabError):
                self.virsh(host, "undefine", name)

    def virsh(self, host: str, *words: str) -> str:
        """What virsh, inside the host, answers."""
        return self.lab.execute(host, ["virsh", "-q", *words])

    def address(self, host: str) -> HostAddress:
        place = self.lab.place(host)
        return HostAddress(host, place.uri, f"tcp://{place.address}", self._peer_to_peer)

    def definition(self, vm: str) -> Definition:
        return Definition(
            vm,
            Size(guest.MEMORY_MIB, 1),
            "east",
            "control-plane",
            accelerator="qemu",
            network="default",
            kernel=str(self._files.kernel),
            initrd=str(self._files.initrd),
            cmdline=self._files.cmdline,
        )

    def now(self) -> float:
        return self._clock.now()

    def crash(self, host: str) -> None:
        self.lab.crash(host)

    def boot(self, host: str) -> None:
        self.lab.boot(host)

    def hang(self, host: str) -> None:
        self.lab.hang(host)

    def thaw(self, host: str) -> None:
        self.lab.resume(host)

    def renew_daemon(self, host: str) -> None:
        self.lab.kill_daemon(host)
        time.sleep(2)  # long enough for a heartbeat to be missed
        self.lab.start_daemon(host)

    def slow(self, vm: str, host: str) -> None:
        self.virsh(host, "migrate-setspeed", vm, str(SLOW_MIB_S))

    def restart(self) -> None:
        self.port.close()
        self.port = self._attached()

    def wait_until(self, condition: Callable[[], bool], within: float = 30.0) -> None:
        until(condition, seconds=within)

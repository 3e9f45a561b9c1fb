"""The fence contract's world on real hosts of the lab: their management controllers are
real IPMI, their VMs real QEMU, their agents the real ``frota host-agent``."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from frota.drivers.fence.agents import Device
from frota.drivers.fence.fencing import GroupFence, group_fence
from frota.drivers.fence.secret import Secret
from frota.drivers.libvirt.domain import Mark, with_mark
from tests.real.lab import bmc, guest
from tests.real.lab.hosts import Lab
from tests.real.lab.namespaces import LabError, run
from tests.waiting import until

_AGENT = "import sys; from frota.cli.main import main; sys.exit(main())"


class MonotonicClock:
    """The machine's own clock."""

    def now(self) -> float:
        return time.monotonic()


class FenceStage:
    """Some hosts of a lab with a VM each, and the fence of their group."""

    def __init__(self, lab: Lab, hosts: Sequence[str], *, devices: bool, leases: bool) -> None:
        self.lab = lab
        self.hosts = hosts
        self._leases = leases
        self._files = guest.prepare(lab.site, lab.cache)
        for host in hosts:
            shutil.copy(lab.site.bmc_password, self._password(host))
        declared = {host: [self._device(host)] if devices else [] for host in hosts}
        self.fence: GroupFence = group_fence(
            declared, MonotonicClock(), str(lab.site.leases) if leases else ""
        )
        self.fence.start()
        for host in hosts:
            self.start_vm(host)
            if leases:
                self.start_agent(host)
        if leases:
            self.wait_until(lambda: all(not self.fence.lease_problem(h) for h in hosts), 20)

    def close(self) -> None:
        self.fence.close()

    def start_agent(self, host: str) -> None:
        """As the host's service manager would."""
        argv = [sys.executable, "-c", _AGENT, "host-agent", "--host", host]
        self.lab.run_agent(host, [*argv, "--leases", str(self.lab.site.leases)])

    def signal_agent(self, host: str, name: str) -> None:
        self.lab.execute(host, ["pkill", f"-{name}", "-f", "host-agent --host"])

    def start_vm(self, host: str) -> None:
        """A VM with Frota's mark, running as soon as this returns."""
        name = f"vm-{host}"
        plain = guest.domain_xml(self._files, name, guest.mac_of(name))
        mark = Mark(name, "east", "pool/x", 1, "start-1", host, self.incarnation(host))
        described = self.lab.site.root / f"{name}.xml"
        described.write_text(with_mark(plain, mark))
        run(["virsh", "-q", "-c", self.lab.place(host).socket_uri, "create", str(described)])

    def log(self, host: str) -> str:
        """What the host's agent has said."""
        return (self.lab.place(host).dir / "agent.log").read_text()

    def _password(self, host: str) -> Path:
        return self.lab.place(host).dir / "fence-password"

    def _device(self, host: str) -> Device:
        options: Mapping[str, str] = bmc.fence_options(self.lab.place(host))
        return Device(
            "fence_ipmilan", options, {"password": Secret(file=str(self._password(host)))}
        )

    # FenceWorld

    def incarnation(self, host: str) -> str:
        return self.lab.boot_id(host)

    def runs_vms(self, host: str) -> bool:
        if not self.lab.is_on(host):
            return False
        try:
            found = self.lab.execute(host, ["sh", "-c", "pgrep -f '^/usr/bin/qemu-system' || :"])
        except LabError:
            return self.lab.is_on(host)  # it died while it was asked, or cannot say
        return bool(found.strip())

    def power_off(self, host: str) -> None:
        self.lab.crash(host)

    def hang(self, host: str) -> None:
        self.lab.hang(host)

    def cut(self, host: str) -> None:
        self.lab.cut(host, storage=True, control=True)

    def break_devices(self, host: str) -> None:
        """The controller refuses the password."""
        self._password(host).write_text("wrong")

    def mend_devices(self, host: str) -> None:
        shutil.copy(self.lab.site.bmc_password, self._password(host))

    def revive(self, host: str) -> None:
        self.lab.crash(host)
        self.lab.boot(host)
        self.start_vm(host)
        if self._leases:
            self.start_agent(host)

    def wait_until(self, condition: Callable[[], bool], within: float) -> None:
        until(condition, seconds=within)

    def settle(self, seconds: float) -> None:
        time.sleep(seconds)

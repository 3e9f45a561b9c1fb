"""A host group on the lab, run by the real ``frota up``, asked and told by the real CLI."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from typing import Any, Self

import yaml

from frota.cli.main import main
from frota.controllers.desired import ClusterSpec, definition, desired_cluster
from tests.real.copies import Copies
from tests.real.lab import group, guest
from tests.real.lab.hosts import Lab

GROUP, CLUSTER = "lab", "east"
SETS = {"east-control-plane": 3, "east-web": 3, "east-batch": 2}
HOLD_S = 5
FROTA = [sys.executable, "-m", "frota"]
# Short waits only where nothing is proved by waiting longer; detection, fencing and leases
# keep their defaults. A story has more deaths in an hour than a host should have.
_TIMERS = {"hold": f"{HOLD_S}s", "moveCooldown": "0s", "quarantineLeaves": 50}

Raw = Mapping[str, Any]


class Stage:
    """Three hosts with their agents, a control plane of 3 and two pools; a context manager."""

    def __init__(self, lab: Lab, *, devices: bool) -> None:
        self.lab = lab
        self._devices = devices
        self._up: subprocess.Popen[bytes] | None = None
        self._cluster: ClusterSpec | None = None
        self.files = lab.site.root / "group.yaml"
        self.store = lab.site.root / "frota.db"
        self.log = lab.site.root / "up.log"
        self.copies = Copies(lab)

    def __enter__(self) -> Self:
        for path in (*self.lab.site.root.glob("frota.db*"), self.log):
            path.unlink(missing_ok=True)
        self.declare()
        self.copies.__enter__()
        for host in self.lab.names:
            self.start_agent(host)
        self.frota("apply", str(self.files))
        self.up()
        return self

    def __exit__(self, *_: object) -> None:
        self.down()
        self.copies.__exit__()

    # What is declared, and who works on it.

    def declare(self) -> None:
        """Write the HostGroup of all hosts there are, and the Cluster, into one file."""
        hosts = group.host_group(self.lab, GROUP)
        hosts["spec"]["timers"] = dict(_TIMERS)
        hosts["spec"]["overcommit"] = {"cpus": 8}  # a build machine has two
        for host in hosts["spec"]["hosts"]:
            host["peerToPeer"] = True
            if not self._devices:
                host["fence"] = []
        size = {"memory": f"{guest.MEMORY_MIB}Mi", "cpus": 1}
        cluster = {
            "apiVersion": "frota.dev/v1alpha1",
            "kind": "Cluster",
            "metadata": {"name": CLUSTER},
            "spec": {
                "provider": "libvirt",
                "hostGroup": GROUP,
                "controlPlane": {"count": 3, "vmSize": size},
                "nodePools": [
                    {"name": "web", "count": 3, "vmSize": size},
                    {"name": "batch", "count": 2, "vmSize": size},
                ],
                "template": group.template(self.lab),
            },
        }
        self.files.write_text(yaml.safe_dump_all([hosts, cluster], sort_keys=False))

    def up(self) -> None:
        """Start the controllers, as a process of their own."""
        argv = [*FROTA, "--store", str(self.store), "up", "--plain"]
        with self.log.open("ab") as log:
            self._up = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def kill(self) -> None:
        """``kill -9`` the controllers."""
        assert self._up is not None
        assert self._up.poll() is None, f"the controllers ended by themselves\n{self.told()}"
        self._up.send_signal(signal.SIGKILL)
        self._up.wait(10)
        self._up = None

    def down(self) -> None:
        """Stop the controllers as Ctrl-C does; VMs run on."""
        if self._up is None:
            return
        self._up.terminate()
        try:
            self._up.wait(30)
        except subprocess.TimeoutExpired:
            self._up.kill()
            self._up.wait(10)
        self._up = None

    def start_agent(self, host: str) -> None:
        """As the host's service manager does at every boot."""
        argv = [*FROTA, "host-agent", "--host", host, "--leases", str(self.lab.site.leases)]
        self.lab.run_agent(host, argv)

    def boot(self, host: str) -> None:
        """Power on."""
        self.lab.boot(host)
        self.start_agent(host)

    # The command line.

    def frota(self, *words: str) -> str:
        """What a command prints; it must succeed."""
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = main(["--store", str(self.store), *words])
        assert code == 0, f"frota {' '.join(words)}: exit {code}\n{err.getvalue()}{out.getvalue()}"
        return out.getvalue()

    def get(self, kind: str, *more: str) -> list[Raw]:
        """``frota get KIND --output json``."""
        found: list[Raw] = json.loads(self.frota("get", kind, *more, "--output", "json"))
        return found

    def hosts(self) -> dict[str, Raw]:
        return {raw["metadata"]["name"]: raw["status"] for raw in self.get("hosts")}

    def state(self, host: str) -> str:
        status = self.hosts().get(host, {})
        return str(status.get("state", ""))

    def vms(self) -> dict[str, Raw]:
        return {raw["metadata"]["name"]: raw["status"] for raw in self.get("vms")}

    def places(self) -> dict[str, str]:
        """VMs to hosts."""
        return {name: status["host"] for name, status in self.vms().items()}

    def on(self, host: str) -> set[str]:
        return {vm for vm, place in self.places().items() if place == host}

    def sets(self) -> dict[str, Raw]:
        return {raw["metadata"]["name"]: raw["status"] for raw in self.get("sets")}

    def phases(self) -> set[str]:
        return {str(status["phase"]) for status in self.sets().values()}

    def decisions(self, *, since: float = 0.0, **wanted: str) -> list[Raw]:
        """Journal lines from a time on, with these values."""
        lines = self.get("decisions", "--last", "1000")
        return [
            line for line in lines
            if line["at"] >= since and all(line[key] == value for key, value in wanted.items())
        ]  # fmt: skip

    # What is true.

    def rests(self) -> bool:
        """Whether all VMs run and nothing is under way."""
        vms = self.vms().values()
        return bool(vms) and all(vm["state"] == "Running" and vm["operation"] is None for vm in vms)

    def even(self) -> bool:
        """Whether every set is healthy, at rest and, counted here, spread evenly."""
        if self.phases() != {"Healthy"} or not self.rests():
            return False
        hosts = [name for name, status in self.hosts().items() if status["state"] == "Up"]
        counts = {name: dict.fromkeys(hosts, 0) for name in self.sets()}
        for raw in self.get("vms"):
            counts[raw["spec"]["availabilitySet"]][raw["status"]["host"]] += 1
        return all(max(count.values()) - min(count.values()) <= 1 for count in counts.values())

    def address(self, vm: str) -> str:
        """Where a VM's guest answers."""
        if self._cluster is None:
            self._cluster = desired_cluster(self.get("clusters")[0])
        prefix, _, number = vm.rpartition("-")
        role = next(role for role in self._cluster.roles if role.vm_prefix == prefix)
        mac = definition(self._cluster, role, int(number), "").mac
        return guest.address_of(self.lab.site, mac)

    def answer(self, vm: str, within: float = 90.0) -> guest.Answer:
        """What a VM's guest says, once it does."""
        return guest.wait_for(self.address(vm), within)

    def boots(self, vms: Sequence[str]) -> dict[str, str]:
        """The boot ids of some VMs."""
        return {vm: self.answer(vm).boot for vm in vms}

    def wait(self, met: Callable[[], bool], within: float, what: str) -> None:
        """Wait for something; says all it knows when that does not come."""
        end = time.monotonic() + within
        while not met():
            if self._up is not None:
                assert self._up.poll() is None, f"frota up ended\n{self.told()}"
            assert not self.copies.twice, self.copies.twice
            assert time.monotonic() < end, f"not within {within:g} s: {what}\n{self.told()}"
            time.sleep(0.2)

    def wait_state(self, host: str, *states: str, within: float) -> None:
        self.wait(lambda: self.state(host) in states, within, f"{host} is {' or '.join(states)}")

    def told(self) -> str:
        """The state of everything, for a test that failed."""
        parts = [self.frota("get", kind) for kind in ("hosts", "vms", "sets")]
        parts.append("\n".join(self.log.read_text(errors="replace").splitlines()[-60:]))
        running = [f"{p.vm} on {p.host} since {p.began}" for p in self.copies.alive()]
        return "\n".join([*parts, *running])

    def restart_begun(self, since: float) -> float:
        """The time of the first order to start a VM elsewhere."""
        found: list[float] = []

        def ordered() -> bool:
            found[:] = [line["at"] for line in self.decisions(since=since, reason="Start")]
            return bool(found)

        self.wait(ordered, 60, "a restart elsewhere")
        return min(found)


def now() -> float:
    """The wall clock, which Frota's journal follows."""
    return time.time()


def slow(stage: Stage, vm: str, host: str, mib_s: int) -> None:
    """Let a VM's next migration take its time."""
    stage.lab.execute(host, ["virsh", "-q", "migrate-setspeed", vm, str(mib_s)])


def speak(text: str) -> None:
    """A measured figure, also when pytest captures."""
    os.write(2, f"\nstory: {text}\n".encode())

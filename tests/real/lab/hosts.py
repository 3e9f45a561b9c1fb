"""Real libvirt hosts on one machine, and the faults that befall them.

Every host is a process namespace (kill its first process: the power is gone), a mount
namespace with its own /run and libvirt directories, and a network namespace with one
cable to the lab's switch. It runs its own libvirtd; guests are software-emulated QEMU.
All of it lives inside one outer process namespace that ends with the ``Lab``, even when
its process is killed. Any process that knows the lab's directory can work on it
(``Lab.attach``).

A host's ``/proc/sys/kernel/random/boot_id`` is new at every boot, as on a machine, and
its /run is empty then: what libvirt keeps only there (a transient network or pool)
lasts over a restart of libvirtd but not over a boot.
"""

from __future__ import annotations

import fcntl
import ipaddress
import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.real.lab import daemon
from tests.real.lab.layout import LETTERS, SLOTS, Place, Site, load
from tests.real.lab.namespaces import LabError, first_process, inside, kill, run, wait_until

HERE = Path(__file__).parent
ROOT = Path("/var/tmp/frota-lab")  # noqa: S108 - root's own, made with mode 0700
CACHE = Path(os.environ.get("FROTA_LAB_CACHE", "/var/cache/frota-lab"))


class Lab:
    """Some hosts, a switch between them, and shared storage; a context manager.

    ``hosts`` are named a, b, c… With ``detached`` the lab outlives this process until
    ``destroy`` (the command line needs that). A lab of the same name is replaced; the
    default name is this process's own.
    """

    def __init__(
        self, name: str = "", *, hosts: int = 3, cache: Path = CACHE, detached: bool = False
    ) -> None:
        self._root = ROOT / (name or f"run-{os.getpid()}")
        self._first = hosts
        self._cache = cache
        self._detached = detached
        self._agents: list[subprocess.Popen[bytes]] = []
        self._init: subprocess.Popen[bytes] | None = None
        self.site = Site(self._root, 0)
        self.names: list[str] = []

    @classmethod
    def attach(cls, root: Path, cache: Path = CACHE) -> Self:
        """A lab that another process started."""
        if not (root / "lab.json").is_file():
            raise LabError(f"no lab in {root}: start one with `python -m tests.real.lab up`")
        lab = cls(root.name, cache=cache, detached=True)
        lab._root = root
        lab.site, lab.names = load(root)
        return lab

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.destroy()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.destroy()

    def start(self) -> None:
        """Clear what a killed run left behind, then bring up the switch and the hosts."""
        if os.geteuid() != 0:
            raise LabError("the lab needs root: namespaces, mounts and network links")
        self.destroy()
        _sweep()
        self._root.mkdir(parents=True, mode=0o700)
        self._switch_on()
        for path in (self.site.disks, self.site.leases):
            path.mkdir()
        (self._root / "names").write_text(self.site.names())
        first = list(LETTERS[: self._first])
        # With nothing cached, the first host finds out about QEMU for all.
        ahead = 0 if self._cached() else 1
        for name in first[:ahead]:
            self.boot(name)
        with ThreadPoolExecutor(max_workers=4) as pool:
            list(pool.map(self.boot, first[ahead:]))
        self.names = first
        self.site.save(self.names)

    def destroy(self) -> None:
        """End every process of the lab and remove its directory. Nothing there is fine."""
        kill(first_process(self._root / "init.pid"))
        if self._init is not None:
            if self._init.stdin:
                self._init.stdin.close()
            self._init.wait(timeout=20)
            self._init = None
        for agent in self._agents:
            agent.wait(timeout=20)
        self._agents.clear()
        shutil.rmtree(self._root, ignore_errors=True)

    def _switch_on(self) -> None:
        used = _networks_in_use()
        for slot in range(SLOTS):
            site = Site(self._root, slot)
            if any(ipaddress.ip_network(f"{site.net}.0.0/16").overlaps(net) for net in used):
                continue
            if self._claim(site):
                self.site = site
                return
        raise LabError(f"all {SLOTS} address ranges of the lab are in use on this machine")

    def _claim(self, site: Site) -> bool:
        """Start the outer namespace and plug the machine into it, if the slot is free."""
        argv = ["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child", "--"]
        argv += ["sh", str(HERE / "lab-init.sh"), str(self._root), f"{site.switch}/16"]
        with (self._root / "lab.log").open("ab") as log:
            if self._detached:
                never = self._root / "never"
                os.mkfifo(never)
                held = os.open(never, os.O_RDWR)
                self._init = subprocess.Popen(
                    argv, stdin=held, stdout=log, stderr=log, start_new_session=True
                )
                os.close(held)
            else:
                self._init = subprocess.Popen(
                    argv, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True
                )
        pid_file = self._root / "init.pid"
        wait_until(pid_file.exists, 10, f"start of the lab's first process ({log.name})")
        pid = first_process(pid_file)
        link = f"link add {site.link} type veth peer name machine netns /proc/{pid}/ns/net\n"
        try:
            run(["ip", "-batch", "-"], text=link)
        except LabError as taken:
            if "File exists" not in str(taken):
                raise
            kill(pid)
            pid_file.unlink()
            return False
        own = f"address add {site.controller}/16 dev {site.link}\nlink set {site.link} up\n"
        run(["ip", "-batch", "-"], text=own)
        self._in_switch("link set machine master sw0\nlink set machine up\n")
        return True

    def _in_switch(self, batch: str) -> None:
        run(inside(self._lab_pid, "n", ["ip", "-batch", "-"]), text=batch)

    @property
    def _lab_pid(self) -> int:
        pid = first_process(self._root / "init.pid")
        if not pid:
            raise LabError(f"the lab in {self._root} is not running")
        return pid

    def _cached(self) -> bool:
        return any((self._cache / "capabilities").glob("*.xml"))

    def place(self, host: str) -> Place:
        """Names, addresses and directories of a host."""
        return self.site.place(host)

    def is_on(self, host: str) -> bool:
        """Whether the host's first process lives (its power is on)."""
        return first_process(self.place(host).dir / "init.pid") > 0

    def boot_id(self, host: str) -> str:
        """What the host itself reads in /proc/sys/kernel/random/boot_id."""
        return (self.place(host).dir / "boot-id").read_text().strip()

    def add_host(self) -> str:
        """One more host; its name."""
        name = next(name for name in LETTERS if name not in self.names)
        self.boot(name)
        self.names.append(name)
        self.site.save(self.names)
        return name

    def boot(self, host: str) -> None:
        """Power on: a new boot id, an empty /run, libvirtd started and answering.
        A host that is on stays as it is."""
        place = self.place(host)
        place.dir.mkdir(parents=True, exist_ok=True)
        with self._locked(host):
            if self.is_on(host):
                return
            daemon.prepare(place, str(uuid.uuid4()))
            cached = self._cache / "capabilities"
            known = daemon.capabilities(place)
            if self._cached() and not known.exists():
                shutil.copytree(cached, known)
            self._power(place)
            self._plug_in(place)
            self.start_daemon(host)
            if not self._cached():
                self._learn(place)

    def _power(self, place: Place) -> None:
        pid_file = place.dir / "init.pid"
        pid_file.unlink(missing_ok=True)
        outer = self._lab_pid
        own = ["unshare", "--mount", "--pid", "--net", "--uts", "--fork", "--kill-child", "--"]
        own += ["sh", str(HERE / "host-init.sh"), str(place.dir), place.name]
        with (place.dir / "console.log").open("ab") as log:
            # `setsid --fork` leaves the host to the lab's first process.
            run_detached = inside(outer, "mnp", ["setsid", "--fork", *own])
            subprocess.run(
                run_detached,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                check=True,
                timeout=20,
            )
        wait_until(pid_file.exists, 10, f"start of host {place.name} ({place.dir}/console.log)")

    def _plug_in(self, place: Place) -> None:
        pid = self._pid(place.name)
        # What is left of a cable whose host has just died.
        subprocess.run(
            inside(self._lab_pid, "n", ["ip", "link", "del", place.uplink]),
            capture_output=True,
            check=False,
            timeout=20,
        )
        self._in_switch(
            f"link add {place.uplink} type veth peer name eth0 netns /proc/{pid}/ns/net\n"
            f"link set {place.uplink} master sw0\nlink set {place.uplink} up\n"
        )
        bridge = daemon.BRIDGE
        own = (
            f"link set lo up\nlink add {bridge} address 52:54:01:00:00:{place.number:02x}"
            f" type bridge mcast_snooping 0\n"
            f"link set eth0 master {bridge}\nlink set eth0 up\n"
            f"address add {place.address}/16 dev {bridge}\nlink set {bridge} up\n"
        )
        run(inside(pid, "n", ["ip", "-batch", "-"]), text=own)

    def start_daemon(self, host: str) -> None:
        """Start libvirtd in a host that is on; returns when it answers."""
        argv = ["/usr/sbin/libvirtd", "--daemon", "--listen"]
        argv += ["--config", "/etc/libvirt/libvirtd.conf", "--pid-file", "/run/libvirtd.pid"]
        run(self._within(host, argv))

    def kill_daemon(self, host: str) -> None:
        """End libvirtd alone: its guests go on."""
        self._signal_daemon(host, "KILL")

    def _learn(self, place: Place) -> None:
        run(["virsh", "-c", place.socket_uri, "domcapabilities", "--virttype", "qemu"])
        cached = self._cache / "capabilities"
        cached.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(daemon.capabilities(place), cached, dirs_exist_ok=True)

    def crash(self, host: str) -> None:
        """Pull the power cable: every process of the host is gone when this returns."""
        with self._locked(host):
            kill(first_process(self.place(host).dir / "init.pid"))

    def hang(self, host: str, *, everything: bool = False) -> None:
        """Stop libvirtd where it stands (SIGSTOP); its guests go on. ``everything``
        stops the guests and agents too, as a frozen kernel would."""
        if everything:
            run(self._within(host, ["sh", "-c", "kill -STOP -1"]))
        else:
            self._signal_daemon(host, "STOP")

    def resume(self, host: str) -> None:
        """End a hang."""
        run(self._within(host, ["sh", "-c", "kill -CONT -1"]))

    def cut(self, host: str, *, storage: bool = False) -> None:
        """Unplug the host's network cable; with ``storage`` the lease directory is gone
        as well (empty and read-only; files that are open already stay so)."""
        self._in_switch(f"link set {self.place(host).uplink} down\n")
        if storage:
            mount = ["mount", "-t", "tmpfs", "-o", "ro,size=4k", "gone", str(self.site.leases)]
            run(self._within(host, mount))

    def heal(self, host: str) -> None:
        """Plug in what ``cut`` unplugged."""
        self._in_switch(f"link set {self.place(host).uplink} up\n")
        table = run(self._within(host, ["cat", "/proc/self/mounts"]))
        if f"gone {self.site.leases} tmpfs" in table:
            run(self._within(host, ["umount", str(self.site.leases)]))

    def run_agent(self, host: str, argv: Sequence[str]) -> subprocess.Popen[bytes]:
        """Run a program inside the host, as its own service would; it dies with the
        host. Its output goes to ``agent.log`` in the host's directory."""
        with (self.place(host).dir / "agent.log").open("ab") as log:
            agent = subprocess.Popen(
                self._within(host, argv), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self._agents.append(agent)
        return agent

    def execute(self, host: str, argv: Sequence[str]) -> str:
        """Run a short program inside the host and return its output."""
        return run(self._within(host, argv))

    def _pid(self, host: str) -> int:
        pid = first_process(self.place(host).dir / "init.pid")
        if not pid:
            raise LabError(f"host {host} is off")
        return pid

    def _within(self, host: str, argv: Sequence[str]) -> list[str]:
        return inside(self._pid(host), "mnup", argv)

    def _signal_daemon(self, host: str, name: str) -> None:
        run(self._within(host, ["sh", "-c", f"kill -{name} $(cat /run/libvirtd.pid)"]))

    @contextmanager
    def _locked(self, host: str) -> Iterator[None]:
        """One power change of a host at a time, whichever process asks."""
        with (self.place(host).dir / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _sweep() -> None:
    """Remove the directories of labs whose process was killed; theirs died with it."""
    for root in ROOT.glob("*"):
        pid_file = root / "init.pid"
        if pid_file.exists() and not first_process(pid_file):
            shutil.rmtree(root, ignore_errors=True)


def _networks_in_use() -> list[ipaddress.IPv4Network]:
    routes = json.loads(run(["ip", "-json", "-4", "route"]) or "[]")
    return [ipaddress.IPv4Network(r["dst"]) for r in routes if r["dst"] != "default"]

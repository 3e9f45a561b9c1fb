"""Real libvirt hosts on one machine, and the faults that befall them.

Every host is a process namespace (kill its first process: the power is gone), a mount
namespace with its own /run and libvirt directories, and a network namespace with one
cable to the lab's switch. It runs its own libvirtd; guests are software-emulated QEMU.
All of it lives inside one outer process namespace that ends with the ``Lab``, even when
its process is killed. Any process that knows the lab's directory can work on it
(``Lab.attach``).

A host's ``/proc/sys/kernel/random/boot_id`` is new at every boot, as on a machine, and
its /run is empty then: what libvirt keeps only there (a transient storage pool) lasts
over a restart of libvirtd but not over a boot.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import shutil
import subprocess
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.real.lab import bmc, daemon
from tests.real.lab.layout import LETTERS, Place, Site, load
from tests.real.lab.namespaces import LabError, first_process, inside, kill, run, wait_until
from tests.real.lab.switch import Switch, pid_of, switch_on

ROOT = Path("/var/tmp/frota-lab")  # noqa: S108 - root's own, made with mode 0700
CACHE = Path(os.environ.get("FROTA_LAB_CACHE", "/var/cache/frota-lab"))
_INIT = Path(__file__).parent / "host-init.sh"


class Lab:
    """Some hosts, a switch between them, and shared storage; a context manager.

    ``hosts`` are named a, b, c… With ``detached`` the lab outlives this process until
    ``destroy`` (the command line needs that). A lab of the same name is replaced; the
    default name is this process's own.
    """

    def __init__(
        self, name: str = "", *, hosts: int = 3, cache: Path = CACHE, detached: bool = False
    ) -> None:
        self.cache = cache
        self.names: list[str] = []
        self._first = hosts
        self._detached = detached
        self._switch = Switch(Site(ROOT / (name or f"run-{os.getpid()}"), 0))

    @classmethod
    def attach(cls, root: Path, cache: Path = CACHE) -> Self:
        """A lab that another process started."""
        if not pid_of(root):
            raise LabError(f"no lab runs in {root}: start one with `python -m tests.real.lab up`")
        lab = cls(cache=cache, detached=True)
        site, lab.names = load(root)
        lab._switch = Switch(site)
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

    @property
    def site(self) -> Site:
        """Directories and addresses of the lab."""
        return self._switch.site

    def start(self) -> None:
        """Clear what a killed run left behind, then bring up the switch and the hosts."""
        if os.geteuid() != 0:
            raise LabError("the lab needs root: namespaces, mounts and network links")
        self.destroy()
        _sweep()
        root = self.site.root
        root.mkdir(parents=True, mode=0o700)
        self._switch = switch_on(root, detached=self._detached)
        for path in (self.site.disks, self.site.leases):
            path.mkdir()
        (root / "names").write_text(self.site.names())
        self.site.bmc_password.write_text(secrets.token_hex(8))
        self.site.save([])
        first = list(LETTERS[: self._first])
        # With nothing cached, the first host finds out about QEMU for all.
        ahead = 0 if self._cached() else 1
        for name in first[:ahead]:
            self._install(name)
        with ThreadPoolExecutor(max_workers=4) as pool:
            list(pool.map(self._install, first[ahead:]))
        self.names = first
        self.site.save(self.names)

    def destroy(self) -> None:
        """End every process of the lab and remove its directory. Nothing there is fine."""
        self._switch.off()
        shutil.rmtree(self.site.root, ignore_errors=True)

    def reset(self) -> None:
        """As after ``start``: every host newly booted with nothing defined on it, shared
        storage empty. Hosts added meanwhile stay."""
        for folder in (self.site.disks, self.site.leases):
            for path in folder.iterdir():
                path.unlink()
        with ThreadPoolExecutor(max_workers=4) as pool:
            list(pool.map(self._renew, self.names))

    def _renew(self, host: str) -> None:
        self.crash(host)
        for owned in ("etc", "var"):
            shutil.rmtree(self.place(host).dir / owned, ignore_errors=True)
        self.heal(host)
        self.boot(host)

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
        self._install(name)
        self.names.append(name)
        self.site.save(self.names)
        return name

    def boot(self, host: str) -> None:
        """Power on: a new boot id, an empty /run, a whole network cable, libvirtd started
        and answering. A host that is on stays as it is."""
        place = self.place(host)
        with self._locked(host):
            if self.is_on(host):
                return
            daemon.prepare(place, str(uuid.uuid4()))
            known = daemon.capabilities(place)
            if self._cached() and not known.exists():
                shutil.copytree(self._probed, known)
            self._power(place)
            self._plug_in(place)
            self.start_daemon(host)
            if not self._cached():
                self._learn(place)

    def crash(self, host: str) -> None:
        """Pull the power cable: every process of the host is gone when this returns, and
        its management controller says that it is off."""
        with self._locked(host):
            kill(first_process(self.place(host).dir / "init.pid"))

    def start_daemon(self, host: str) -> None:
        """Start libvirtd in a host that is on; returns when it answers."""
        argv = ["libvirtd", "--daemon", "--listen", "--config", "/etc/libvirt/libvirtd.conf"]
        self.execute(host, [*argv, "--pid-file", "/run/libvirtd.pid"])

    def kill_daemon(self, host: str) -> None:
        """End libvirtd alone: its guests go on."""
        self._signal_daemon(host, "KILL")

    def hang(self, host: str, *, everything: bool = False) -> None:
        """Stop libvirtd where it stands (SIGSTOP); its guests go on. ``everything``
        stops the guests and agents too: dead to all, yet with its power on."""
        if everything:
            self.execute(host, ["sh", "-c", "kill -STOP -1"])
        else:
            self._signal_daemon(host, "STOP")

    def resume(self, host: str) -> None:
        """End a hang."""
        self.execute(host, ["sh", "-c", "kill -CONT -1"])

    def cut(self, host: str, *, storage: bool = False, control: bool = False) -> None:
        """Unplug the host's network cable; with ``storage`` the lease directory is gone
        as well (empty and read-only; files that are open already stay so), with
        ``control`` the cable of its management controller too."""
        place = self.place(host)
        if control:
            self._switch.links(f"address del {place.bmc}/16 dev sw0\n")
        if not self.is_on(host):
            return
        self._switch.links(f"link set {place.uplink} down\n")
        if storage:
            gone = ["mount", "-t", "tmpfs", "-o", "ro,size=4k", "gone", str(self.site.leases)]
            self.execute(host, gone)

    def heal(self, host: str) -> None:
        """Plug in what ``cut`` unplugged."""
        place = self.place(host)
        self._switch.links(f"address replace {place.bmc}/16 dev sw0\n")
        if not self.is_on(host):
            return
        self._switch.links(f"link set {place.uplink} up\n")
        if f"gone {self.site.leases} tmpfs" in self.execute(host, ["cat", "/proc/self/mounts"]):
            self.execute(host, ["umount", str(self.site.leases)])

    def run_agent(self, host: str, argv: Sequence[str]) -> None:
        """Run a program inside the host, as its own service would; it dies with the
        host. Its output goes to ``agent.log`` in the host's directory."""
        # As no child of `nsenter`: that one stops itself when the host hangs, and then
        # the host could not be switched off.
        with (self.place(host).dir / "agent.log").open("ab") as log:
            subprocess.run(
                self.within(host, ["setsid", "--fork", *argv]),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                check=True,
                timeout=60,
            )

    def execute(self, host: str, argv: Sequence[str]) -> str:
        """Run a short program inside the host and return its output."""
        return run(self.within(host, argv))

    def within(self, host: str, argv: Sequence[str]) -> list[str]:
        """The command that runs ``argv`` inside a host that is on."""
        return inside(self._pid(host), "mnup", argv)

    def _pid(self, host: str) -> int:
        pid = first_process(self.place(host).dir / "init.pid")
        if not pid:
            raise LabError(f"host {host} is off")
        return pid

    def _signal_daemon(self, host: str, name: str) -> None:
        self.execute(host, ["sh", "-c", f"kill -{name} $(cat /run/libvirtd.pid)"])

    def _install(self, host: str) -> None:
        """Put a new host into the rack: its management controller, then power on."""
        place = self.place(host)
        place.dir.mkdir(parents=True)
        self._switch.links(f"address add {place.bmc}/16 dev sw0\n")
        bmc.start(place, self._switch.pid, self.site.bmc_password.read_text())
        self.boot(host)

    def _power(self, place: Place) -> None:
        pid_file = place.dir / "init.pid"
        pid_file.unlink(missing_ok=True)
        own = ["unshare", "--mount", "--pid", "--net", "--uts", "--fork", "--kill-child", "--"]
        own += ["sh", str(_INIT), str(place.dir), place.name]
        with (place.dir / "console.log").open("ab") as log:
            # `setsid --fork` leaves the host to the lab's first process.
            subprocess.run(
                inside(self._switch.pid, "mnp", ["setsid", "--fork", *own]),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                check=True,
                timeout=20,
            )
        wait_until(pid_file.exists, 10, f"start of host {place.name} (see {log.name})")

    def _plug_in(self, place: Place) -> None:
        pid = self._pid(place.name)
        # What is left of a cable whose host has just died.
        subprocess.run(
            inside(self._switch.pid, "n", ["ip", "link", "del", place.uplink]),
            capture_output=True,
            check=False,
            timeout=20,
        )
        self._switch.links(
            f"link add {place.uplink} type veth peer name eth0 netns /proc/{pid}/ns/net\n"
            f"link set {place.uplink} master sw0\nlink set {place.uplink} up\n"
        )
        run(inside(pid, "n", ["ip", "-batch", "-"]), text=daemon.links(place))

    @property
    def _probed(self) -> Path:
        """What libvirt found out about QEMU, kept for as long as both stay as they are.
        (It checks for itself whether a copy still holds; this is only to find it.)"""
        binaries = [shutil.which(name) or name for name in ("libvirtd", "qemu-system-x86_64")]
        changed = [str(Path(path).stat().st_ctime_ns) for path in binaries]
        digest = hashlib.sha256(" ".join([*changed, os.uname().version]).encode())
        return self.cache / f"capabilities-{digest.hexdigest()[:16]}"

    def _cached(self) -> bool:
        return any(self._probed.glob("*.xml"))

    def _learn(self, place: Place) -> None:
        run(["virsh", "-c", place.socket_uri, "capabilities"])  # makes it look at all
        part = self._probed.with_suffix(f".{os.getpid()}")
        shutil.copytree(daemon.capabilities(place), part)
        try:
            part.rename(self._probed)
        except OSError:
            shutil.rmtree(part)  # another lab was faster

    @contextmanager
    def _locked(self, host: str) -> Iterator[None]:
        """One power change of a host at a time, whichever process asks."""
        with (self.place(host).dir / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _sweep() -> None:
    """Remove the directories of labs whose process was killed; the rest died with it."""
    for root in ROOT.glob("*"):
        if (root / "init.pid").exists() and not pid_of(root):
            shutil.rmtree(root, ignore_errors=True)

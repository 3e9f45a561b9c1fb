"""Every QEMU of a lab, as the machine's own process table shows it: no libvirt asked.

This is the judge of "nothing was started twice". A process that was begun with ``-incoming``
is the far end of a live migration; any other one is a fresh start, and none may begin while
another process of the same VM lives.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from tests.real.lab.hosts import Lab
from tests.real.lab.namespaces import first_process

_EVERY_S = 0.05
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Process:
    """One QEMU. Times are seconds since the machine's boot; ``gone`` is when it was first
    seen to have ended, so it ended before that."""

    vm: str
    host: str
    pid: int
    began: float
    incoming: bool
    gone: float | None = None


def present() -> float:
    """The time in which processes are dated."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Copies:
    """Looks at the process table all the while; a context manager."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="copies", daemon=True)
        self._known: dict[tuple[int, float], Process] = {}
        self.twice: list[str] = []

    def __enter__(self) -> Self:
        self._look()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)

    def of(self, vm: str) -> list[Process]:
        """All processes that the VM ever had, oldest first."""
        found = [process for process in list(self._known.values()) if process.vm == vm]
        return sorted(found, key=lambda process: process.began)

    def alive(self, host: str = "") -> list[Process]:
        """The processes that live, of one host or of all."""
        known = list(self._known.values())
        return [p for p in known if p.gone is None and host in ("", p.host)]

    def _run(self) -> None:
        while not self._stop.wait(_EVERY_S):
            self._look()

    def _look(self) -> None:
        hosts = _networks(self._lab)
        seen = {key: p for pid in _pids() if (p := _process(pid, hosts)) for key in [_key(p)]}
        at = present()
        for key, process in list(self._known.items()):
            if process.gone is None and key not in seen:
                self._known[key] = replace(process, gone=at)
        for key, process in seen.items():
            if key in self._known:
                continue
            others = [p for p in self.alive() if p.vm == process.vm]
            if others and not process.incoming:
                where = ", ".join(other.host for other in others)
                self.twice.append(f"{process.vm} began on {process.host} while it ran on {where}")
            self._known[key] = process


def _key(process: Process) -> tuple[int, float]:
    return process.pid, process.began


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _networks(lab: Lab) -> dict[int, str]:
    """Hosts by the inode of their network namespace."""
    found: dict[int, str] = {}
    for host in list(lab.names):
        pid = first_process(lab.place(host).dir / "init.pid")
        try:
            found[Path(f"/proc/{pid}/ns/net").stat().st_ino] = host
        except OSError:
            continue  # it is off
    return found


def _process(pid: int, hosts: dict[int, str]) -> Process | None:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
        if not words[0].endswith("qemu-system-x86_64") or "-name" not in words:
            return None
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        network = Path(f"/proc/{pid}/ns/net").stat().st_ino
    except OSError:
        return None  # it has just ended
    if fields[0] in "ZX" or network not in hosts:
        return None
    vm = words[words.index("-name") + 1].split(",")[0].removeprefix("guest=")
    began = int(fields[19]) / _TICK
    return Process(vm, hosts[network], pid, began, "-incoming" in words)

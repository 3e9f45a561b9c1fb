"""Frota's VMs on this host, found and ended without asking libvirt.

libvirt keeps one status file for each running domain, written before its QEMU process
runs; it names the process and holds the domain's metadata, where Frota's mark is. That
is enough to end every VM of Frota's while libvirtd hangs. Other domains are left alone.
"""

from __future__ import annotations

import os
import select
import signal
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SYSTEM_STATE = Path("/run/libvirt/qemu")
MARK = "{https://frota.dev/xmlns/libvirt/1}vm"  # as frota.drivers.libvirt.domain writes it
_FILE_MOST = 4 * 1024 * 1024  # bytes of a status file
_COMMAND_MOST = 256 * 1024
_KNOWN_MOST = 10_000
_GONE_WITHIN = 1.5  # seconds that a killed process is given


class CannotTell(Exception):
    """It cannot be said whether VMs of Frota run here."""


@dataclass(frozen=True, slots=True)
class Running:
    """One VM of Frota's with a live QEMU process."""

    name: str
    uuid: str
    pid: int


class Domains:
    """Finds and ends the VMs of Frota on this host."""

    def __init__(self, state: Path = SYSTEM_STATE, proc: Path = Path("/proc")) -> None:
        self._state = state
        self._proc = proc
        self._known: dict[str, str] = {}  # uuid to name, of all that were ever seen
        self._dying: dict[int, Running] = {}  # by the handle of its process, once killed

    def find(self) -> Sequence[Running]:
        """All that run now. Raises CannotTell."""
        found: dict[int, Running] = {}
        for path in self._status_files():
            domain = self._read(path)
            if domain is not None:
                self._remember(domain)
                if self._alive(domain.pid, domain.uuid):
                    found[domain.pid] = domain
        # One whose status file is gone may still be dying, or stuck.
        for pid, uuid in self._processes():
            if uuid in self._known and pid not in found:
                found[pid] = Running(self._known[uuid], uuid, pid)
        return list(found.values())

    def end(self) -> Sequence[str]:
        """Kill all that run, wait a moment, and return the names of those still there.
        Raises CannotTell."""
        for domain in self.find():
            self._kill(domain)
        self._await_dying()
        left = {domain.name for domain in self.find()}
        return sorted(left | {domain.name for domain in self._dying.values()})

    def _status_files(self) -> Sequence[Path]:
        try:
            return sorted(path for path in self._state.iterdir() if path.suffix == ".xml")
        except FileNotFoundError:
            if any(True for _ in self._processes()):
                raise CannotTell(
                    f"QEMU runs, but {self._state} is not there to tell whose it is"
                ) from None
            return ()
        except OSError as error:
            raise CannotTell(f"{self._state}: {error.strerror}") from None

    def _read(self, path: Path) -> Running | None:
        """What a status file says; None when it is no VM of Frota's, or gone meanwhile."""
        try:
            with path.open("rb") as handle:
                content = handle.read(_FILE_MOST)
            # libvirt wrote it, only root can; it never holds entities.
            root = ET.fromstring(content)  # noqa: S314 - root's own file, see above
            if root.find(f"domain/metadata/{MARK}") is None:
                return None
            return Running(
                name=root.findtext("domain/name", ""),
                uuid=root.findtext("domain/uuid", "").strip().lower(),
                pid=int(root.get("pid", "0")),
            )
        except FileNotFoundError:
            return None
        except (OSError, ET.ParseError, ValueError) as error:
            raise CannotTell(f"{path} cannot be read: {error}") from None

    def _remember(self, domain: Running) -> None:
        if len(self._known) >= _KNOWN_MOST:
            self._known.pop(next(iter(self._known)))
        self._known[domain.uuid] = domain.name

    def _alive(self, pid: int, uuid: str) -> bool:
        """Whether the process is there and the QEMU of this domain, or about to be: the
        status file is older than the program."""
        if pid <= 0:
            return False
        shown = self._uuid_of(pid)
        return shown == uuid if shown else self._begins(pid)

    def _begins(self, pid: int) -> bool:
        """Whether this is a child of libvirt that has not become QEMU quite yet."""
        try:
            program = (self._proc / str(pid) / "exe").readlink().name
        except OSError:
            return False
        return program.startswith(("libvirtd", "virtqemud", "qemu"))

    def _uuid_of(self, pid: int) -> str:
        """What follows ``-uuid`` on a process's command line; empty for other processes,
        and for those that are dead."""
        with suppress(OSError), (self._proc / str(pid) / "cmdline").open("rb") as handle:
            words = handle.read(_COMMAND_MOST).split(b"\0")
            if b"-uuid" in words[:-1]:
                return words[words.index(b"-uuid") + 1].decode(errors="replace").lower()
        return ""

    def _processes(self) -> Iterator[tuple[int, str]]:
        """Every QEMU process with the UUID of its domain."""
        for entry in self._proc.iterdir():
            if entry.name.isdecimal():
                uuid = self._uuid_of(int(entry.name))
                if uuid:
                    yield int(entry.name), uuid

    def _kill(self, domain: Running) -> None:
        """Kill this one process, for certain not another."""
        if domain in self._dying.values():
            return
        try:
            handle = os.pidfd_open(domain.pid)
        except ProcessLookupError:
            return
        # The number may have changed hands since it was found: the handle cannot.
        if self._alive(domain.pid, domain.uuid):
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
            self._dying[handle] = domain
        else:
            os.close(handle)

    def _await_dying(self) -> None:
        """Wait until every killed process has ended with all its threads, or for as long
        as is reasonable: one that waits for storage may take for ever."""
        end = time.monotonic() + _GONE_WITHIN
        poll = select.poll()
        for handle in self._dying:
            poll.register(handle, select.POLLIN)
        while self._dying and time.monotonic() < end:
            for handle, _ in poll.poll(100):
                poll.unregister(handle)
                del self._dying[handle]
                os.close(handle)

"""What every operation needs to be carried out: its task, its hosts, what is there now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from frota.drivers.libvirt.crew import Task
from frota.drivers.libvirt.domain import Mark
from frota.drivers.libvirt.fault import Refused
from frota.drivers.libvirt.guest import Guest
from frota.drivers.libvirt.inventory import copy_of
from frota.drivers.libvirt.link import Link
from frota.drivers.libvirt.session import Session
from frota.model.definition import Definition
from frota.model.sight import Copy, CopyState
from frota.model.vm import Operation


@dataclass(frozen=True, slots=True)
class Found:
    """Frota's copy of a VM on a host, asked just now."""

    guest: Guest
    copy: Copy
    mark: Mark

    @property
    def state(self) -> CopyState:
        """What the copy does."""
        return self.copy.state


def gone(found: Found | None) -> bool:
    """Whether nothing runs there."""
    return found is None or found.state is CopyState.STOPPED


@dataclass(frozen=True, slots=True)
class Act:
    """One operation being carried out by one thread, with sessions of its own.
    ``stop_grace`` is how long a guest may take to end itself, in seconds."""

    task: Task
    link: Callable[[str], Link]
    stop_grace: float
    _sessions: dict[str, Session] = field(default_factory=dict)

    @property
    def operation(self) -> Operation:
        """What was ordered."""
        return self.task.operation

    @property
    def definition(self) -> Definition:
        """How the VM is to be built. Raises ``Refused`` when nothing was said of that."""
        if self.task.definition is None:
            raise Refused(f"{self.operation.vm} cannot be started: no definition was given")
        return self.task.definition

    def session(self, host: str) -> Session:
        """The session with the host, a new one when it broke. Raises ``Refused`` for a
        host that is not attached, ``Silent`` for one that does not answer, ``Fault``."""
        session = self._sessions.get(host)
        if session is None or not session.alive:
            session = self._sessions[host] = self.link(host).open()
        return session

    def find(self, session: Session) -> Found | None:
        """The VM's copy on the host of this session, or None."""
        guest = session.find(self.operation.vm)
        seen = copy_of(guest) if guest is not None else None
        return Found(guest, *seen) if guest is not None and seen is not None else None

    def note(self, *hosts: str) -> None:
        """Let the views of these hosts show what this operation did."""
        for host in hosts:
            self.link(host).note(self.session(host), self.operation.vm)

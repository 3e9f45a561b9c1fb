"""What a host has, and which of its domains are copies of Frota's VMs."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from frota.drivers.libvirt.domain import Mark, read_mark
from frota.drivers.libvirt.fault import Fault, Kind
from frota.drivers.libvirt.guest import Guest, Phase
from frota.drivers.libvirt.pci import count_models, read_gpus
from frota.drivers.libvirt.session import Session
from frota.model.host import Capacity
from frota.model.sight import Copy, CopyState

SLOTS = 1000  # libvirt knows no limit; this is what one daemon is known to carry
_REREAD = 30  # sightings after which every mark is read again, should an event be lost


def capacity_of(session: Session) -> Capacity:
    """All memory, CPUs (threads) and GPUs of the host: nothing is kept back here."""
    return Capacity(
        memory_mib=session.memory_mib(),
        vcpus=session.cpus(),
        slots=SLOTS,
        gpus=count_models(read_gpus(session.pci_devices())),
    )


def copy_state(guest: Guest, phase: Phase, mark: Mark) -> CopyState:
    """What one copy does. Asks the host only where a migration may be under way."""
    if phase is Phase.OFF:
        return CopyState.STOPPED
    # Frota defines all it starts; only what a migration brings is not defined before its end.
    if phase is not Phase.RUNNING and not guest.persistent():
        return CopyState.INCOMING
    if mark.moving and guest.migrating():
        return CopyState.OUTGOING
    return CopyState.PAUSED if phase is Phase.PAUSED else CopyState.RUNNING


def mark_of(guest: Guest) -> Mark | None:
    """The domain's mark; None when it is not Frota's, or a clone of what was."""
    mark = read_mark(guest.mark())
    return mark if mark is not None and mark.vm == guest.name else None


def copy_of(guest: Guest) -> tuple[Copy, Mark] | None:
    """The copy that one domain is, asked of the host now; None when it is not Frota's, or
    is gone by now."""
    try:
        mark = mark_of(guest)
        if mark is None:
            return None
        state = copy_state(guest, guest.phase(), mark)
    except Fault as fault:
        if fault.kind is not Kind.MISSING:
            raise
        return None
    return Copy(mark.vm, mark.epoch, state, mark.operation), mark


@dataclass(frozen=True, slots=True)
class Sighting:
    """The copies on a host at one moment, by VM, and the marks behind them."""

    copies: dict[str, Copy]
    marks: dict[str, Mark]

    def of_state(self, *states: CopyState) -> Sequence[Mark]:
        """The marks of the copies in these states."""
        return [self.marks[vm] for vm, copy in self.copies.items() if copy.state in states]


class Census:
    """Sees all copies on one host over one connection. One thread looks; any thread may
    say what changed."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._marks: dict[tuple[str, int], Mark | None] = {}
        self._lock = threading.Lock()
        self._changed: set[str] = set()
        self._looks = 0

    def changed(self, uuid: str) -> None:
        """The mark of this domain may be another now."""
        with self._lock:
            self._changed.add(uuid)

    def look(self) -> Sighting:
        """All copies now. Raises ``Fault``."""
        with self._lock:
            changed, self._changed = self._changed, set()
        self._looks += 1
        known = self._marks if self._looks % _REREAD else {}
        marks: dict[tuple[str, int], Mark | None] = {}
        copies: dict[str, Copy] = {}
        for guest, phase in self._session.guests():
            try:
                fresh = guest.key in known and guest.uuid not in changed
                mark = known[guest.key] if fresh else mark_of(guest)
                marks[guest.key] = mark
                if mark is not None:
                    state = copy_state(guest, phase, mark)
                    copies[mark.vm] = Copy(mark.vm, mark.epoch, state, mark.operation)
            except Fault as fault:
                if fault.kind is not Kind.MISSING:  # it ended while we looked
                    raise
        self._marks = marks
        return Sighting(copies, {mark.vm: mark for mark in marks.values() if mark is not None})

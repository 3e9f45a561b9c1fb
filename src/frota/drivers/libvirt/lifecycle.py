"""Starting, stopping and killing copies; and the cold move, which is a stop and a start.

Each may be carried out again at any point, by this controller or the next one: what is
there already is found by the mark (``domain``) and not done twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from frota.drivers.libvirt.act import Act, gone
from frota.drivers.libvirt.disk import ensure_disk, ensure_seed
from frota.drivers.libvirt.domain import Mark, domain_xml
from frota.drivers.libvirt.fault import Fault, Kind, Refused
from frota.drivers.libvirt.guest import Guest, Phase
from frota.drivers.libvirt.link import Link
from frota.drivers.libvirt.pci import Address, choose, passed_through, read_gpus
from frota.drivers.libvirt.session import Session
from frota.model.sight import CopyState

_STORAGE_S = 120.0
_DEVICES_S = 600.0
_LOOK_S = 0.5
_MOVING = (CopyState.INCOMING, CopyState.OUTGOING)


def start(act: Act, host: str) -> None:
    """START on the host. Raises ``Refused``, ``Silent`` or ``Fault``."""
    link, session = act.link(host), act.session(host)
    if _runs_already(act, session, host):
        link.note(session, act.operation.vm)
        return
    with link.turn("storage", _STORAGE_S):
        act.task.check()
        ensure_disk(session, act.definition)
        ensure_seed(session, act.definition)
    with _gpus(act, link, session) as devices:
        _run(act, link, session, devices)
    link.note(session, act.operation.vm)


def _runs_already(act: Act, session: Session, host: str) -> bool:
    """Whether this very copy runs. Clears away what lies stopped of an older one."""
    vm, epoch = act.operation.vm, act.operation.epoch
    found = act.find(session)
    if found is None:
        if session.find(vm) is not None:
            raise Refused(
                f"host {host} has a domain named {vm} that Frota did not make: "
                "rename it or remove it"
            )
        return False
    if not gone(found):
        if found.mark.epoch == epoch and found.state not in _MOVING:
            return True
        raise Refused(
            f"{vm} runs on {host} with epoch {found.mark.epoch} ({found.state}): "
            f"epoch {epoch} cannot be started beside it"
        )
    if found.mark.epoch > epoch:
        raise Refused(f"{vm} ran on {host} with epoch {found.mark.epoch}: {epoch} is out of date")
    act.task.check()
    found.guest.undefine()
    return False


def _run(act: Act, link: Link, session: Session, devices: tuple[Address, ...]) -> None:
    operation, definition = act.operation, act.definition
    mark = Mark(
        vm=operation.vm,
        cluster=definition.cluster,
        role=definition.role,
        epoch=operation.epoch,
        operation=operation.id,
        host=link.address.name,
        incarnation=link.incarnation(),
    )
    act.task.check()
    guest = session.define(domain_xml(definition, mark, devices))
    try:
        act.task.check()
        guest.create()
    except Fault as fault:
        if fault.kind is not Kind.LOST:
            with suppress(Fault):  # the first fault is the one to tell
                guest.undefine()
        raise


@contextmanager
def _gpus(act: Act, link: Link, session: Session) -> Iterator[tuple[Address, ...]]:
    """The PCI devices for the VM's GPUs, kept from others until it runs."""
    size = act.definition.size
    if not size.gpus:
        yield ()
        return
    with link.turn("devices", _DEVICES_S):
        taken = frozenset[Address]().union(
            *(passed_through(guest.xml()) for guest, phase in session.guests() if _on(phase))
        )
        chosen = choose(read_gpus(session.pci_devices()), size.gpu_model, size.gpus, taken)
        if chosen is None:
            raise Refused(
                f"host {link.address.name} has not {size.gpus} free GPU(s) of model "
                f"{size.gpu_model} for {act.operation.vm}"
            )
        yield tuple(part for gpu in chosen for part in gpu.parts)


def _on(phase: Phase) -> bool:
    return phase is not Phase.OFF


def stop(act: Act, host: str) -> None:
    """STOP on the host: let the guest end itself, end it when it does not, and remove
    its definition."""
    link, session = act.link(host), act.session(host)
    found = act.find(session)
    if found is not None and found.mark.epoch > act.operation.epoch:
        raise Refused(
            f"{act.operation.vm} runs on {host} with epoch {found.mark.epoch}: an order for "
            f"epoch {act.operation.epoch} is out of date"
        )
    if found is not None:
        if found.state in _MOVING:
            raise Refused(f"{act.operation.vm} is being migrated on {host}")
        if found.state is CopyState.RUNNING:
            _let_end(act, found.guest)
        _remove(act, found.guest)
    link.note(session, act.operation.vm)


def kill(act: Act, host: str) -> None:
    """KILL on the host: end the copy at once, if it is of this epoch or an older one."""
    link, session = act.link(host), act.session(host)
    found = act.find(session)
    if found is not None and found.mark.epoch <= act.operation.epoch:
        _remove(act, found.guest)
    link.note(session, act.operation.vm)


def cold(act: Act) -> None:
    """COLD: stop on the source, start on the destination. A source without the VM was
    stopped already, perhaps by a controller before this one."""
    operation = act.operation
    # What can be known to stand in the way of the start is known before the stop.
    _ = act.definition
    _runs_already(act, act.session(operation.dst), operation.dst)
    stop(act, operation.src)
    start(act, operation.dst)


def _let_end(act: Act, guest: Guest) -> None:
    act.task.check()
    with suppress(Fault):  # a guest that cannot be asked is ended
        guest.shutdown()
        for _ in range(int(act.stop_grace / _LOOK_S)):
            if guest.phase() is Phase.OFF:
                return
            act.task.wait(_LOOK_S)


def _remove(act: Act, guest: Guest) -> None:
    try:
        if guest.phase() is not Phase.OFF:
            act.task.check()
            guest.destroy()
        act.task.check()
        guest.undefine()
    except Fault as fault:
        if fault.kind is not Kind.MISSING:  # the far end of a migration just vanishes
            raise

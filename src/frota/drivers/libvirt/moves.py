"""Live migration: begin it or adopt it, see its end, say truly where the guest is.

The source's mark says ``moving`` and carries the operation's id from before the
migration begins; the XML that goes to the destination carries the id too, and the
destination's incarnation. So a controller that finds both ends knows whose move it is.
Whatever libvirt answers at the end, the guest is looked for on both hosts.

Peer to peer, the source's daemon runs the migration and it outlives the controller.
Managed directly, this process stands between the daemons: when it dies, libvirt breaks
the migration off and the guest stays.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from frota.drivers.libvirt.act import Act, Found, gone
from frota.drivers.libvirt.disk import same_storage
from frota.drivers.libvirt.domain import Mark, disk_paths, mark_xml, with_mark
from frota.drivers.libvirt.fault import Fault, Kind, Refused, Silent
from frota.drivers.libvirt.guest import Guest, Route
from frota.drivers.libvirt.session import Session
from frota.model.sight import CopyState

_LOOK_S = 0.5
_LOOKS = 60  # how often an end that is not clear is looked at again


def live(act: Act) -> None:
    """LIVE. Raises ``Refused`` when the guest stays, ``Silent`` when it is not known."""
    here, there, seen = _settled_ends(act)
    operation = act.operation
    if here is not None and here.state is CopyState.OUTGOING:
        if here.mark.operation != operation.id:
            raise Refused(f"{operation.vm} is being migrated already")
        _conclude(act, "")
    elif gone(here) and not gone(there):
        _conclude(act, "")
    elif here is None or here.state is not CopyState.RUNNING:
        raise Refused(f"{operation.vm} does not run on {operation.src}")
    elif not seen:
        raise Refused(f"host {operation.dst} does not answer; {operation.vm} stays")
    elif not gone(there):
        raise Refused(f"{operation.vm} is on {operation.dst} already")
    else:
        _conclude(act, _migrate(act, here))


def abort(act: Act) -> None:
    """Stop the migration, as soon as there is one, while its end is not known."""
    for _ in range(_LOOKS):
        if act.task.outcome is not None:
            return
        with suppress(Fault, Silent, Refused):
            here = act.find(act.session(act.operation.src))
            if here is not None and here.state is CopyState.OUTGOING:
                here.guest.abort()
        act.task.wait(_LOOK_S)


def _ends(act: Act) -> tuple[Found | None, Found | None, bool]:
    """The copies on source and destination, and whether the destination was seen. Raises
    ``Silent`` for a source that cannot be."""
    here = act.find(act.session(act.operation.src))
    try:
        return here, act.find(act.session(act.operation.dst)), True
    except (Silent, Refused):
        return here, None, False
    except Fault as fault:
        if fault.kind is not Kind.LOST:
            raise
        return here, None, False


def _settled_ends(act: Act) -> tuple[Found | None, Found | None, bool]:
    """The same, after a far end that was left behind by a broken migration is gone."""
    here, there, seen = _ends(act)
    for _ in range(_LOOKS):
        waits = there is not None and there.state is CopyState.INCOMING
        if not waits or here is None or here.state is not CopyState.RUNNING:
            break
        act.task.wait(_LOOK_S)
        here, there, seen = _ends(act)
    return here, there, seen


def _migrate(act: Act, here: Found) -> str:
    """Do it; what libvirt had to say against it, or nothing."""
    if act.task.cancelled.is_set():
        raise Refused("it was cancelled before it began")
    source = act.session(act.operation.src)
    destination = act.session(act.operation.dst)
    act.task.check()
    here.guest.set_mark(mark_xml(replace(here.mark, operation=act.operation.id, moving=True)))
    route = _route(act, here.guest, here.mark, destination)
    try:
        here.guest.migrate(route)
    except Fault as fault:
        if fault.kind is Kind.UNSAFE and _shared(act, here.guest, source, destination):
            return _again(act, here.guest, replace(route, shared_proved=True), source)
        return _said(fault, source)
    return ""


def _again(act: Act, guest: Guest, route: Route, source: Session) -> str:
    act.task.check()
    try:
        guest.migrate(route)
    except Fault as fault:
        return _said(fault, source)
    return ""


def _said(fault: Fault, source: Session) -> str:
    if not source.alive:
        raise fault
    return str(fault)


def _route(act: Act, guest: Guest, mark: Mark, destination: Session) -> Route:
    operation = act.operation
    there, here = act.link(operation.dst), act.link(operation.src)
    arrived = replace(
        mark,
        epoch=max(mark.epoch, operation.epoch),
        operation=operation.id,
        host=operation.dst,
        incarnation=there.incarnation(),
        moving=False,
    )
    return Route(
        xml=with_mark(guest.xml(portable=True), arrived),
        defined=with_mark(guest.xml(defined=True, portable=True), arrived),
        migrate_uri=there.address.migrate_uri,
        peer_uri=there.address.uri if here.address.peer_to_peer else "",
        connection=destination.raw,
    )


def _shared(act: Act, guest: Guest, source: Session, destination: Session) -> bool:
    """Whether libvirt's doubt is unfounded: it takes any file system for shared only
    when it knows its kind. Frota's disks have no host cache, so one directory seen by
    both hosts is all that is needed."""
    paths = disk_paths(guest.xml())
    link = act.link(act.operation.src), act.link(act.operation.dst)
    with link[0].turn("storage", _LOOK_S * _LOOKS), link[1].turn("storage", _LOOK_S * _LOOKS):
        return all(same_storage(source, destination, path) for path in paths)


def _conclude(act: Act, complaint: str) -> None:
    """Look until it is clear where the guest is. ``complaint`` is why it may have stayed."""
    operation = act.operation
    complaint = complaint or "the migration was broken off"
    looks = 0
    while looks < _LOOKS:
        here, there, seen = _ends(act)
        if gone(here) and there is not None and there.state is CopyState.RUNNING:
            if here is not None:
                act.task.check()
                here.guest.undefine()
            act.note(operation.src, operation.dst)
            return
        if here is not None and gone(there):
            if here.state is CopyState.RUNNING:
                _stays(act, here)
                raise Refused(f"{operation.vm} stays on {operation.src}: {complaint}")
            if here.state is CopyState.PAUSED and seen:
                act.task.check()
                here.guest.resume()
        looks += here is None or here.state is not CopyState.OUTGOING
        act.task.wait(_LOOK_S)
    raise Silent(f"it is not clear whether {operation.vm} is on {operation.src}: {complaint}")


def _stays(act: Act, here: Found) -> None:
    if here.mark.moving:
        act.task.check()
        here.guest.set_mark(mark_xml(replace(here.mark, moving=False)))
    act.note(act.operation.src)
    with suppress(Silent, Refused, Fault):
        act.note(act.operation.dst)

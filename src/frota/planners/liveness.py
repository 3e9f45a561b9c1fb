"""What became of each VM: reads views and ends of operations into the VMs' records.

It decides nothing about places. Its one duty is to be right about what runs: a VM is
Lost only when its host is proved dead, or when its host answers and shows no copy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from math import inf
from typing import NamedTuple

from frota.model.host import Host, HostState
from frota.model.policy import Timers
from frota.model.sight import Copy, CopyState, HostView, Outcome
from frota.model.snapshot import Snapshot
from frota.model.vm import Operation, Verb, Vm, VmState

_UNSURE = frozenset({HostState.ISOLATED, HostState.FENCING})
_DEAD = frozenset({HostState.DOWN, HostState.REMOVED})
_RAN = frozenset({VmState.RUNNING, VmState.UNMONITORED})
_WAITING = frozenset({VmState.LOST, VmState.UNPLACEABLE})
_RUNNING = VmState.RUNNING  # looking it up through its enum is slow; this is asked often


@dataclass(frozen=True, slots=True)
class Leftover:
    """A copy that must not be there: ended by epoch, before its host serves again."""

    host: str
    vm: str
    epoch: int


class Findings(NamedTuple):
    """``changed`` VMs replace the old records, ``gone`` are deleted; ``settled``
    outcomes are done with; ``overdue`` operations are to be cancelled."""

    changed: tuple[Vm, ...] = ()
    gone: tuple[str, ...] = ()
    settled: tuple[str, ...] = ()
    overdue: tuple[str, ...] = ()
    again_at: float = inf


def leftovers(
    vms: Mapping[str, Vm], hosts: Mapping[str, Host], views: Mapping[str, HostView]
) -> tuple[Leftover, ...]:
    """All copies to be ended, on hosts that answer.

    A copy of a VM that the records do not know is left alone: it may belong to another
    Frota, or to a store that was lost.
    """
    found = []
    for name in hosts:
        view = views.get(name)
        if view is None or not view.beating:
            continue
        for copy in view.copies.values():
            vm = vms.get(copy.vm)
            if vm is None or (vm.host == name and vm.epoch == copy.epoch and copy.live):
                continue  # where it belongs, like nearly all
            if _stale(vm, name, copy, hosts):
                found.append(Leftover(name, copy.vm, copy.epoch))
    return tuple(found)


def _stale(vm: Vm, host: str, copy: Copy, hosts: Mapping[str, Host]) -> bool:
    operation = vm.operation
    if operation is not None and host in (operation.src, operation.dst):
        if copy.state is CopyState.INCOMING:  # it waits for a source that will never send
            return operation.src in hosts and hosts[operation.src].state in _DEAD
        return operation.verb is Verb.START and copy.epoch < operation.epoch
    if copy.epoch < vm.epoch:
        return True
    if host == vm.host:
        return copy.state is CopyState.STOPPED and vm.state not in _RAN
    # A live copy of the present epoch elsewhere was moved by hand: never end the only one.
    return copy.state is CopyState.STOPPED


def settle(
    snapshot: Snapshot, views: Mapping[str, HostView], outcomes: Iterable[Outcome]
) -> Findings:
    """Bring every VM's record in line with what was seen."""
    ends = {outcome.operation: outcome for outcome in outcomes}
    changed, gone, settled, overdue = [], [], [], []
    again_at = inf
    scene = _Scene(snapshot, views)
    for vm in _not_at_ease(snapshot, views):
        operation = vm.operation
        if operation is None:
            new = _resting(vm, scene)
        else:
            end = ends.get(operation.id)
            new = _operating(vm, operation, end, scene)
            if end is not None and (new is None or new.operation is None):
                settled.append(operation.id)
            elif new is vm:
                deadline = operation.since + _timeout(operation, snapshot.policy.timers)
                if snapshot.now >= deadline:
                    overdue.append(operation.id)
                else:
                    again_at = min(again_at, deadline)
            if new is not None and new.operation is None and _troubled(new, snapshot):
                new = _resting(new, scene)
        if new is None:
            gone.append(vm.name)
            continue
        if new is not vm:
            changed.append(new)
        if new.missed_at is not None:
            patient = new.missed_at + _patience(snapshot.policy.timers)
            if patient > snapshot.now:
                again_at = min(again_at, patient)
    return Findings(tuple(changed), tuple(gone), tuple(settled), tuple(overdue), again_at)


def _not_at_ease(snapshot: Snapshot, views: Mapping[str, HostView]) -> Iterator[Vm]:
    """All VMs but those that simply run, where their record says: of them nothing is to be
    said, and nearly all are so."""
    well = {
        name: view.copies
        for name, view in views.items()
        if view.beating
        and (host := snapshot.hosts.get(name)) is not None
        and view.incarnation == host.incarnation
        and host.state not in _UNSURE
        and host.state not in _DEAD
    }
    for vm in snapshot.vms.values():
        if vm.state is _RUNNING and vm.operation is None and vm.missed_at is None:
            copy = well[vm.host].get(vm.name) if vm.host in well else None
            if copy is not None and copy.live:
                continue
        yield vm


def _troubled(vm: Vm, snapshot: Snapshot) -> bool:
    """Whether a VM rests on a host that is silent or dead."""
    host = snapshot.hosts.get(vm.host)
    return host is not None and (host.state in _UNSURE or host.state in _DEAD)


def _timeout(operation: Operation, timers: Timers) -> float:
    return timers.start_timeout if operation.verb is Verb.START else timers.move_timeout


def _live_copy(vm: Vm, host: str, views: Mapping[str, HostView]) -> Copy | None:
    """The copy of the VM that may be running on a host, as far as is known."""
    view = views.get(host)
    copy = view.copies.get(vm.name) if view is not None else None
    return copy if copy is not None and copy.live else None


@dataclass(frozen=True, slots=True)
class _Scene:
    """Answers about one host and one VM, from records and views together."""

    snapshot: Snapshot
    views: Mapping[str, HostView]

    def dead(self, host: str) -> bool:
        record = self.snapshot.hosts.get(host)
        return record is None or record.state in _DEAD

    def beats(self, host: str) -> bool:
        """Whether the view of the host is of now, in whatever life of it."""
        view = self.views.get(host)
        return view is not None and view.beating

    def answers(self, host: str) -> bool:
        """Whether the view of the host is of now, and of the life on record."""
        record, view = self.snapshot.hosts.get(host), self.views.get(host)
        if record is None or view is None or not view.beating:
            return False
        return not record.incarnation or record.incarnation == view.incarnation

    def runs(self, vm: Vm, host: str) -> bool:
        """Whether the guest is seen to run on a host that answers."""
        copy = _live_copy(vm, host, self.views) if self.answers(host) else None
        return copy is not None and copy.state is not CopyState.OUTGOING

    def empty(self, vm: Vm, host: str) -> bool:
        """Whether it is certain that the guest does not run on the host."""
        if not host or self.dead(host):
            return True
        if not self.answers(host):
            return False
        copy = self.views[host].copies.get(vm.name)
        return copy is None or copy.state is CopyState.STOPPED


def _resting(vm: Vm, scene: _Scene) -> Vm | None:
    """A VM with no operation under way."""
    if vm.state in _WAITING:
        return _adopted_late(vm, scene)
    if vm.state is VmState.STOPPED or vm.state is VmState.PENDING:
        return vm
    host = scene.snapshot.hosts.get(vm.host)
    if host is None or host.state in _DEAD:
        if not vm.wanted:
            return None
        return _lost(vm, f"host {vm.host} is down: {host.reason if host else 'removed'}")
    if host.state in _UNSURE:
        if vm.state is VmState.UNMONITORED:
            return vm
        return replace(vm, state=VmState.UNMONITORED, reason=f"host {vm.host} is silent")
    view = scene.views.get(vm.host)
    if view is None or not view.beating or view.incarnation != host.incarnation:
        return vm
    copy = view.copies.get(vm.name)
    if copy is not None and copy.live:
        if vm.state is VmState.RUNNING:
            return vm
        return replace(vm, state=VmState.RUNNING, missed_at=None, transit="", reason="")
    return _vanished(vm, scene)


def _adopted_late(vm: Vm, scene: _Scene) -> Vm:
    """A VM given up for lost that turns out to run still, not yet started elsewhere: on its
    host, or where its last move went."""
    for name in (vm.host, vm.transit):
        there = bool(name) and not scene.dead(name) and scene.runs(vm, name)
        if there and scene.views[name].copies[vm.name].epoch == vm.epoch:
            found = replace(vm, state=VmState.RUNNING, host=name, transit="")
            return replace(found, reason="found running after all")
    return vm


def _vanished(vm: Vm, scene: _Scene) -> Vm | None:
    """The host answers and shows no running copy.

    Views of two hosts are never of the same instant: a guest that was moved by hand has
    left one view before it is in the other. So it is lost only after some beats.
    """
    for name in scene.snapshot.hosts:
        if name != vm.host and scene.runs(vm, name):
            copy = scene.views[name].copies[vm.name]
            if copy.epoch == vm.epoch:
                note = f"moved from {vm.host} to {name} by hand"
                moved = replace(vm, host=name, home=name, missed_at=None, transit="")
                return replace(moved, state=VmState.RUNNING, reason=note)
    if not vm.wanted:
        return None
    if any(_incoming(vm, name, scene) for name in scene.snapshot.hosts):
        return vm  # somebody is moving it by hand
    now = scene.snapshot.now
    if vm.missed_at is None:
        note = f"host {vm.host} shows no copy of it"
        return replace(vm, state=VmState.UNMONITORED, missed_at=now, reason=note)
    if not _missed_long(vm, scene):
        return vm
    if vm.transit and not scene.empty(vm, vm.transit):
        return vm  # the other end of its last move fell silent: it may run there
    return _ended(vm, scene)


def _patience(timers: Timers) -> float:
    """Seconds until every host that answers has certainly been looked at anew."""
    return timers.suspect_beats * timers.beat


def _missed_long(vm: Vm, scene: _Scene) -> bool:
    """Whether a guest was missed for so long that it would have been seen."""
    patience = _patience(scene.snapshot.policy.timers)
    return vm.missed_at is not None and scene.snapshot.now >= vm.missed_at + patience


def _ended(vm: Vm, scene: _Scene) -> Vm:
    """The guest ended of itself: started again at once, but a guest that keeps ending soon
    after its start waits longer each time."""
    now, timers = scene.snapshot.now, scene.snapshot.policy.timers
    lost = replace(_lost(vm, f"its guest ended on host {vm.host}"), transit=vm.transit)
    if vm.started_at + timers.retry_most < now:
        return replace(lost, failures=0)
    wait = _wait(vm, scene) if vm.failures else 0.0
    return replace(lost, failures=vm.failures + 1, retry_at=now + wait)


def _wait(vm: Vm, scene: _Scene) -> float:
    """Seconds until the next try after a failure: doubled each time, bounded."""
    timers = scene.snapshot.policy.timers
    return min(timers.retry_most, timers.retry_first * 2.0 ** min(vm.failures, 16))


def _incoming(vm: Vm, host: str, scene: _Scene) -> bool:
    view = scene.views.get(host)
    copy = view.copies.get(vm.name) if view is not None and view.beating else None
    return copy is not None and copy.state is CopyState.INCOMING


def _lost(vm: Vm, why: str) -> Vm:
    return replace(vm, state=VmState.LOST, operation=None, transit="", missed_at=None, reason=why)


def _operating(vm: Vm, operation: Operation, end: Outcome | None, scene: _Scene) -> Vm | None:
    """A VM with an operation under way; the same VM when nothing can be said yet."""
    if operation.verb is Verb.START:
        return _starting(vm, operation, end, scene)
    if operation.verb is Verb.STOP:
        return _stopping(vm, operation, end, scene)
    return _moving(vm, operation, end, scene)


def _arrived(vm: Vm, operation: Operation, now: float) -> Vm:
    """Running at its goal. A place chosen for evenness is its home from now on; so is the
    first place of all. Half-way hosts of a swap, and those of failover and drain, are not."""
    dst = operation.dst
    half_way = vm.transit not in ("", dst)
    settles = operation.voluntary and not half_way
    return replace(
        vm,
        state=VmState.RUNNING,
        host=dst,
        home=dst if settles or not vm.home else vm.home,
        moved_at=now if settles else vm.moved_at,
        started_at=vm.started_at if operation.verb is Verb.LIVE else now,
        epoch=operation.epoch,
        operation=None,
        missed_at=None,
        failures=vm.failures if operation.verb is Verb.START else 0,
        reason="",
        transit=vm.transit if half_way else "",
    )


def _failed(vm: Vm, scene: _Scene, state: VmState, why: str) -> Vm:
    """Back to rest after a failure, to be tried again after a wait that doubles."""
    return replace(
        vm,
        state=state,
        operation=None,
        missed_at=None,
        transit="",
        failures=vm.failures + 1,
        retry_at=scene.snapshot.now + _wait(vm, scene),
        reason=why,
    )


def _starting(vm: Vm, operation: Operation, end: Outcome | None, scene: _Scene) -> Vm:
    dst = operation.dst
    if end is not None and not end.unknown and not end.error:
        return _arrived(vm, operation, scene.snapshot.now)
    if end is None and scene.beats(dst):
        return vm  # on a host that started anew too: the order may have come after that
    if scene.dead(dst):
        return _lost(vm, f"host {dst} died while it was being started there")
    if end is None:
        return vm
    if scene.runs(vm, dst):
        return _arrived(vm, operation, scene.snapshot.now)
    if not scene.empty(vm, dst):
        return vm
    if end.unknown and not _missed_long(vm, scene):
        # A daemon that hung may do only now what it was told, with the room it was given.
        return vm if vm.missed_at is not None else replace(vm, missed_at=scene.snapshot.now)
    return _failed(vm, scene, VmState.LOST, f"start on {dst} failed: {end.error or 'unknown'}")


def _stopping(vm: Vm, operation: Operation, end: Outcome | None, scene: _Scene) -> Vm | None:
    src = operation.src
    ended = end is not None and not end.unknown and not end.error
    if ended or scene.dead(src) or (end is not None and scene.empty(vm, src)):
        if not vm.wanted:
            return None
        return replace(vm, state=VmState.STOPPED, operation=None, reason="stopped as asked")
    if end is None or not scene.answers(src):
        return vm
    return _failed(vm, scene, VmState.RUNNING, f"stop on {src} failed: {end.error or 'unknown'}")


def _moving(vm: Vm, operation: Operation, end: Outcome | None, scene: _Scene) -> Vm:
    src, dst = operation.src, operation.dst
    if end is not None and not end.unknown and not end.error:
        return _arrived(vm, operation, scene.snapshot.now)
    over = end is not None or scene.dead(src) or scene.dead(dst)
    if not over:
        return vm
    if scene.runs(vm, dst) and scene.empty(vm, src):
        return _arrived(vm, operation, scene.snapshot.now)
    why = end.error if end is not None and end.error else "a host fell silent"
    if scene.runs(vm, src) and scene.empty(vm, dst):
        return _failed(vm, scene, VmState.RUNNING, f"move to {dst} failed: {why}")
    if scene.empty(vm, src) and scene.empty(vm, dst):
        if scene.dead(src) and scene.dead(dst):
            return _lost(vm, f"{src} and {dst} died while it moved")
        # One that answers may show it in a moment: rest there and see.
        rest, other = (dst, src) if scene.dead(src) else (src, dst)
        missing = replace(vm, host=rest, operation=None, transit=other)
        missing = replace(missing, missed_at=scene.snapshot.now)
        return replace(missing, state=VmState.UNMONITORED, reason=f"gone after a move: {why}")
    if vm.state is not VmState.UNMONITORED:
        return replace(vm, state=VmState.UNMONITORED, reason=f"move unresolved: {why}")
    return vm

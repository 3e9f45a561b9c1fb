"""From what the ports show to records: hosts judged, operations ended, VMs found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import inf

from frota.controllers.build import left_disk
from frota.controllers.draft import Draft
from frota.model.decision import Stage
from frota.model.host import Capacity, Host, HostState
from frota.model.sight import FenceVerdict, HostView, Outcome
from frota.model.vm import Vm, VmState
from frota.planners.liveness import Leftover, leftovers, settle
from frota.planners.membership import Surroundings, judge
from frota.planners.placement.ledger import rooms
from frota.ports.fence import Fence
from frota.ports.witness import Witness

ASKED = frozenset({HostState.ISOLATED, HostState.FENCING})
_CONDEMNED = ASKED | {HostState.DOWN}
_EMPTYING = frozenset({HostState.DRAINING, HostState.MAINTENANCE})
_FRESH_CAUSE = frozenset({HostState.SUSPECT, HostState.DRAINING, HostState.RECOVERING})
_HOSTS_STORY = frozenset({VmState.LOST, VmState.UNMONITORED})
_ROUNDS = 4  # a host can pass through at most this many states in one instant


def look(
    draft: Draft,
    views: Mapping[str, HostView],
    known: dict[str, tuple[Capacity, Capacity | None]],
) -> None:
    """Take in the views, with capacities brought down to what VMs may use.

    ``known`` remembers by host what was found and what of it is usable.
    """
    for spec in draft.spec.hosts:
        view = views[spec.name]
        found = view.capacity
        if found is not None:
            cached = known.get(spec.name)
            if cached is None or (cached[0] is not found and cached[0] != found):
                usable = spec.capacity(found)
                cached = known[spec.name] = (found, found if usable == found else usable)
            if cached[1] is not found:
                view = replace(view, capacity=cached[1])
        draft.views[spec.name] = view


def judge_hosts(draft: Draft, fence: Fence, witness: Witness, new_cause: Callable[[], str]) -> None:
    """Bring host records up to date.

    Judged until nothing changes, so that a host which died and came back within one
    instant passes through Down in the records too.
    """
    for _ in range(_ROUNDS):
        left = leftovers(draft.vms, draft.hosts, draft.views)
        around = Surroundings(
            views=draft.views,
            verdicts=_verdicts(draft, fence),
            busy=_busy(draft, left),
            haunted=frozenset(item.host for item in left),
            witness=witness.sees(),
            calm_since=draft.calm_since,
        )
        found = judge(draft.hosts, around, draft.spec.policy, draft.now)
        draft.storm, draft.probe, draft.kill = found.storm, found.probe, found.kill
        draft.calm_since = inf if found.storm else min(draft.calm_since, draft.now)
        if not found.changed:
            draft.wake_at(found.again_at)
            break
        for host in found.changed:
            _record(draft, host, new_cause)
        if any(host.state is HostState.DOWN for host in found.changed):
            draft.wake_at(draft.now)  # let the VMs of the dead be found before it returns
            break


def _verdicts(draft: Draft, fence: Fence) -> dict[str, FenceVerdict]:
    return {
        host.name: fence.verdict(host.name, host.incarnation)
        for host in draft.hosts.values()
        if host.state in ASKED
    }


def _busy(draft: Draft, left: Sequence[Leftover]) -> frozenset[str]:
    """Hosts that hold a VM or a copy; looked at only while one should hold none."""
    if not any(h.state in _EMPTYING for h in draft.hosts.values()):
        return frozenset()
    held = {host for vm in draft.vms.values() for host in rooms(vm)}
    return frozenset(held.union(item.host for item in left))


def _record(draft: Draft, host: Host, new_cause: Callable[[], str]) -> None:
    old = draft.hosts[host.name]
    if host.state is old.state:
        draft.hosts[host.name] = host
        if host.capacity != old.capacity:
            text = f"now {host.capacity.memory_mib} MiB, {host.capacity.vcpus} CPUs"
            draft.story.tell(
                Stage.CAUSE, host.cause_id, f"Host/{host.name}", "CapacityChanged", text
            )
        if host.reason != old.reason:
            draft.story.tell(
                Stage.CAUSE, host.cause_id, f"Host/{host.name}", host.state.value, host.reason
            )
        return
    if _by_people(old, host):
        cause = draft.asked(f"Host/{host.name}") or new_cause()
        host = replace(host, cause_id=cause)
    elif host.state in _FRESH_CAUSE and old.state is not HostState.DOWN:
        host = replace(host, cause_id=new_cause())
    draft.hosts[host.name] = host
    draft.story.tell(
        Stage.CAUSE,
        host.cause_id,
        f"Host/{host.name}",
        host.state.value,
        f"{old.state.value} -> {host.state.value}: {host.reason}",
    )
    if old.state in _CONDEMNED and host.state not in _CONDEMNED:
        draft.forget.append(host.name)
    if host.state is HostState.REMOVED:
        draft.removed.append(host.name)


def _by_people(old: Host, new: Host) -> bool:
    """Whether a change of state is what somebody asked for, and so part of that story. One
    who declares a host dead takes part in the story of its silence."""
    if new.state is HostState.RECOVERING:
        return old.state in _EMPTYING or (old.state is HostState.QUARANTINED and old.cleared)
    return new.state in (HostState.DRAINING, HostState.REMOVED)


def find_vms(draft: Draft, outcomes: Sequence[Outcome]) -> None:
    """Bring VM records up to date with views and ends of operations."""
    found = settle(draft.snapshot(), draft.views, outcomes)
    draft.wake_at(found.again_at)
    draft.settled += found.settled
    draft.overdue += found.overdue
    changed = found.changed or found.gone
    if changed and any(host.state in _EMPTYING for host in draft.hosts.values()):
        draft.wake_at(draft.now)  # perhaps it is empty now
    for vm in found.changed:
        caused = _caused(draft, vm)
        _tell_change(draft, draft.vms[vm.name], caused)
        draft.vms[vm.name] = caused
    for name in found.gone:
        vm = draft.vms.pop(name)
        text = f"stopped and gone{left_disk(vm, draft)}"
        draft.story.tell(Stage.OUTCOME, vm.cause_id, f"VirtualMachine/{name}", "Deleted", text)


def _caused(draft: Draft, vm: Vm) -> Vm:
    """A lost VM belongs to the story of its host."""
    host = draft.hosts.get(vm.host)
    if vm.state not in _HOSTS_STORY or host is None or host.cause_id in ("", vm.cause_id):
        return vm
    return replace(vm, cause_id=host.cause_id)


def _tell_change(draft: Draft, old: Vm, new: Vm) -> None:
    subject = f"VirtualMachine/{new.name}"
    if old.operation is not None and new.operation is None:
        if new.state is VmState.RUNNING and new.host == old.operation.dst:
            took = draft.now - old.operation.since
            text = f"{old.operation.verb.value} to {new.host} done in {took:.1f} s"
            draft.story.tell(Stage.OUTCOME, old.cause_id, subject, "Running", text)
            return
        draft.story.tell(
            Stage.OUTCOME, old.cause_id, subject, new.state.value, new.reason or "done"
        )
        return
    if old.operation is None and new.host != old.host:
        draft.moved_by_hand = True
        draft.story.tell(Stage.CAUSE, new.cause_id, subject, "MovedByHand", new.reason)
    elif new.state is not old.state:
        text = new.reason or "seen running"
        draft.story.tell(Stage.CAUSE, new.cause_id, subject, new.state.value, text)

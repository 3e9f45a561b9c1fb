"""Which of the moves wanted may begin now: limits per host, cluster and control plane."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from frota.model.plan import Refusal, Step
from frota.model.snapshot import Snapshot
from frota.model.vm import Verb, Vm, VmState
from frota.planners.placement.ledger import Ledger
from frota.planners.placement.survival import survives_any_host

_MOVES = frozenset({Verb.LIVE, Verb.COLD})


@dataclass(slots=True)
class _Traffic:
    """Moves under way, by what limits them."""

    out: Counter[str] = field(default_factory=Counter)
    into: Counter[str] = field(default_factory=Counter)
    cluster: Counter[str] = field(default_factory=Counter)

    def count(self, cluster: str, src: str, dst: str) -> None:
        self.out[src] += 1
        self.into[dst] += 1
        self.cluster[cluster] += 1


def admit(
    steps: Sequence[Step], snapshot: Snapshot, *, voluntary: bool
) -> tuple[tuple[Step, ...], tuple[Refusal, ...]]:
    """The steps that may begin now, in order, and why each other one waits.

    Voluntary moves must also leave the group able to lose a host if it was able before,
    and a control plane whole: all its members running, none of them moving.
    """
    if not steps:
        return (), ()
    ledger = Ledger(snapshot)
    traffic = _traffic(snapshot)
    first = min(step.layer for step in steps)
    guard = _survival_guard(snapshot) if voluntary else None
    admitted: list[Step] = []
    waiting: list[Refusal] = []
    busy = _moving_sets(snapshot)
    for step in steps:
        vm = snapshot.vms[step.vm]
        why = "waits for room that earlier moves make" if step.layer > first else ""
        why = why or _limit(step, vm, snapshot, traffic)
        why = why or _quorum(vm, snapshot, busy, voluntary=voluntary)
        if not why and not ledger.fits(ledger.index[step.dst], vm.size):
            why = f"waits for room on {step.dst}"
        if not why and guard is not None and not guard(step):
            why = "would leave the group unable to lose a host"
        if why:
            waiting.append(Refusal(step.vm, "CooldownOrThrottle", why))
            continue
        ledger.take(ledger.index[step.dst], vm.size)
        traffic.count(_cluster(vm, snapshot), step.src, step.dst)
        busy.add(vm.set)
        admitted.append(step)
    return tuple(admitted), tuple(waiting)


def _cluster(vm: Vm, snapshot: Snapshot) -> str:
    spread = snapshot.sets.get(vm.set)
    return spread.cluster if spread is not None else ""


def _traffic(snapshot: Snapshot) -> _Traffic:
    traffic = _Traffic()
    for vm in snapshot.vms.values():
        operation = vm.operation
        if operation is not None and operation.verb in _MOVES:
            traffic.count(_cluster(vm, snapshot), operation.src, operation.dst)
    return traffic


def _moving_sets(snapshot: Snapshot) -> set[str]:
    return {vm.set for vm in snapshot.vms.values() if vm.operation is not None}


def _limit(step: Step, vm: Vm, snapshot: Snapshot, traffic: _Traffic) -> str:
    throttle = snapshot.policy.throttle
    cluster = _cluster(vm, snapshot)
    if traffic.out[step.src] >= throttle.out_per_host:
        return f"{throttle.out_per_host} moves leave {step.src} already"
    if traffic.into[step.dst] >= throttle.in_per_host:
        return f"{throttle.in_per_host} moves go to {step.dst} already"
    if traffic.cluster[cluster] >= throttle.per_cluster:
        return f"{throttle.per_cluster} moves of cluster {cluster} are under way"
    return ""


def _quorum(vm: Vm, snapshot: Snapshot, busy: set[str], *, voluntary: bool) -> str:
    """One member of a control plane at a time, and only while it has its quorum."""
    spread = snapshot.sets.get(vm.set)
    if spread is None or not spread.control_plane:
        return ""
    if vm.set in busy:
        return "another member of its control plane is moving"
    members = [m for m in snapshot.vms.values() if m.set == vm.set and m.wanted]
    well = sum(m.state is VmState.RUNNING and m.ready for m in members)
    needed = len(members) if voluntary else len(members) // 2 + 1
    if well < needed:
        return f"{well} of {len(members)} control-plane members are ready, {needed} needed"
    return ""


def _survival_guard(snapshot: Snapshot) -> Callable[[Step], bool] | None:
    """A check that every admitted move keeps N-1; None when there is nothing to keep."""
    if not survives_any_host(snapshot):
        return None
    moved: dict[str, Vm] = {}

    def keeps(step: Step) -> bool:
        vm = snapshot.vms[step.vm]
        trial = {**moved, vm.name: replace(vm, host=step.dst)}
        if not survives_any_host(snapshot.with_vms(trial.values())):
            return False
        moved[vm.name] = trial[vm.name]
        return True

    return keeps

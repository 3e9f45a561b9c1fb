"""Which of the moves wanted may begin now: limits per host, cluster and control plane."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from frota.model.availability import Level
from frota.model.plan import Refusal, Step
from frota.model.snapshot import Snapshot
from frota.model.vm import Verb, Vm, VmState
from frota.planners.placement.ledger import Ledger
from frota.planners.placement.survival import survives_any_host

MOVES = frozenset({Verb.LIVE, Verb.COLD})


def admit(
    steps: Sequence[Step], snapshot: Snapshot, *, voluntary: bool
) -> tuple[tuple[Step, ...], tuple[Refusal, ...]]:
    """The steps that may begin now, in order, and why each other one waits.

    Voluntary moves must also leave the group able to lose a host if it was able before,
    and a control plane whole: all its members running, none of them moving.
    """
    if not steps:
        return (), ()
    gate = _Gate(snapshot, voluntary=voluntary)
    first = min(step.layer for step in steps)
    admitted: list[Step] = []
    waiting = dict.fromkeys(steps, "waits for room that earlier moves make")
    progress = True
    while progress:  # one that was let in may open the gate for one before it
        progress = False
        for step in [step for step in waiting if step.layer == first]:
            waiting[step] = gate.closed_to(step, waiting)
            if not waiting[step]:
                del waiting[step]
                gate.let_in(step)
                admitted.append(step)
                progress = True
    refusals = (Refusal(step.vm, "CooldownOrThrottle", why) for step, why in waiting.items())
    return tuple(admitted), tuple(refusals)


class _Gate:
    """Lets moves in one after another, counting each at once."""

    def __init__(self, snapshot: Snapshot, *, voluntary: bool) -> None:
        self._snapshot = snapshot
        self._voluntary = voluntary
        self._ledger = Ledger(snapshot)
        self._out: Counter[str] = Counter()
        self._into: Counter[str] = Counter()
        self._cluster: Counter[str] = Counter()
        self._busy_sets: set[str] = set()
        self._moved: dict[str, Vm] = {}
        self._survives: tuple[bool, ...] | None = None  # found out when first needed
        for vm in snapshot.vms.values():
            operation = vm.operation
            if operation is not None:
                self._busy_sets.add(vm.set)
                if operation.verb in MOVES:
                    self._count(vm, operation.src, operation.dst)

    def _count(self, vm: Vm, src: str, dst: str) -> None:
        self._out[src] += 1
        self._into[dst] += 1
        self._cluster[_cluster(vm, self._snapshot)] += 1

    def let_in(self, step: Step) -> None:
        """Count a move that begins."""
        vm = self._snapshot.vms[step.vm]
        src, dst = self._ledger.index[step.src], self._ledger.index[step.dst]
        self._ledger.take(dst, vm.size)
        if vm.set:
            self._ledger.seat(vm.set, src, -1)
            self._ledger.seat(vm.set, dst, 1)
        self._count(vm, step.src, step.dst)
        self._busy_sets.add(vm.set)
        self._moved[vm.name] = replace(vm, host=step.dst)

    def closed_to(self, step: Step, others: Iterable[Step]) -> str:
        """Why a move may not begin now; empty when it may. ``others`` wait with it."""
        vm = self._snapshot.vms[step.vm]
        why = self._limit(step, vm) or self._quorum(vm)
        if not why and not self._ledger.fits(self._ledger.index[step.dst], vm.size):
            why = f"waits for room on {step.dst}"
        if not why and self._voluntary and self._too_early(step, vm, others):
            why = "waits until another member of its set has gone first"
        if not why and self._voluntary and not self._leaves_survival(step, vm):
            why = "would leave the group unable to lose a host"
        return why

    def _limit(self, step: Step, vm: Vm) -> str:
        throttle = self._snapshot.policy.throttle
        cluster = _cluster(vm, self._snapshot)
        if self._out[step.src] >= throttle.out_per_host:
            return f"{throttle.out_per_host} moves leave {step.src} already"
        if self._into[step.dst] >= throttle.in_per_host:
            return f"{throttle.in_per_host} moves go to {step.dst} already"
        if self._cluster[cluster] >= throttle.per_cluster:
            return f"{throttle.per_cluster} moves of cluster {cluster} are under way"
        return ""

    def _quorum(self, vm: Vm) -> str:
        """One member of a control plane at a time, and only while it has its quorum."""
        spread = self._snapshot.sets.get(vm.set)
        if spread is None or not spread.control_plane:
            return ""
        if vm.set in self._busy_sets:
            return "another member of its control plane is moving"
        members = [m for m in self._snapshot.vms.values() if m.set == vm.set and m.wanted]
        well = sum(m.state is VmState.RUNNING and m.ready for m in members)
        needed = len(members) if self._voluntary else len(members) // 2 + 1
        if well < needed:
            return f"{well} of {len(members)} control-plane members are ready, {needed} needed"
        return ""

    def _too_early(self, step: Step, vm: Vm, others: Iterable[Step]) -> bool:
        """Whether the move, were it the only one, would leave the set less even; or as even
        as it is while another member waits whose move would help."""
        gain = self._gain(step)
        if gain or step.dst == vm.home:
            return gain < 0
        vms = self._snapshot.vms
        return any(vms[other.vm].set == vm.set and self._gain(other) > 0 for other in others)

    def _gain(self, step: Step) -> int:
        """Above 0 when the move makes its set more even, below when less.

        A swap by way of a third host makes it less even for a while, and is let pass.
        """
        vm = self._snapshot.vms[step.vm]
        spread = self._snapshot.sets.get(vm.set)
        if spread is None or step.final or vm.transit:
            return 1
        ledger = self._ledger
        src, dst = ledger.index[step.src], ledger.index[step.dst]
        counts, racks = ledger.counts[vm.set], ledger.rack_counts[vm.set]
        from_rack, to_rack = ledger.rack_of[src], ledger.rack_of[dst]
        if Level.RACK in spread.levels and from_rack != to_rack:
            gap = racks[from_rack] - racks.get(to_rack, 0)
            if gap != 1:
                return gap - 1
        return counts[src] - counts.get(dst, 0) - 1 if Level.HOST in spread.levels else 0

    def _leaves_survival(self, step: Step, vm: Vm) -> bool:
        """Whether the group can lose a host after the move, if it could before.

        Asked twice where moves are under way: with these taking room at both their ends, as
        they do now, and with them done, as they will be.
        """
        moved = replace(vm, host=step.dst)
        now = self._snapshot.with_vms(self._moved.values())
        landed = self._landed()
        scenes = (now, now.with_vms(landed)) if landed else (now,)
        if self._survives is None:
            self._survives = tuple(map(survives_any_host, scenes))
        return all(
            survives_any_host(scene.with_vms([moved]))
            for scene, could in zip(scenes, self._survives, strict=True)
            if could
        )

    def _landed(self) -> list[Vm]:
        """VMs under way where they are going."""
        return [
            replace(vm, host=vm.operation.dst, operation=None, state=VmState.RUNNING)
            for vm in self._snapshot.vms.values()
            if vm.operation is not None and vm.operation.verb in MOVES
        ]


def _cluster(vm: Vm, snapshot: Snapshot) -> str:
    spread = snapshot.sets.get(vm.set)
    return spread.cluster if spread is not None else ""

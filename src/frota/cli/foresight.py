"""What the controllers would do with a host group, by the very planners that they use."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from frota.controllers.brake import held_moves
from frota.model.availability import Verdict
from frota.model.host import HostState
from frota.model.plan import Plan, Refusal, Step
from frota.model.snapshot import Snapshot
from frota.model.vm import Verb, Vm, VmState
from frota.planners.placement.drain import plan_drain
from frota.planners.placement.evenly import Grounds
from frota.planners.placement.ledger import Ledger
from frota.planners.placement.rebalance import plan_rebalance
from frota.planners.placement.starts import plan_starts, preemptions, waiting
from frota.planners.placement.survival import failing_hosts
from frota.planners.placement.verdict import Judge, members_of

_SILENT = frozenset({HostState.SUSPECT, HostState.ISOLATED, HostState.FENCING})
_STOPPABLE = frozenset({VmState.RUNNING, VmState.STOPPED})


@dataclass(frozen=True, slots=True)
class Foresight:
    """``snapshot`` is what was looked at, ``after`` what would be when all is done, moves
    included. ``held`` is the hash of a rebalance that the brake would hold; ``waits`` says
    why rebalancing would not begin yet."""

    snapshot: Snapshot
    after: Snapshot
    stops: tuple[Step, ...]
    starts: tuple[Step, ...]
    drains: tuple[Step, ...]
    refusals: tuple[Refusal, ...]
    warnings: tuple[str, ...]
    rebalance: Plan
    held: str = ""
    waits: str = ""

    @property
    def idle(self) -> bool:
        """Whether nothing at all would be done."""
        return not (self.stops or self.starts or self.drains or self.rebalance.steps)


def foresee(snapshot: Snapshot, *, check: bool = False) -> Foresight:
    """Plan everything once: stops, starts and drains now, then the rebalance that follows.

    What is under way is taken to end well. With ``check`` the rebalance is proved a second
    time, apart from the solver.
    """
    now = settled(snapshot)
    starts = plan_starts(now, waiting(now), Ledger(now))
    stops = list(_stops(now.vms.values()))
    if starts.refusals and now.policy.preempt:
        stops += preemptions(now, starts.ledger, starts.refusals)
    begun = started(stopped(now, stops), starts.steps)
    drains, blocked = plan_drain(begun, Ledger(begun))
    placed = moved(begun, drains)
    rebalance = _rebalance(Grounds(placed, Ledger(placed)), check=check)
    return Foresight(
        snapshot=snapshot,
        after=moved(placed, rebalance.steps),
        stops=tuple(stops),
        starts=starts.steps,
        drains=drains,
        refusals=(*starts.refusals, *blocked),
        warnings=starts.warnings,
        rebalance=rebalance,
        held=held_moves(rebalance.steps, placed.vms, placed.policy),
        waits=_waits(now) if rebalance.steps else "",
    )


def _rebalance(grounds: Grounds, *, check: bool) -> Plan:
    if not check:
        return plan_rebalance(grounds)
    from frota.cli.proving import Checked

    solver = Checked()
    return solver.on(plan_rebalance(grounds, solver))


def verdicts(snapshot: Snapshot) -> tuple[Verdict, ...]:
    """How each set of a snapshot stands."""
    feasible = not failing_hosts(snapshot)
    judge = Judge(Grounds(snapshot, Ledger(snapshot)), feasible)
    members = members_of(snapshot)
    return tuple(judge.judge(snapshot.sets[name], members[name]) for name in sorted(members))


def settled(snapshot: Snapshot) -> Snapshot:
    """The same with all that is under way ended well."""
    ended = [vm for vm in snapshot.vms.values() if vm.operation is not None]
    if not ended:
        return snapshot
    kept = {name: vm for name, vm in snapshot.vms.items() if not _leaves(vm)}
    return replace(snapshot, vms=kept).with_vms(_ended(vm) for vm in ended if not _leaves(vm))


def _leaves(vm: Vm) -> bool:
    return vm.operation is not None and vm.operation.verb is Verb.STOP and not vm.wanted


def _ended(vm: Vm) -> Vm:
    operation = vm.operation
    if operation is None or operation.verb is Verb.KILL:
        return replace(vm, operation=None)
    if operation.verb is Verb.STOP:
        return replace(vm, operation=None, state=VmState.STOPPED)
    host = operation.dst
    return replace(vm, operation=None, state=VmState.RUNNING, host=host, epoch=operation.epoch)


def _stops(vms: Iterable[Vm]) -> Iterable[Step]:
    for vm in vms:
        halting = vm.halted and vm.state is VmState.RUNNING
        if halting or (not vm.wanted and vm.state in _STOPPABLE):
            why = "halted by agreement" if halting and vm.wanted else "no longer wanted"
            yield Step(Verb.STOP, vm.name, vm.host, "", why)


def stopped(snapshot: Snapshot, steps: Sequence[Step]) -> Snapshot:
    """The same after these stops."""
    if not steps:
        return snapshot
    names = {step.vm for step in steps}
    kept = {
        name: replace(vm, state=VmState.STOPPED) if name in names else vm
        for name, vm in snapshot.vms.items()
        if vm.wanted or name not in names
    }
    return replace(snapshot, vms=kept)


def started(snapshot: Snapshot, steps: Iterable[Step]) -> Snapshot:
    """The same after these starts."""
    return snapshot.with_vms(
        replace(
            vm := snapshot.vms[step.vm],
            state=VmState.RUNNING,
            host=step.dst,
            home=vm.home or step.dst,
            epoch=vm.epoch + 1,
            reason="",
        )
        for step in steps
    )


def moved(snapshot: Snapshot, steps: Iterable[Step]) -> Snapshot:
    """The same after these moves, those by way of a third host included."""
    last = {step.vm: step for step in steps}
    return snapshot.with_vms(
        replace(snapshot.vms[name], host=step.dst) for name, step in last.items()
    )


def _waits(snapshot: Snapshot) -> str:
    silent = sorted(h.name for h in snapshot.hosts.values() if h.state in _SILENT)
    return f"until it is known what became of {', '.join(silent)}" if silent else ""

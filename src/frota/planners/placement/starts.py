"""Where waiting VMs start: new ones, those of dead hosts, and those whose guest ended.

All that wait are placed together, in one order (section E.6.2), each seeing those
before it. What does not fit stays and says why; nothing is refused for its set's sake.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from itertools import islice

from frota.model.host import HostState
from frota.model.plan import Refusal, Step
from frota.model.policy import Admission
from frota.model.snapshot import Snapshot
from frota.model.vm import Verb, Vm, VmState
from frota.planners.placement.choice import Chooser
from frota.planners.placement.ledger import Ledger
from frota.planners.placement.packing import Batch
from frota.planners.placement.survival import survives_any_host

WAITING = frozenset({VmState.PENDING, VmState.LOST, VmState.UNPLACEABLE, VmState.STOPPED})
_EXPLAINED = 200  # starts of one batch for which the alternatives are written down
_NAMED = 3  # alternatives of each
_ALIVE = frozenset({VmState.RUNNING, VmState.MIGRATING, VmState.UNMONITORED})


@dataclass(frozen=True, slots=True)
class Starts:
    """Steps that start VMs, refusals for those that must wait, and warnings.

    ``ledger`` counts the chosen places too, so that later planners see them.
    """

    steps: tuple[Step, ...]
    refusals: tuple[Refusal, ...]
    warnings: tuple[str, ...]
    ledger: Ledger


def waiting(snapshot: Snapshot) -> list[Vm]:
    """VMs that should run and do not, in the order in which they are to be started."""
    now = snapshot.now
    found = [
        vm
        for vm in snapshot.vms.values()
        if vm.state in WAITING
        and vm.wanted
        and not vm.halted
        and vm.operation is None
        and vm.retry_at <= now
    ]
    if not found:
        return found
    size: Counter[str] = Counter()
    alive: Counter[str] = Counter()
    for vm in snapshot.vms.values():
        size[vm.set] += vm.wanted
        alive[vm.set] += vm.state in _ALIVE or vm.state is VmState.STARTING

    def order(vm: Vm) -> tuple[int, int, float, int, int, int]:
        spread = snapshot.sets.get(vm.set)
        total = size[vm.set] or 1
        if spread is None or not spread.control_plane:
            rank = 2
        else:
            rank = 1 if alive[vm.set] >= total // 2 + 1 else 0
        need = vm.size
        return rank, -vm.priority, alive[vm.set] / total, -need.memory_mib, -need.vcpus, vm.order

    return sorted(found, key=order)


def plan_starts(snapshot: Snapshot, queue: Sequence[Vm], ledger: Ledger) -> Starts:
    """Place the VMs of a queue (see ``waiting``) for which there is room. Uses up ``ledger``."""
    places, warnings = _place(queue, snapshot, ledger)
    others = _Others(snapshot, ledger)
    steps: list[Step] = []
    refusals: list[Refusal] = []
    for vm in queue:
        host, why = places[vm.name]
        if host is None:
            refusals.append(Refusal(vm.name, why, _no_room(vm, snapshot, why)))
        else:
            rejected = others.of(vm, host) if len(steps) < _EXPLAINED else ()
            name = ledger.names[host]
            steps.append(Step(Verb.START, vm.name, "", name, _reason(vm), rejected=rejected))
    return Starts(tuple(steps), tuple(refusals), warnings, ledger)


_Places = dict[str, tuple[int | None, str]]


def _place(
    queue: Sequence[Vm], snapshot: Snapshot, ledger: Ledger
) -> tuple[_Places, tuple[str, ...]]:
    up = [i for i, name in enumerate(ledger.names) if snapshot.hosts[name].schedulable]
    fallback = [
        i
        for i, name in enumerate(ledger.names)
        if snapshot.hosts[name].state is HostState.RECOVERING
    ]
    if snapshot.policy.admission is Admission.STRICT:
        # New VMs may be refused in the end: they must not take room from restarts.
        queue = sorted(queue, key=lambda vm: not vm.epoch)
    chooser = Chooser(ledger, up)
    found = Batch(queue, snapshot.sets, chooser, snapshot.policy.work_limit).place()
    places: _Places = {
        vm.name: (found[vm.name], "") if vm.name in found else (None, "Capacity") for vm in queue
    }
    _last_resort(queue, places, snapshot, Chooser(ledger, fallback))
    return _guarded(queue, places, snapshot, chooser)


def _last_resort(
    queue: Sequence[Vm], places: _Places, snapshot: Snapshot, recovering: Chooser
) -> None:
    """Hosts still on probation may take what fits nowhere else."""
    for vm in queue:
        if places[vm.name][0] is None:
            spread = snapshot.sets.get(vm.set)
            host = recovering.choose(spread, vm.size)
            if host is not None:
                recovering.put(spread, host, vm.size)
                places[vm.name] = (host, "")


def _guarded(
    queue: Sequence[Vm], places: _Places, snapshot: Snapshot, chooser: Chooser
) -> tuple[_Places, tuple[str, ...]]:
    """Look at what the new VMs leave of N-1: warn, or with strict admission refuse."""
    new = [vm for vm in queue if not vm.epoch and places[vm.name][0] is not None]
    if not new:
        return places, ()
    with_all = _survives(snapshot, queue, places, chooser.ledger.names)
    if with_all:
        return places, ()
    if snapshot.policy.admission is Admission.WARN:
        return places, ("the group cannot lose one host and restart all VMs of it elsewhere",)
    for vm in reversed(new):
        host, _ = places[vm.name]
        if host is not None:
            chooser.unput(snapshot.sets.get(vm.set), host, vm.size)
        places[vm.name] = (None, "AdmissionN1")
        if _survives(snapshot, queue, places, chooser.ledger.names):
            return _spread_again(queue, places, snapshot, chooser), ()
    return places, ()


def _spread_again(
    queue: Sequence[Vm], places: _Places, snapshot: Snapshot, chooser: Chooser
) -> _Places:
    """Those that are admitted, placed as if nobody had been refused: they may have been
    packed for the sake of others."""
    sets = snapshot.sets
    up = {host for _, host in chooser.by_load.all}  # the others were a last resort
    kept = [(vm, host) for vm in queue if (host := places[vm.name][0]) in up and host is not None]
    for vm, host in kept:
        chooser.unput(sets.get(vm.set), host, vm.size)
    batch = Batch([vm for vm, _ in kept], sets, chooser, snapshot.policy.work_limit)
    found = batch.place()
    again = {**places, **{name: (host, "") for name, host in found.items()}}
    if len(found) == len(kept) and _survives(snapshot, queue, again, chooser.ledger.names):
        return again
    for vm, host in kept:
        if vm.name in found:
            chooser.unput(sets.get(vm.set), found[vm.name], vm.size)
        chooser.put(sets.get(vm.set), host, vm.size)
    return places


def _survives(
    snapshot: Snapshot, queue: Iterable[Vm], places: _Places, names: Sequence[str]
) -> bool:
    extra: dict[str, list[Vm]] = {}
    for vm in queue:
        host = places[vm.name][0]
        if host is not None:
            extra.setdefault(names[host], []).append(vm)
    return survives_any_host(snapshot, extra)


def _reason(vm: Vm) -> str:
    return f"restart: {vm.reason}" if vm.epoch else "first placement"


class _Others:
    """The next best hosts, and why they were not taken, as the batch leaves them."""

    def __init__(self, snapshot: Snapshot, ledger: Ledger) -> None:
        self._ledger = ledger
        self._load = {
            index: ledger.load(index)
            for index, name in enumerate(ledger.names)
            if snapshot.hosts[name].schedulable
        }
        self._by_load = sorted(self._load, key=lambda index: (self._load[index], index))

    def of(self, vm: Vm, chosen: int) -> tuple[str, ...]:
        """Three hosts by members of the VM's set, then by load; fewer if there are fewer."""
        ledger, load = self._ledger, self._load
        counts = {h: n for h, n in ledger.counts.get(vm.set, {}).items() if n}
        empty = (host for host in self._by_load if host not in counts and host != chosen)
        held = (host for host in counts if host in load and host != chosen)
        ranked = nsmallest(
            _NAMED,
            ((counts.get(host, 0), load[host], host) for host in (*held, *islice(empty, _NAMED))),
        )
        return tuple(
            f"{ledger.names[index]}: {members} members of {vm.set}, {full / 10:.0f} % full"
            + ("" if ledger.fits(index, vm.size) else ", no room for one more")
            for members, full, index in ranked
        )


def _no_room(vm: Vm, snapshot: Snapshot, why: str) -> str:
    need = vm.size
    if why == "AdmissionN1":
        return "admission is strict, and with this VM the group could not lose any one host"
    usable = [host for host in snapshot.hosts.values() if host.schedulable]
    if need.gpus and not any(h.capacity.gpus_of(need.gpu_model) for h in usable):
        return f"no host that is up has a GPU of model {need.gpu_model}"
    gpus = f" and {need.gpus} GPU {need.gpu_model}" if need.gpus else ""
    wants = f"{need.memory_mib} MiB, {need.vcpus} CPUs{gpus}"
    return f"none of {len(usable)} hosts that are up has {wants} free; it waits for room"


def reason_of_refusal(vm: Vm, refusal: Refusal) -> str:
    """The reason word shown on an Unplaceable VM."""
    if refusal.reason == "Capacity" and vm.size.gpus:
        return "GPU"
    return refusal.reason


def preemptions(
    snapshot: Snapshot, ledger: Ledger, refusals: Iterable[Refusal]
) -> tuple[Step, ...]:
    """Stops of lower-priority VMs that make room for refused ones (opt-in).

    On the host where the victims matter least: lowest priority first, then fewest.
    Stopped VMs wait for room like any other.
    """
    steps: list[Step] = []
    running = [
        vm
        for vm in snapshot.vms.values()
        if vm.state is VmState.RUNNING and vm.operation is None and vm.wanted
    ]
    for refusal in refusals:
        vm = snapshot.vms[refusal.subject]
        chosen = {step.vm for step in steps}
        best: tuple[tuple[int, int, str], list[Vm]] | None = None
        for index, name in enumerate(ledger.names):
            if not snapshot.hosts[name].schedulable:
                continue
            lower = [v for v in running if v.host == name and v.priority < vm.priority]
            victims = _victims(vm, index, [v for v in lower if v.name not in chosen], ledger)
            if victims:
                rank = (max(v.priority for v in victims), len(victims), name)
                if best is None or rank < best[0]:
                    best = (rank, victims)
        if best is None:
            continue
        index = ledger.index[best[0][2]]
        why = f"makes room for {vm.name} of priority {vm.priority}"
        for victim in best[1]:
            ledger.give(index, victim.size)
            steps.append(Step(Verb.STOP, victim.name, victim.host, "", why))
        ledger.take(index, vm.size)
    return tuple(steps)


def _victims(vm: Vm, host: int, lower: list[Vm], ledger: Ledger) -> list[Vm]:
    """Those of ``lower`` that must go for ``vm`` to fit on a host; empty if none help."""
    chosen: list[Vm] = []
    for victim in sorted(lower, key=lambda v: (v.priority, -v.order)):
        if ledger.fits(host, vm.size):
            break
        ledger.give(host, victim.size)
        chosen.append(victim)
    fits = ledger.fits(host, vm.size)
    for victim in chosen:
        ledger.take(host, victim.size)
    return chosen if fits else []

"""How each set stands: phase, conditions, and what keeps it from being even."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from frota.model.availability import (
    AvailabilitySet,
    Blocker,
    Level,
    Phase,
    Verdict,
    domain_of,
)
from frota.model.host import Host, Size
from frota.model.snapshot import Snapshot
from frota.model.vm import Mobility, Vm, VmState
from frota.planners.placement.ledger import Ledger

_HURT = frozenset({VmState.LOST, VmState.UNPLACEABLE, VmState.UNMONITORED})


def members_of(snapshot: Snapshot) -> dict[str, list[Vm]]:
    """VMs by set, every set present."""
    members: dict[str, list[Vm]] = {name: [] for name in snapshot.sets}
    for vm in snapshot.vms.values():
        if vm.set in members:
            members[vm.set].append(vm)
    return members


def admits(spread: AvailabilitySet, generation: int, host: Host) -> bool:
    """Whether a member of a generation may be moved to a host by choice: only to domains
    its set had when it was admitted, unless the set adopts new ones."""
    if spread.adopt_new_domains or not spread.generations:
        return True
    config = spread.generations[min(generation, len(spread.generations) - 1)]
    return all(domain_of(host, level) in config for level in spread.levels)


def movable(vm: Vm, snapshot: Snapshot) -> bool:
    """Whether a VM may be moved by choice now."""
    if vm.operation is not None or vm.state is not VmState.RUNNING or not vm.wanted:
        return False
    if vm.mobility is not Mobility.LIVE and not snapshot.policy.cold_rebalance:
        return False
    if vm.retry_at > snapshot.now or not vm.ready:
        return False
    return vm.moved_at + snapshot.policy.timers.move_cooldown <= snapshot.now


@dataclass(frozen=True, slots=True)
class Uneven:
    """Why a set is not even: the blocker, or None when a move that helps is open."""

    blocker: Blocker | None
    message: str


def unevenness(
    spread: AvailabilitySet, members: Iterable[Vm], snapshot: Snapshot, ledger: Ledger
) -> Uneven | None:
    """None when the set is as even as its domains allow (section E.2).

    A domain that could not hold one member more even if it held nothing else is left
    out of the minimum: its size, not its guests, is in the way.
    """
    for level in spread.levels:
        for group in _arenas(spread, level, ledger, snapshot):
            found = _gap(spread, level, group, members, snapshot, ledger)
            if found is not None:
                return found
    return None


def _arenas(
    spread: AvailabilitySet, level: Level, ledger: Ledger, snapshot: Snapshot
) -> list[dict[str, list[int]]]:
    """Domains (id to hosts up) that are to be even with each other at one level.

    Hosts are compared inside their rack when racks are a level too.
    """
    nested = level is Level.HOST and Level.RACK in spread.levels
    arenas: dict[int, dict[str, list[int]]] = {}
    config = spread.generations[-1] if spread.generations else None
    for index, name in enumerate(ledger.names):
        host = snapshot.hosts[name]
        if not host.schedulable:
            continue
        domain = domain_of(host, level)
        if config is not None and domain not in config:
            continue
        arena = arenas.setdefault(ledger.rack_of[index] if nested else 0, {})
        arena.setdefault(domain, []).append(index)
    return list(arenas.values())


def _gap(  # noqa: PLR0913 - one question, six facts
    spread: AvailabilitySet,
    level: Level,
    arena: Mapping[str, list[int]],
    members: Iterable[Vm],
    snapshot: Snapshot,
    ledger: Ledger,
) -> Uneven | None:
    counts = ledger.counts.get(spread.name, {})
    held = {domain: sum(counts.get(h, 0) for h in hosts) for domain, hosts in arena.items()}
    if len(held) <= 1 or max(held.values()) - min(held.values()) <= 1:
        return None
    members = list(members)
    size = members[0].size if members else Size(1, 0)
    low = {d: n for d, n in held.items() if not _too_small(arena[d], size, n, ledger)}
    if not low or max(held.values()) - min(low.values()) <= 1:
        return None
    return _why(spread, level, arena, held, low, members, snapshot, ledger)


def _too_small(hosts: list[int], size: Size, held: int, ledger: Ledger) -> bool:
    """Whether the domain's hosts, empty of all else, could not hold one member more."""
    most = 0
    for host in hosts:
        capacity = ledger.capacity[host]
        fits = min(capacity.memory_mib // size.memory_mib, capacity.slots)
        if size.vcpus:
            fits = min(fits, capacity.vcpus // size.vcpus)
        if size.gpus:
            fits = min(fits, capacity.gpus_of(size.gpu_model) // size.gpus)
        most += fits
        if most > held:
            return False
    return True


def _why(  # noqa: PLR0913
    spread: AvailabilitySet,
    level: Level,
    arena: Mapping[str, list[int]],
    held: Mapping[str, int],
    low: Mapping[str, int],
    members: list[Vm],
    snapshot: Snapshot,
    ledger: Ledger,
) -> Uneven:
    """Find the first obstacle between the fullest domains and the emptiest."""
    least = min(low.values())
    crowded = {h for d, n in held.items() if n - least >= 2 for h in arena[d]}
    sparse = [h for d, n in low.items() if n == least for h in arena[d]]
    inside = [vm for vm in members if ledger.index.get(vm.seat, -1) in crowded]
    shape = ", ".join(f"{domain.split('/', 1)[1]}={held[domain]}" for domain in sorted(held))
    text = f"{level.value}s hold {shape}"
    free = [vm for vm in inside if movable(vm, snapshot)]
    if not free:
        blocker = _held_back(inside, snapshot)
        return Uneven(blocker, f"{text}; {_HELD[blocker]}")
    open_to = [
        (vm, h) for vm in free for h in sparse if _may(spread, vm, ledger.names[h], snapshot)
    ]
    if not open_to:
        return Uneven(
            Blocker.CONFIG_STALE, f"{text}; its members were admitted before these domains joined"
        )
    if not any(ledger.fits(h, vm.size) for vm, h in open_to):
        need = free[0].size
        names = ", ".join(sorted({ledger.names[h] for _, h in open_to})[:4])
        return Uneven(
            Blocker.CAPACITY,
            f"{text}; no room for {need.memory_mib} MiB and {need.vcpus} CPUs on {names}",
        )
    return Uneven(None, text)


_HELD = {
    Blocker.PINNED: "the members in the way are pinned to their hosts",
    Blocker.MOVE_FAILING: "moves failed; tried again after a wait",
    Blocker.COOLDOWN_OR_THROTTLE: "members moved lately rest before they move again",
}


def _held_back(inside: Iterable[Vm], snapshot: Snapshot) -> Blocker:
    inside = list(inside)
    if any(vm.failures and vm.retry_at > snapshot.now for vm in inside):
        return Blocker.MOVE_FAILING
    cold = snapshot.policy.cold_rebalance
    if inside and all(vm.mobility is not Mobility.LIVE and not cold for vm in inside):
        return Blocker.PINNED
    return Blocker.COOLDOWN_OR_THROTTLE


def _may(spread: AvailabilitySet, vm: Vm, host: str, snapshot: Snapshot) -> bool:
    return host != vm.host and admits(spread, vm.generation, snapshot.hosts[host])


def verdicts(
    snapshot: Snapshot, ledger: Ledger, n1_feasible: bool | None
) -> tuple[Verdict, ...]:
    """The verdict on every set, by name."""
    members = members_of(snapshot)
    available = {
        domain_of(host, level)
        for host in snapshot.hosts.values()
        if host.schedulable
        for level in Level
    }
    return tuple(
        _verdict(snapshot.sets[name], members[name], snapshot, ledger, available, n1_feasible)
        for name in sorted(snapshot.sets)
    )


def _verdict(  # noqa: PLR0913
    spread: AvailabilitySet,
    members: list[Vm],
    snapshot: Snapshot,
    ledger: Ledger,
    available: set[str],
    n1_feasible: bool | None,
) -> Verdict:
    config = spread.generations[-1] if spread.generations else frozenset()
    down = sorted(d for d in config if d not in available and d not in spread.removed)
    usable = sum(d in available for d in config if d.startswith(f"{spread.levels[0].value}/"))
    uneven = unevenness(spread, members, snapshot, ledger)
    latest = len(spread.generations) - 1
    current = spread.adopt_new_domains or all(vm.generation >= latest for vm in members)
    hurt = sorted(vm.name for vm in members if vm.state in _HURT)
    moving = any(vm.operation is not None and vm.operation.voluntary for vm in members)
    phase, message = Phase.HEALTHY, "spread evenly"
    if spread.deleting:
        phase, message = Phase.DELETING, "being deleted"
    elif spread.removed:
        gone = ", ".join(spread.removed)
        phase, message = Phase.UNHEALTHY, f"lost {gone} for good: redeploy the set"
    elif down or hurt:
        phase, message = Phase.DEGRADED, _degraded(down, hurt)
    elif moving or (uneven is not None and uneven.blocker is None):
        phase, message = Phase.REBALANCING, uneven.message if uneven else "members are moving"
    elif uneven is not None:
        phase, message = Phase.NOT_ALIGNED, uneven.message
    elif not current:
        phase, message = Phase.CONFIG_STALE, "domains joined after members were admitted"
    seats = ledger.rack_counts if spread.levels[0] is Level.RACK else ledger.counts
    names = ledger.racks if spread.levels[0] is Level.RACK else ledger.names
    counts = seats.get(spread.name, {})
    return Verdict(
        set=spread.name,
        phase=phase,
        aligned=uneven is None,
        blocker=uneven.blocker if uneven is not None else None,
        message=message,
        domains_available=not down,
        n1_feasible=n1_feasible,
        config_current=current,
        no_removed_domain=not spread.removed,
        fault_tolerant=usable > 1,
        counts=tuple(sorted((names[i], n) for i, n in counts.items() if n)),
    )


def _degraded(down: list[str], hurt: list[str]) -> str:
    parts = []
    if down:
        parts.append(f"not available: {', '.join(d.split('/', 1)[1] for d in down[:6])}")
    if hurt:
        parts.append(f"not running: {', '.join(hurt[:6])}")
    return "; ".join(parts)



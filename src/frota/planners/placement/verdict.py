"""How each set stands: its phase and conditions (section E.5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from frota.model.availability import AvailabilitySet, Level, Phase, Verdict
from frota.model.snapshot import Snapshot
from frota.model.vm import Vm, VmState
from frota.planners.placement.evenly import Grounds, Uneven, unevenness

_RACK, _RUNNING = Level.RACK, VmState.RUNNING
_HURT = frozenset({VmState.LOST, VmState.UNPLACEABLE, VmState.UNMONITORED})


def members_of(snapshot: Snapshot) -> dict[str, list[Vm]]:
    """VMs by set, every set present."""
    members: dict[str, list[Vm]] = {name: [] for name in snapshot.sets}
    for vm in snapshot.vms.values():
        inside = members.get(vm.set)
        if inside is not None:
            inside.append(vm)
    return members


class Judge:
    """Judges the sets of one snapshot."""

    def __init__(self, grounds: Grounds, n1_feasible: bool | None) -> None:
        self._grounds = grounds
        self._n1_feasible = n1_feasible
        self._serving = grounds.floor.domains

    def judge(self, spread: AvailabilitySet, members: Sequence[Vm]) -> Verdict:
        """The verdict on one set with all its members."""
        config = spread.generations[-1] if spread.generations else frozenset()
        down = []
        if not config <= self._serving:
            down = sorted(config - self._serving - set(spread.removed))
        standing = _standing(members, len(spread.generations) - 1)
        current = spread.adopt_new_domains or standing.current
        uneven = unevenness(spread, members, self._grounds)
        phase, message = _phase(spread, standing, down, uneven, current=current)
        ground = self._grounds.open_to(spread)
        by_rack = spread.levels[0] is _RACK
        return Verdict(
            set=spread.name,
            phase=phase,
            aligned=uneven is None,
            blocker=uneven.blocker if uneven is not None else None,
            message=message,
            domains_available=not down,
            n1_feasible=self._n1_feasible,
            config_current=current,
            no_removed_domain=not spread.removed,
            fault_tolerant=len(ground.racks if by_rack else ground.hosts) > 1,
            counts=self._counts(spread, by_rack=by_rack),
        )

    def _counts(self, spread: AvailabilitySet, *, by_rack: bool) -> tuple[tuple[str, int], ...]:
        ledger = self._grounds.ledger
        held = ledger.rack_counts if by_rack else ledger.counts
        names = ledger.racks if by_rack else ledger.names
        counts = held.get(spread.name, {})
        return tuple(sorted((names[i], count) for i, count in counts.items() if count))


class _Standing(NamedTuple):
    """The members of one set at a glance."""

    current: bool  # all were admitted to the latest configuration
    hurt: Sequence[str]  # those that do not run
    moving: bool  # whether any is being moved by choice


def _standing(members: Sequence[Vm], latest: int) -> _Standing:
    current, moving = True, False
    hurt: list[str] = []
    for vm in members:
        if vm.generation < latest:
            current = False
        if vm.operation is not None and vm.operation.voluntary:
            moving = True
        if vm.state is not _RUNNING and vm.state in _HURT:
            hurt.append(vm.name)
    return _Standing(current, sorted(hurt), moving)


def _phase(
    spread: AvailabilitySet,
    standing: _Standing,
    down: Sequence[str],
    uneven: Uneven | None,
    *,
    current: bool,
) -> tuple[Phase, str]:
    """The first phase that applies, with its message."""
    if spread.deleting:
        return Phase.DELETING, "being deleted"
    if spread.removed:
        gone = ", ".join(spread.removed)
        return Phase.UNHEALTHY, f"lost {gone} for good: redeploy the set"
    if down or standing.hurt:
        return Phase.DEGRADED, _degraded(down, standing.hurt)
    if standing.moving or (uneven is not None and uneven.blocker is None):
        return Phase.REBALANCING, uneven.message if uneven else "members are moving"
    if uneven is not None:
        return Phase.NOT_ALIGNED, uneven.message
    if not current:
        return Phase.CONFIG_STALE, "domains joined after members were admitted"
    return Phase.HEALTHY, "spread evenly"


def _degraded(down: Sequence[str], hurt: Sequence[str]) -> str:
    parts = []
    if down:
        parts.append(f"not available: {', '.join(d.split('/', 1)[1] for d in down[:6])}")
    if hurt:
        parts.append(f"not running: {', '.join(hurt[:6])}")
    return "; ".join(parts)

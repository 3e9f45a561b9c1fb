"""One move at a time, for when no move of the joint plan may begin.

The joint plan looks for the fewest moves and knows nothing of N-1. Where its moves would
leave the group unable to lose a host, another move may help a set and keep that: staying
able to lose a host comes before evenness, and evenness before the number of moves.
"""

from __future__ import annotations

from collections.abc import Iterator

from frota.model.availability import AvailabilitySet, Level
from frota.model.plan import Step
from frota.model.vm import Mobility, Verb, Vm
from frota.planners.placement.evenly import Grounds, admits, movable
from frota.planners.placement.throttle import admit
from frota.planners.placement.verdict import members_of

_TRIES = 48  # moves that are held against N-1 before giving up

Gain = tuple[int, int]


def single_move(grounds: Grounds) -> Step | None:
    """A move that makes its set strictly more even and may begin now; None if none does.

    Those that help most are tried first: racks before hosts, then by set and VM.
    """
    snapshot = grounds.snapshot
    members = members_of(snapshot)
    found = [
        option
        for name, spread in sorted(snapshot.sets.items())
        if grounds.uneven_at(spread) is not None
        for option in _options(spread, members[name], grounds)
    ]
    for _, _, _, step in sorted(found, key=lambda option: option[:3])[:_TRIES]:
        if admit([step], snapshot, voluntary=True)[0]:
            return step
    return None


def _options(
    spread: AvailabilitySet, members: list[Vm], grounds: Grounds
) -> Iterator[tuple[Gain, str, int, Step]]:
    """Moves of a set's members that lower its sums of squares; best gain sorts first."""
    snapshot, ledger = grounds.snapshot, grounds.ledger
    seen: set[tuple[int, int]] = set()  # members of one host and age are alike
    for vm in members:
        if not movable(vm, snapshot) or (ledger.index[vm.host], vm.generation) in seen:
            continue
        seen.add((ledger.index[vm.host], vm.generation))
        for dst in sorted(h for hosts in grounds.open_to(spread).in_rack.values() for h in hosts):
            name = ledger.names[dst]
            if name == vm.host or not ledger.fits(dst, vm.size):
                continue
            change = _change(spread, ledger.index[vm.host], dst, grounds)
            if change < (0, 0) and admits(spread, vm.generation, snapshot.hosts[name]):
                verb = Verb.LIVE if vm.mobility is Mobility.LIVE else Verb.COLD
                why = f"spreads {spread.name}, and leaves the group able to lose a host"
                step = Step(verb, vm.name, vm.host, name, why)
                yield change, vm.name, ledger.load(dst), step


def _change(spread: AvailabilitySet, src: int, dst: int, grounds: Grounds) -> Gain:
    """By how much, halved, the sums of squares change: over racks, then over hosts."""
    ledger = grounds.ledger
    counts, racks = ledger.counts[spread.name], ledger.rack_counts[spread.name]
    a, b = ledger.rack_of[src], ledger.rack_of[dst]
    over_racks = racks.get(b, 0) + 1 - racks[a] if Level.RACK in spread.levels and a != b else 0
    over_hosts = counts.get(dst, 0) + 1 - counts[src] if Level.HOST in spread.levels else 0
    return over_racks, over_hosts

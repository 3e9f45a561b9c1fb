"""The order of moves: each starts only when its destination has room for it.

A live migration needs room at both ends until it commits, so moves that trade places
wait for each other. Such a ring is opened by one move to a third host with room to
spare; where there is none, the ring stays as it is and says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from frota.model.host import Size
from frota.model.plan import Step
from frota.model.snapshot import Snapshot
from frota.planners.placement.evenly import admits
from frota.planners.placement.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Wish:
    """One move that is wanted, with what it needs."""

    step: Step
    size: Size
    set: str


def in_layers(
    wishes: Sequence[Wish], snapshot: Snapshot, ledger: Ledger | None = None
) -> tuple[tuple[Step, ...], tuple[Wish, ...]]:
    """Steps with their layers, and the wishes that cannot be met for want of room.

    Sets with the most moves come first within a layer; then set, then VM. ``ledger``
    counts the snapshot, and is used up; it is counted anew when left out.
    """
    if not wishes:
        return (), ()
    ledger = ledger or Ledger(snapshot)
    weight = Counter(wish.set for wish in wishes)
    todo = sorted(wishes, key=lambda w: (-weight[w.set], w.set, w.step.vm))
    steps: list[Step] = []
    layer = 0
    while todo:
        ready = _ready(todo, ledger)
        if not ready:
            detour = _detour(todo, snapshot, ledger)
            if detour is None:
                break
            wish, by_way_of = detour
            first = replace(wish.step, dst=by_way_of, final=wish.step.dst, layer=layer)
            steps.append(first)
            _shift(ledger, first, wish.size)
            second = replace(wish.step, src=by_way_of)
            todo[todo.index(wish)] = replace(wish, step=second)
        else:
            for wish in ready:
                steps.append(replace(wish.step, layer=layer))
                ledger.give(ledger.index[wish.step.src], wish.size)
            gone = {wish.step.vm for wish in ready}
            todo = [wish for wish in todo if wish.step.vm not in gone]
        layer += 1
    return tuple(steps), tuple(todo)


def _ready(todo: Sequence[Wish], ledger: Ledger) -> list[Wish]:
    """Wishes whose destination has room now; their room there is taken."""
    ready = []
    for wish in todo:
        dst = ledger.index[wish.step.dst]
        if ledger.fits(dst, wish.size):
            ledger.take(dst, wish.size)
            ready.append(wish)
    return ready


def _shift(ledger: Ledger, step: Step, size: Size) -> None:
    ledger.take(ledger.index[step.dst], size)
    ledger.give(ledger.index[step.src], size)


def _detour(todo: Sequence[Wish], snapshot: Snapshot, ledger: Ledger) -> tuple[Wish, str] | None:
    """One move of a ring, and a third host that can hold its VM meanwhile.

    Only a VM whose leaving lets another move begin is worth it; the least loaded third
    host is taken. A VM that is on a detour already is not sent on another.
    """
    wanted = {wish.step.dst for wish in todo}
    for wish in todo:
        if wish.step.src not in wanted or wish.step.src != snapshot.vms[wish.step.vm].host:
            continue
        ends = (wish.step.src, wish.step.dst)
        vm = snapshot.vms[wish.step.vm]
        third = [
            (ledger.load(i), name)
            for i, name in enumerate(ledger.names)
            if snapshot.hosts[name].schedulable
            and name not in ends
            and ledger.fits(i, wish.size)
            and admits(snapshot.sets[wish.set], vm.generation, snapshot.hosts[name])
        ]
        if third and _opens(wish, todo, ledger):
            return wish, min(third)[1]
    return None


def _opens(wish: Wish, todo: Sequence[Wish], ledger: Ledger) -> bool:
    """Whether some other move could begin once this VM has left its host."""
    src = ledger.index[wish.step.src]
    ledger.give(src, wish.size)
    opens = any(
        other is not wish and other.step.dst == wish.step.src and ledger.fits(src, other.size)
        for other in todo
    )
    ledger.take(src, wish.size)
    return opens

"""The VMs of a group by size: a rebalance settles one size after another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from frota.model.host import Size
from frota.model.snapshot import Snapshot
from frota.model.vm import Mobility, Vm
from frota.planners.placement.evenly import movable

_LIVE = Mobility.LIVE
_NO_SIZE = Size(0, 0)


@dataclass(slots=True)
class SizeClass:
    """All VMs of one size, by set, and the ages of configuration among them.

    ``plain``: sets all of whose members are of this size, may be moved live, and are at
    home, with the age of the oldest; most sets are so.
    """

    members: dict[str, list[Vm]] = field(default_factory=dict)
    generations: set[int] = field(default_factory=set)
    plain: dict[str, int] = field(default_factory=dict)


def by_size(snapshot: Snapshot, members: Mapping[str, Sequence[Vm]]) -> dict[Size, SizeClass]:
    """The members of all sets by their size."""
    classes: dict[Size, SizeClass] = {}
    for name, group in members.items():
        adopts = snapshot.sets[name].adopt_new_domains
        size, plain = _NO_SIZE, True  # the size of the VM before: most of a set are alike
        found, here = SizeClass(), list[Vm]()
        for vm in group:
            if not here or not _same(vm.size, size):
                plain = plain and not here
                size = vm.size
                found = classes.setdefault(size, SizeClass())
                here = found.members.setdefault(name, [])
            here.append(vm)
            found.generations.add(0 if adopts else vm.generation)
            plain = plain and vm.home == vm.host and vm.mobility is _LIVE and movable(vm, snapshot)
        if plain and here:
            found.plain[name] = min(vm.generation for vm in here)
    return classes


def _same(one: Size, other: Size) -> bool:
    """As ``==``, which makes two tuples first; this is asked for every VM."""
    return one is other or (
        one.memory_mib == other.memory_mib
        and one.vcpus == other.vcpus
        and one.gpus == other.gpus
        and one.gpu_model == other.gpu_model
    )

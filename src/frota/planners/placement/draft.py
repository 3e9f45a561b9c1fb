"""A rebalance in the making: where VMs are to end, with counts that follow each choice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from frota.model.host import Size
from frota.model.plan import Step
from frota.model.snapshot import Snapshot
from frota.model.vm import Mobility, Verb, Vm
from frota.planners.placement.evenly import Grounds
from frota.planners.placement.ledger import Ledger
from frota.planners.placement.order import Wish
from frota.planners.placement.sizeclass import SizeClass
from frota.planners.placement.spreadproblem import SpreadAnswer, SpreadProblem

_LIVE = Mobility.LIVE

Solver = Callable[[SpreadProblem], SpreadAnswer]


@dataclass(slots=True)
class Draft:
    """Where each VM is to be at the end, as far as decided; the ledger follows."""

    grounds: Grounds
    snapshot: Snapshot
    ledger: Ledger
    members: Mapping[str, Sequence[Vm]]
    solver: Solver
    classes: Mapping[Size, SizeClass] = field(default_factory=dict)
    place: dict[str, int] = field(default_factory=dict)  # VM to host, for moved ones
    reasons: dict[str, str] = field(default_factory=dict)
    touched: set[str] = field(default_factory=set)  # sets with a member that was moved
    admitted: dict[object, frozenset[int]] = field(default_factory=dict)  # hosts by configuration

    def host_of(self, vm: Vm) -> int:
        """The index of the host a VM sits on in the draft; -1 for none."""
        moved = self.place.get(vm.name)
        return moved if moved is not None else self.ledger.index.get(vm.seat, -1)

    def landed(self, name: str) -> list[Vm]:
        """The members of a set where they end up."""
        names = self.ledger.names
        return [
            replace(vm, host=names[self.place[vm.name]]) if vm.name in self.place else vm
            for vm in self.members[name]
        ]

    def move(self, vm: Vm, dst: int, reason: str) -> None:
        """Settle that a VM ends up on another host."""
        src = self.host_of(vm)
        self.ledger.give(src, vm.size)
        self.ledger.take(dst, vm.size)
        self.ledger.seat(vm.set, src, -1)
        self.ledger.seat(vm.set, dst, 1)
        self.place[vm.name] = dst
        self.reasons[vm.name] = reason
        self.touched.add(vm.set)
        if self.ledger.names[dst] == vm.host:
            del self.place[vm.name]

    def wishes(self, goals: Mapping[str, int], reasons: Mapping[str, str]) -> list[Wish]:
        """The moves that take VMs from where they are to their goals."""
        live, cold, names = Verb.LIVE, Verb.COLD, self.ledger.names
        wishes = []
        for name, dst in goals.items():
            vm = self.snapshot.vms[name]
            verb = live if vm.mobility is _LIVE else cold
            step = Step(verb, name, vm.host, names[dst], reasons[name])
            wishes.append(Wish(step, vm.size, vm.set))
        return wishes

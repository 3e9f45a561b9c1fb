"""Which VMs and sets there should be: created, scaled, replaced, deleted.

One role (a control plane or a node pool) owns one set; while it is redeployed, two:
the old one shrinks as its successor grows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from frota.model.availability import CONTROL_PLANE, AvailabilitySet, Level, domain_of
from frota.model.host import HostState, Size
from frota.model.snapshot import Snapshot
from frota.model.vm import Mobility, Vm, VmState
from frota.planners.placement.ledger import Ledger
from frota.planners.placement.verdict import members_of

_PLACED = frozenset({VmState.RUNNING, VmState.MIGRATING, VmState.UNMONITORED})


@dataclass(frozen=True, slots=True)
class Role:
    """The wanted VMs of one role of one cluster."""

    cluster: str
    role: str
    set_name: str
    vm_prefix: str
    count: int
    size: Size
    priority: int
    mobility: Mobility
    levels: tuple[Level, ...]
    adopt_new_domains: bool = False


@dataclass(slots=True)
class Population:
    """What is to change. ``sets`` and ``vms`` are new or replaced records; ``gone_sets``
    and ``unwanted`` name sets to delete and VMs to stop and delete; ``replaced`` are those of
    the unwanted that make way for a new one, as somebody asked by name. ``waiting``: more is
    to change once members of some role are in another state."""

    sets: list[AvailabilitySet] = field(default_factory=list)
    vms: list[Vm] = field(default_factory=list)
    gone_sets: list[str] = field(default_factory=list)
    unwanted: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    waiting: bool = False

    @property
    def deletions(self) -> list[str]:
        """VMs that go and are not replaced."""
        replaced = frozenset(self.replaced)
        return [name for name in self.unwanted if name not in replaced]

    def keep(self) -> None:
        """Delete nothing: VMs that are not replaced stay, and no set is on its way out."""
        self.unwanted = list(self.replaced)
        self.sets = [spread for spread in self.sets if spread.redeploy or not spread.deleting]


def populate(roles: Sequence[Role], snapshot: Snapshot, next_order: int) -> Population:
    """Compare the roles wanted with the sets and VMs there are.

    ``next_order`` is above every ``Vm.order`` of the group.
    """
    result = Population()
    members = members_of(snapshot)
    by_owner: dict[tuple[str, str], list[AvailabilitySet]] = {}
    for spread in snapshot.sets.values():
        by_owner.setdefault((spread.cluster, spread.role), []).append(spread)
    wanted = {(role.cluster, role.role) for role in roles}
    for owner in sorted(by_owner.keys() - wanted):
        for spread in by_owner[owner]:
            _retire(spread, members[spread.name], result)
    for role in roles:
        chain = by_owner.get((role.cluster, role.role), [])
        replaced = {spread.successor_of for spread in chain}
        newest = next((s for s in chain if s.name not in replaced), None)
        case = _Case(role, snapshot, members, result, next_order)
        if newest is None:
            case.found(role.set_name, "")
        elif len(chain) == 1:
            case.settled(newest)
        else:
            old = next(s for s in chain if s is not newest)
            case.rolling(old, newest)
        next_order = case.next_order
    return result


def _retire(spread: AvailabilitySet, members: Sequence[Vm], result: Population) -> None:
    """A set whose pool or cluster is no longer declared."""
    if not members:
        result.gone_sets.append(spread.name)
        return
    if not spread.deleting:
        result.sets.append(replace(spread, deleting=True))
    result.unwanted += [vm.name for vm in members if vm.wanted]


@dataclass(slots=True)
class _Case:
    """One role under consideration."""

    role: Role
    snapshot: Snapshot
    members: Mapping[str, Sequence[Vm]]
    result: Population
    next_order: int

    def found(self, name: str, successor_of: str, first_number: int = 1) -> None:
        """Make the role's set. Its members follow in the same pass, unless it replaces
        another: then they come one by one."""
        role = self.role
        domains = frozenset(
            domain_of(host, level)
            for host in self.snapshot.hosts.values()
            if host.member and host.state is not HostState.JOINING
            for level in role.levels
        )
        spread = AvailabilitySet(
            name=name,
            cluster=role.cluster,
            role=role.role,
            levels=role.levels,
            generations=(domains,),
            adopt_new_domains=role.adopt_new_domains,
            successor_of=successor_of,
            next_number=first_number,
        )
        self._admit(spread, 0 if successor_of else role.count)

    def settled(self, spread: AvailabilitySet) -> None:
        """A role with one set: scale it, or begin to replace it."""
        members = self.members[spread.name]
        kept = [vm for vm in members if vm.wanted]
        if spread.redeploy:
            name = _successor(spread.name, self.role.set_name)
            self.result.sets.append(replace(spread, deleting=True))
            self.found(name, spread.name, spread.next_number)
            return
        spread = self._with_choices(spread)
        self._follow(kept)
        if len(kept) < self.role.count:
            self._admit(spread, self.role.count - len(kept))
        elif len(kept) > self.role.count:
            self._shrink(members, kept, len(kept) - self.role.count)

    def rolling(self, old: AvailabilitySet, new: AvailabilitySet) -> None:
        """One member more in the new set, then one fewer in the old, until it is empty.

        Where there is no room for one more, the old set gives up a member first.
        """
        leaving = [vm for vm in self.members[old.name] if vm.wanted]
        coming = [vm for vm in self.members[new.name] if vm.wanted]
        voting = [vm for vm in coming if vm.state is VmState.RUNNING]
        running = len(voting)
        if not self.members[old.name]:
            self.result.gone_sets.append(old.name)
            self.result.sets.append(replace(new, successor_of=""))
            return
        self.result.waiting = True
        if len(leaving) < len(self.members[old.name]):
            return  # one is on its way out
        stuck = any(vm.state is VmState.UNPLACEABLE for vm in coming)
        over = len(leaving) + running - self.role.count
        before = len(self.result.unwanted)
        if leaving and (over > 0 or (stuck and self._can_spare((*leaving, *coming)))):
            self._shrink(self.members[old.name], leaving, 1, voting)
            self.result.replaced += self.result.unwanted[before:]
        elif running == len(coming) and len(coming) < self.role.count:
            self._admit(new, 1)

    def _can_spare(self, every: Sequence[Vm]) -> bool:
        """Whether the role can do with one member fewer while it has no room for more."""
        if self.role.role != CONTROL_PLANE:
            return True
        running = sum(vm.state is VmState.RUNNING for vm in every)
        return running - 1 >= self.role.count // 2 + 1

    def _with_choices(self, spread: AvailabilitySet) -> AvailabilitySet:
        """The set with what may change after creation; levels may not."""
        role = self.role
        if role.levels != spread.levels:
            self.result.notes.append(
                f"{spread.name}: levels cannot change after creation; redeploy it"
            )
        if role.adopt_new_domains == spread.adopt_new_domains and not spread.deleting:
            return spread
        # A pool that was dropped and is declared again before it was gone stays.
        changed = replace(spread, adopt_new_domains=role.adopt_new_domains, deleting=False)
        self.result.sets.append(changed)
        return changed

    def _follow(self, kept: Sequence[Vm]) -> None:
        """Members take over the priority and mobility declared now; size needs a redeploy."""
        role = self.role
        for vm in kept:
            if (vm.priority, vm.mobility) != (role.priority, role.mobility):
                changed = replace(vm, priority=role.priority, mobility=role.mobility)
                self.result.vms.append(changed)
        if any(vm.size != role.size for vm in kept):
            self.result.notes.append(
                f"{role.set_name}: members keep the size they were made with; redeploy it"
            )

    def _admit(self, spread: AvailabilitySet, count: int) -> None:
        role = self.role
        for number in range(spread.next_number, spread.next_number + count):
            vm = Vm(
                name=f"{role.vm_prefix}-{number}",
                set=spread.name,
                size=role.size,
                order=self.next_order,
                generation=len(spread.generations) - 1,
                priority=role.priority,
                mobility=role.mobility,
            )
            self.next_order += 1
            self.result.vms.append(vm)
        self.result.sets = [s for s in self.result.sets if s.name != spread.name]
        self.result.sets.append(replace(spread, next_number=spread.next_number + count))

    def _shrink(
        self, members: Sequence[Vm], kept: Sequence[Vm], count: int, others: Sequence[Vm] = ()
    ) -> None:
        """Choose members to go. ``others`` run in the successor set: they vote too."""
        if self.role.role == CONTROL_PLANE:
            running = sum(vm.state is VmState.RUNNING for vm in (*kept, *others))
            idle = [vm for vm in kept if vm.state not in _PLACED]
            quorum = (len(kept) + len(others) - 1) // 2 + 1  # of those that stay
            if len(members) > len(kept) or (running - 1 < quorum and not idle and len(kept) > 1):
                self.result.waiting = True
                return  # one at a time, and never below its quorum
            count = 1
        ledger = Ledger(self.snapshot)
        chosen = victims(kept, count, self.snapshot, ledger)
        self.result.unwanted += [vm.name for vm in chosen]


def _successor(name: str, base: str) -> str:
    """``base``, ``base-r2``, ``base-r3``, …"""
    tail = name.removeprefix(f"{base}-r")
    number = int(tail) + 1 if tail.isdigit() else 2
    return f"{base}-r{number}"


def victims(
    members: Sequence[Vm], count: int, snapshot: Snapshot, ledger: Ledger
) -> tuple[Vm, ...]:
    """The members to remove when a set shrinks, so that no moves are needed after.

    From the fullest domain, then the fullest host, not ready before ready, newest first;
    members that do not run go before all others. Uses up ``ledger``.
    """
    spread = snapshot.sets.get(members[0].set) if members else None
    by_rack = spread is not None and Level.RACK in spread.levels
    left = list(members)
    chosen: list[Vm] = []
    while left and len(chosen) < count:
        hosts = [ledger.index.get(vm.seat, -1) for vm in left]
        racks = [ledger.rack_of[host] if by_rack and host >= 0 else -1 for host in hosts]
        in_host, in_rack = Counter(hosts), Counter(racks)
        worth = [
            (
                vm.state in _PLACED,
                -in_rack[rack],
                -in_host[host],
                -ledger.load(host) if host >= 0 else 0,
                vm.ready,
                -vm.order,
            )
            for vm, host, rack in zip(left, hosts, racks, strict=True)
        ]
        place = worth.index(min(worth))
        if left[place].state in _PLACED:
            ledger.give(hosts[place], left[place].size)
        chosen.append(left.pop(place))
    return tuple(chosen)

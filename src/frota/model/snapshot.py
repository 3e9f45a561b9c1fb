"""The frozen state of one host group: all that a placement planner may look at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from frota.model.availability import AvailabilitySet
from frota.model.host import Host, HostState
from frota.model.policy import Policy
from frota.model.vm import Vm, VmState


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Hosts, sets and VMs of one group at one moment. What-if is a new value."""

    group: str
    now: float
    hosts: Mapping[str, Host]
    sets: Mapping[str, AvailabilitySet]
    vms: Mapping[str, Vm]
    policy: Policy = field(default_factory=Policy)

    def with_hosts(self, changed: Iterable[Host]) -> Snapshot:
        """The same with some hosts put in or replaced."""
        return replace(self, hosts={**self.hosts, **{host.name: host for host in changed}})

    def with_sets(self, changed: Iterable[AvailabilitySet]) -> Snapshot:
        """The same with some sets put in or replaced."""
        return replace(self, sets={**self.sets, **{item.name: item for item in changed}})

    def with_vms(self, changed: Iterable[Vm]) -> Snapshot:
        """The same with some VMs put in or replaced."""
        return replace(self, vms={**self.vms, **{vm.name: vm for vm in changed}})

    def without(self, hosts: Iterable[str]) -> Snapshot:
        """What would be if these hosts had died, proved: they are Down, their VMs Lost."""
        gone = frozenset(hosts)
        downed = (
            replace(self.hosts[name], state=HostState.DOWN, fence_proof="what-if")
            for name in sorted(gone)
        )
        lost = (
            replace(vm, state=VmState.LOST, operation=None)
            for vm in self.vms.values()
            if vm.host in gone and vm.state not in (VmState.PENDING, VmState.STOPPED)
        )
        return self.with_hosts(downed).with_vms(lost)

    def of_rack(self, rack: str) -> tuple[str, ...]:
        """The names of the member hosts in one rack, sorted."""
        return tuple(sorted(h.name for h in self.hosts.values() if h.rack == rack and h.member))

"""What it means to remove a host for good."""

from __future__ import annotations

from dataclasses import dataclass

from frota.model.availability import domain_of
from frota.model.host import HostState
from frota.model.snapshot import Snapshot
from frota.planners.placement.ledger import rooms


@dataclass(frozen=True, slots=True)
class Removal:
    """``unhealthy`` are sets that lose a fault domain for good, each with the domains;
    ``vms`` are VMs that must leave the host first; ``last`` is true for the only member."""

    host: str
    state: HostState
    unhealthy: tuple[tuple[str, tuple[str, ...]], ...]
    vms: tuple[str, ...]
    last: bool

    def lines(self) -> list[str]:
        """For people."""
        told = [f"Removing host {self.host} ({self.state.value}) for good means:"]
        if self.vms:
            told.append(f"  - it is drained first: {len(self.vms)} VMs leave it")
        told.append("  - it leaves its host group when it is empty, or proved dead")
        for name, domains in self.unhealthy:
            told.append(
                f"  - set {name} loses {', '.join(domains)} and becomes Unhealthy, until you "
                f"run: frota redeploy {name}"
            )
        if not self.unhealthy:
            told.append("  - no set loses a fault domain")
        told.append("  - a host of this name that is added later is a new host and heals nothing")
        return told


def removal_of(host: str, snapshot: Snapshot) -> Removal:
    """What follows when a host of a snapshot is removed."""
    record = snapshot.hosts[host]
    others = [h for h in snapshot.hosts.values() if h.member and h.name != host]
    unhealthy = []
    for name, spread in sorted(snapshot.sets.items()):
        config = spread.generations[-1] if spread.generations else frozenset()
        gone = tuple(
            domain
            for level in spread.levels
            if (domain := domain_of(record, level)) in config
            and domain not in spread.removed
            and all(domain_of(other, level) != domain for other in others)
        )
        if gone:
            unhealthy.append((name, gone))
    here = tuple(sorted(vm.name for vm in snapshot.vms.values() if host in rooms(vm)))
    return Removal(host, record.state, tuple(unhealthy), here, last=not others)

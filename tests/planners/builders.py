"""Short ways to write hosts, sets and VMs in tests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from frota.model.availability import CONTROL_PLANE, AvailabilitySet, Level, domain_of
from frota.model.host import Capacity, Host, HostState, Size
from frota.model.policy import Policy
from frota.model.sight import Copy, CopyState, HostView
from frota.model.snapshot import Snapshot
from frota.model.vm import Vm, VmState

GIB = 1024
SMALL = Size(4 * GIB, 2)
NOW = 10_000.0


def host(name: str, *, rack: str = "", memory_gib: int = 64, **changes: Any) -> Host:
    """A host that is up."""
    capacity = changes.pop("capacity", Capacity(memory_gib * GIB, 64, 100))
    built = Host(name, rack or name, capacity, incarnation=f"{name}-1")
    return replace(built, **changes)


def vm(name: str, set_name: str, on: str = "", *, order: int = 0, **changes: Any) -> Vm:
    """A VM that runs where it is at home; pending when it is on no host."""
    state = VmState.RUNNING if on else VmState.PENDING
    built = Vm(name, set_name, SMALL, order, state=state, host=on, home=on, epoch=1 if on else 0)
    return replace(built, **changes)


def members(set_name: str, places: str, **changes: Any) -> list[Vm]:
    """One VM for each letter of ``places``, on the host of that name: ``aab`` is two on a."""
    return [
        vm(f"{set_name}-{n}", set_name, "" if on == "-" else on, order=n, **changes)
        for n, on in enumerate(places, start=1)
    ]


def pool(
    name: str, *, levels: Sequence[Level] = (Level.HOST,), role: str = "", **changes: Any
) -> AvailabilitySet:
    """A set; ``group`` gives it the configuration of all hosts when it has none."""
    built = AvailabilitySet(name, "east", role or f"pool/{name}", tuple(levels))
    return replace(built, **changes)


def control_plane(name: str = "cp", **changes: Any) -> AvailabilitySet:
    """A control plane's set."""
    return pool(name, role=CONTROL_PLANE, **changes)


def group(
    hosts: Iterable[Host],
    sets: Iterable[AvailabilitySet] = (),
    vms: Iterable[Vm] = (),
    policy: Policy | None = None,
    now: float = NOW,
) -> Snapshot:
    """A snapshot. Sets without a configuration get all hosts as their only generation."""
    hosts = list(hosts)
    config = frozenset(domain_of(h, level) for h in hosts for level in Level)
    full = (s if s.generations else replace(s, generations=(config,)) for s in sets)
    return Snapshot(
        "g",
        now,
        {h.name: h for h in hosts},
        {s.name: s for s in full},
        {v.name: v for v in vms},
        policy or Policy(),
    )


def view(of: Host, *copies: Copy, beating: bool = True, last_seen: float = NOW) -> HostView:
    """What is seen of a host, with these copies on it."""
    return HostView(
        of.name, beating, last_seen, of.incarnation, of.capacity, {c.vm: c for c in copies}
    )


def running(name: str, epoch: int = 1, state: CopyState = CopyState.RUNNING) -> Copy:
    """One copy of a VM."""
    return Copy(name, epoch, state)


def down(name: str, **changes: Any) -> Host:
    """A host proved dead."""
    return host(name, state=HostState.DOWN, fence_proof="proved dead by test", **changes)

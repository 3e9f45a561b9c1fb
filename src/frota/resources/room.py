"""How much room declared hosts give, and what fits into it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from frota.resources.findings import at, entries, number, size, text
from frota.resources.quantity import cpus_left, format_bytes, memory_left


@dataclass(frozen=True, slots=True)
class Room:
    """Room of one host, or need of one VM; memory in bytes."""

    memory: int
    cpus: int
    vms: int = 1
    gpus: tuple[tuple[str, int], ...] = ()

    def times(self, need: Room) -> int:
        """How many VMs of one need fit here, when nothing else is here."""
        counts = [self.vms]
        if need.memory:
            counts.append(self.memory // need.memory)
        if need.cpus:
            counts.append(self.cpus // need.cpus)
        have = dict(self.gpus)
        counts.extend(have.get(model, 0) // count for model, count in need.gpus if count)
        return min(counts)

    def words(self) -> str:
        """For people: ``64Gi, 16 CPUs, 1 A100``."""
        gpus = "".join(f", {count} {model}" for model, count in self.gpus)
        return f"{format_bytes(self.memory)}, {self.cpus} CPUs{gpus}"


def declared_rooms(group: Any) -> list[Room] | None:
    """The room of every host of a HostGroup document; None when that of any is unknown,
    because a real host left it out."""
    overcommit = at(group, "spec", "overcommit", "cpus")
    factor = overcommit if isinstance(overcommit, int | float) else 1.0
    rooms = [_room(host, factor) for _, host in entries(group, "spec", "hosts")]
    known = [room for room in rooms if room is not None]
    return known if len(known) == len(rooms) and rooms else None


def need_of(role: Any) -> Room | None:
    """What one VM of a control plane or pool needs; None when that is not said."""
    memory, cpus = size(role, "vmSize", "memory"), number(role, "vmSize", "cpus")
    if memory is None or cpus is None:
        return None
    model, count = text(role, "gpu", "model"), number(role, "gpu", "count")
    gpus = ((model, 1 if count is None else count),) if model else ()
    return Room(memory, cpus, 1, gpus)


def largest(rooms: Iterable[Room]) -> Room:
    """The roomiest host by memory, then CPUs."""
    return max(rooms, key=lambda room: (room.memory, room.cpus))


def _room(host: Any, factor: float) -> Room | None:
    memory, cpus = size(host, "capacity", "memory"), number(host, "capacity", "cpus")
    if memory is None or cpus is None:
        return None
    vms = number(host, "capacity", "vms")
    gpus = tuple(
        (text(gpu, "model"), number(gpu, "count") or 0)
        for _, gpu in entries(host, "capacity", "gpus")
    )
    return Room(
        memory_left(memory, size(host, "reserve", "memory") or 0),
        cpus_left(cpus, number(host, "reserve", "cpus") or 0, factor),
        1000 if vms is None else vms,
        gpus,
    )

"""One simulated host: what is true of it, whoever may see it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from frota.model.host import Capacity, Size
from frota.model.sight import Copy, CopyState
from frota.twin.world import World


class Bmc(StrEnum):
    """What the power controller of a host answers. It never lies."""

    WORKS = "works"
    FAILS = "fails"  # times out
    ABSENT = "absent"


@dataclass(slots=True)
class Usage:
    """What the guests of one host take together."""

    memory_mib: int = 0
    vcpus: int = 0
    slots: int = 0
    gpus: dict[str, int] = field(default_factory=dict)

    def add(self, size: Size, sign: int = 1) -> None:
        """Count one guest more, or (-1) one less."""
        self.memory_mib += sign * size.memory_mib
        self.vcpus += sign * size.vcpus
        self.slots += sign
        if size.gpus:
            self.gpus[size.gpu_model] = self.gpus.get(size.gpu_model, 0) + sign * size.gpus

    def excess(self, capacity: Capacity, added: Size) -> str:
        """What exceeds the capacity, in words, of that which the guest ``added`` takes."""
        pairs = [
            ("memory", self.memory_mib, capacity.memory_mib, " MiB"),
            ("vCPUs", self.vcpus, capacity.vcpus, ""),
            ("VMs", self.slots, capacity.slots, ""),
        ]
        if added.gpus:
            model = added.gpu_model
            pairs.append((f"{model} GPUs", self.gpus[model], capacity.gpus_of(model), ""))
        return ", ".join(
            f"{what} {used} of {most}{unit}" for what, used, most, unit in pairs if used > most
        )


class Machine:
    """The state of one host. Changed only by ``Site`` and by running jobs.

    ``life`` counts the lives of what runs on it: it grows whenever the guests are lost.
    ``lease_life`` is the one for which the lease was renewed last. ``backlog`` is what a
    frozen daemon will do when it thaws.
    """

    __slots__ = (
        "agent_hung",
        "backlog",
        "bmc",
        "capacity",
        "copies",
        "drift",
        "hung",
        "known_life",
        "lease_life",
        "lease_stopped_at",
        "lease_token",
        "life",
        "lost_token",
        "name",
        "net_cut",
        "phase",
        "pill",
        "powered",
        "rogues",
        "storage_cut",
        "up",
    )

    def __init__(self, name: str, capacity: Capacity, phase: float, drift: float) -> None:
        self.name = name
        self.capacity = capacity
        self.phase = phase
        self.drift = drift  # its clock runs slower by this factor
        self.copies: dict[str, Copy] = {}
        self.rogues: set[str] = set()
        self.backlog: list[Callable[[], None]] = []
        self.bmc = Bmc.WORKS
        self.powered = self.up = True
        self.hung = self.agent_hung = False
        self.net_cut = self.storage_cut = False
        self.life = self.known_life = self.lease_life = 1
        self.lost_token = 0
        self.pill = 0  # the life that the lease storage says must end
        self.lease_token = 0
        self.lease_stopped_at: float | None = None

    @property
    def incarnation(self) -> str:
        """The life it goes by: a connection finds out which; while one lasts it stays."""
        return f"{self.name}#{self.known_life}"

    def connected(self) -> None:
        """A connection is made. Guests that run were started under the name it goes by:
        then nothing of that life was lost, and it keeps the name."""
        if not any(copy.live for copy in self.copies.values()):
            self.known_life = self.life

    @property
    def answers(self) -> bool:
        """Whether its daemon answers the controller (whose own network may be cut)."""
        return self.up and not self.hung and not self.net_cut

    @property
    def renews(self) -> bool:
        """Whether it can renew its lease."""
        return self.up and not self.storage_cut and not self.agent_hung

    def die(self) -> None:
        """All guests end; what is defined of them stays on its disk."""
        self.life += 1
        self.pill = 0
        self.backlog.clear()
        self.rogues.clear()
        self.copies = {
            vm: Copy(vm, copy.epoch, CopyState.STOPPED, copy.operation)
            for vm, copy in self.copies.items()
            if copy.state is not CopyState.INCOMING
        }

    def tick(self, when: float, period: float) -> float:
        """The last time of its own regular beat at or before ``when``."""
        return when - (when - self.phase) % period

    def last_renewal(self, world: World, period: float) -> float:
        """When it last renewed its lease."""
        stopped = self.lease_stopped_at
        return self.tick(world.now if stopped is None else stopped, period)

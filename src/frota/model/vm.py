"""Virtual machines and the operations that change them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from frota.model.host import Size


class VmState(StrEnum):
    """The states of a VM. ``STOPPED`` still counts for spread; only ``DELETED`` is gone."""

    PENDING = "Pending"  # wanted, not placed yet
    STARTING = "Starting"  # room reserved on ``host``, start ordered
    RUNNING = "Running"
    MIGRATING = "Migrating"
    UNMONITORED = "Unmonitored"  # its host is silent; it may well run
    LOST = "Lost"  # proved not to run; waits for a restart
    UNPLACEABLE = "Unplaceable"  # fits nowhere now; ``reason`` says why
    STOPPING = "Stopping"
    STOPPED = "Stopped"


class Mobility(StrEnum):
    """How a VM may be moved while its host is well."""

    LIVE = "live"
    COLD = "cold"
    PINNED = "pinned"


class Verb(StrEnum):
    """What an operation does."""

    START = "start"  # cold start on ``dst``
    LIVE = "live"  # live migration ``src`` to ``dst``
    COLD = "cold"  # stop on ``src``, start on ``dst``
    STOP = "stop"  # stop on ``src`` for good or until wanted again
    KILL = "kill"  # end a copy that must not run (stale epoch)


@dataclass(frozen=True, slots=True)
class Operation:
    """One act on one VM, under way or ordered. ``id`` makes it idempotent.

    ``voluntary`` is true for rebalancing, false for starts, failover and drain.
    ``epoch`` is the fencing token the started copy carries.
    """

    id: str
    verb: Verb
    vm: str
    src: str = ""
    dst: str = ""
    epoch: int = 0
    voluntary: bool = False
    since: float = 0.0
    cause_id: str = ""


@dataclass(frozen=True, slots=True)
class Vm:
    """One VM of a group, as Frota records it.

    ``host`` is where the copy of the present ``epoch`` runs, or is being started.
    ``home`` is the host last chosen by placement or rebalance, never by failover.
    ``generation`` is the index of the set's configuration when the VM was admitted.
    ``order`` is unique and grows with admission, so that newest and oldest are defined.
    ``transit`` is the final host of a swap that goes by way of a third host; of a VM that
    was missed or lost after a move, the other end of that move.
    """

    name: str
    set: str
    size: Size
    order: int
    state: VmState = VmState.PENDING
    host: str = ""
    home: str = ""
    generation: int = 0
    priority: int = 0
    mobility: Mobility = Mobility.LIVE
    epoch: int = 0
    ready: bool = True
    moved_at: float = -1e18
    started_at: float = -1e18
    missed_at: float | None = None  # since when its host shows no copy of it
    failures: int = 0
    retry_at: float = -1e18
    operation: Operation | None = None
    transit: str = ""
    wanted: bool = True  # false: to be stopped and deleted
    halted: bool = False  # true: wanted, but stopped by agreement (keeps its place)
    reason: str = ""
    cause_id: str = ""

    @property
    def seat(self) -> str:
        """The host whose domain this VM counts for: the destination while it moves."""
        operation = self.operation
        if operation is not None and operation.dst:
            return operation.dst
        return self.host

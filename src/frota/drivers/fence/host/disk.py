"""The agent's reads and writes of the shared directory, in a thread that may hang."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from frota.drivers.fence.lease.records import Garbled, Order, Slot
from frota.drivers.fence.lease.space import Space, SpaceError


@dataclass(frozen=True, slots=True)
class Errand:
    """One round: what to write (None: only read), and whether the slot that stands there
    may be replaced."""

    host: str
    space: str
    write: Slot | None
    owns: Callable[[Slot | None], bool]


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a round. ``wrote`` is set when the write was confirmed. ``read`` is
    false when slot and order are not known."""

    wrote: Slot | None = None
    read: bool = False
    slot: Slot | None = None
    order: Order | None = None
    error: str = ""


def perform(space: Space, errand: Errand) -> Report:
    """Do one round. Takes as long as storage does; raises nothing for what it does."""
    wrote: Slot | None = None
    try:
        if space.marker().space != errand.space:
            return Report(error=f"{space.path} is another directory than before")
        slot = _slot(space, errand)
        if errand.write is not None:
            if not errand.owns(slot):
                return Report(error=f"another machine writes the slot of {errand.host}")
            space.write(errand.write)
            wrote = errand.write
        order = space.order(errand.host, errand.space)
    except (SpaceError, Garbled) as error:
        return Report(wrote=wrote, error=str(error))
    return Report(wrote, True, slot, order)


def _slot(space: Space, errand: Errand) -> Slot | None:
    """The own slot as it stands; one that is garbled may be replaced as if it were none."""
    try:
        return space.slot(errand.host, errand.space)
    except Garbled:
        return None


class Rounds(Protocol):
    """Runs errands one at a time, elsewhere."""

    @property
    def idle(self) -> bool:
        """Whether none is under way."""
        ...

    def submit(self, errand: Errand) -> None:
        """Begin a round; only while ``idle``."""
        ...

    def wait(self, seconds: float) -> Report | None:
        """The report of a round that ended, waiting for one for at most this long."""
        ...


class Disk:
    """Rounds in a thread of its own, which hangs when storage does."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self._errands: queue.Queue[Errand] = queue.Queue(1)
        self._reports: queue.Queue[Report] = queue.Queue(1)
        self._idle = True
        threading.Thread(target=self._work, name="lease-disk", daemon=True).start()

    @property
    def idle(self) -> bool:
        """See ``Rounds``."""
        return self._idle

    def submit(self, errand: Errand) -> None:
        """See ``Rounds``."""
        self._idle = False
        self._errands.put_nowait(errand)

    def wait(self, seconds: float) -> Report | None:
        """See ``Rounds``."""
        try:
            report = self._reports.get(timeout=seconds)
        except queue.Empty:
            return None
        self._idle = True
        return report

    def _work(self) -> None:
        while True:
            self._reports.put(perform(self._space, self._errands.get()))

"""The ports of one host group, and what an engine needs to know to keep them right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from frota.controllers.desired import GroupSpec
from frota.ports.clock import Clock
from frota.ports.fence import Fence
from frota.ports.hypervisor import Hypervisor
from frota.ports.store import Store
from frota.ports.witness import Witness
from frota.runtime.alarm import Alarm

Wake = Callable[[], None]


class MissingDriver(Exception):
    """A provider's driver cannot be loaded; the message says what to install."""


@dataclass(frozen=True, slots=True)
class Outfit:
    """``arrange`` is told of every change of the group's declaration, and says whether the
    ports can go on; if not they are closed and made anew."""

    hypervisor: Hypervisor
    fence: Fence
    witness: Witness
    arrange: Callable[[GroupSpec], bool]
    close: Callable[[], None]


class Outfitter(Protocol):
    """Makes the ports of the groups of one provider, and says how their time passes."""

    @property
    def clock(self) -> Clock:
        """The time of these hosts."""
        ...

    @property
    def alarm(self) -> Alarm:
        """Waiting, in that time."""
        ...

    def outfit(self, spec: GroupSpec, store: Store, wake: Wake) -> Outfit:
        """The ports of one group; they call ``wake`` when something may have changed."""
        ...

    def close(self) -> None:
        """All groups are closed."""
        ...

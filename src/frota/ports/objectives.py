"""What clusters measure of their objectives.

Level-based like ``ports.clusters``: ``measured`` gives the last known answer without
waiting, and never raises for what a cluster does or says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from frota.model.objectives import Measured

ASK_S = 15.0  # seconds between two questions to one cluster


@dataclass(frozen=True, slots=True)
class MeterAddress:
    """Where the metrics of a cluster are asked for. ``ca`` (PEM) and ``token`` are files;
    empty: the machine's own roots, and no token."""

    cluster: str
    url: str
    ca: str = ""
    token: str = ""


class Objectives(Protocol):
    """The meters of all clusters that one process asks."""

    def attach(self, address: MeterAddress) -> None:
        """Begin to ask a cluster, now and every ``ASK_S`` seconds. Again with the same address
        does nothing; with another one, what was measured is forgotten."""
        ...

    def detach(self, cluster: str) -> None:
        """Ask no more and forget what was measured. Unknown names do nothing."""
        ...

    def measured(self, cluster: str) -> Measured:
        """The last good answer, and what is wrong since; of a cluster never asked, neither."""
        ...

    def close(self) -> None:
        """Ask nobody any more. Waits at most a few seconds. Again does nothing."""
        ...

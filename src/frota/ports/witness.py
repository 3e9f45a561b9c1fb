"""Whether the controller's own view of the network can be trusted."""

from __future__ import annotations

from typing import Protocol


class Witness(Protocol):
    """Something outside the host group that the controller can reach when its own
    network is well (a gateway, a DNS server, a peer)."""

    def sees(self) -> bool | None:
        """True: reachable. False: the controller is cut off, so silence of hosts proves
        nothing. None: no witness is configured. Never blocks or raises."""
        ...

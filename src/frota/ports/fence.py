"""Proof that nothing runs on a host any more.

A VM of a silent host may be started elsewhere only after such a proof.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from frota.model.sight import FenceState, FenceVerdict

__all__ = ["Fence", "FenceState", "FenceVerdict"]


class Fence(Protocol):
    """All ways to fence the hosts of one group. No method blocks or raises."""

    def probe(self, host: str, incarnation: str) -> None:
        """Look, without harm, for proof that this incarnation is already dead (power is
        off, its lease ran out). Asking again while one is under way does nothing."""
        ...

    def kill(self, host: str, incarnation: str) -> None:
        """End this incarnation by every method there is, in order. Asking again while
        one is under way does nothing; after FAILED it tries anew."""
        ...

    def verdict(self, host: str, incarnation: str) -> FenceVerdict:
        """The state of the proof for this incarnation. PROVED never goes back for the
        same incarnation unless ``forget`` is called."""
        ...

    def lease_problem(self, host: str) -> str:
        """Why the lease of a host in service would prove nothing if it fell silent now, for
        people; empty when it would, or when the group has no leases. The same trouble has
        the same words."""
        ...

    def forget(self, host: str) -> None:
        """Drop all requests and verdicts of a host (it came back, or was removed)."""
        ...

    def on_change(self, wake: Callable[[], None]) -> None:
        """Call ``wake``, from any thread, when a verdict may have changed."""
        ...

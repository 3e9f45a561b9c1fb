"""What an agent in a member cluster needs of that cluster."""

from __future__ import annotations

from typing import Protocol

from frota.model.bundle import Bundle, Progress, Remembered


class AnchorError(Exception):
    """What was remembered cannot be read or written now. The message says where and why."""


class Anchor(Protocol):
    """Remembers what was followed where a restart, or a lost disk of the agent, does not
    lose it. Every method may wait, for a bounded time, and raises AnchorError."""

    def load(self) -> Remembered:
        """What is remembered; nothing on the very first start. A place that is not there, or
        that holds something else, is an AnchorError and not the first start."""
        ...

    def save(self, fresh: Remembered) -> None:
        """Remember this; with a smaller position than is remembered it changes nothing."""
        ...


class Reconciler(Protocol):
    """Makes a cluster as a bundle says, and keeps it so."""

    def deliver(self, bundle: Bundle, revision: str, last: Remembered) -> Progress:
        """Hand over all that is to be there; what was delivered before and is not in the
        bundle goes. ``last`` says what may be left of that, and which jobs do not run again.
        Does not wait: returns what became of this revision so far. The same revision again
        only asks. Never raises for what the cluster does or says."""
        ...

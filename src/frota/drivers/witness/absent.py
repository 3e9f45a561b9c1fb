"""Where no witness is configured."""

from __future__ import annotations


class NoWitness:
    """A Witness that is not there."""

    def sees(self) -> bool | None:
        """See ``ports.witness.Witness``."""
        return None

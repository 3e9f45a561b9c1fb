"""The Witness port of the simulated world."""

from __future__ import annotations

from frota.twin.site import Site


class TwinWitness:
    """Sees exactly when the controller's own network is well."""

    __slots__ = ("_configured", "_site")

    def __init__(self, site: Site, *, configured: bool = True) -> None:
        self._site = site
        self._configured = configured

    def sees(self) -> bool | None:
        """True or False as the controller's network stands; None: not configured."""
        return not self._site.controller_cut if self._configured else None

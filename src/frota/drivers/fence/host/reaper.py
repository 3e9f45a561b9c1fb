"""Ends every VM of Frota on this host and says whether any is left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from frota.drivers.fence.host.domains import CannotTell, Domains
from frota.drivers.fence.host.virt import Libvirt

UNKNOWN = "unknown"


class Ends(Protocol):
    """What the loop needs of it."""

    def look(self) -> None:
        """Take note of what runs, so that it is found again later."""
        ...

    def sweep(self, *, thorough: bool) -> Sequence[str]:
        """End all VMs and return the names of those that may still run. Takes a few
        seconds at most, whatever hangs."""
        ...


class Reaper:
    """Kills the QEMU processes themselves, then asks libvirt whether it knows of more."""

    def __init__(self, domains: Domains, libvirt: Libvirt, say: Callable[[str], None]) -> None:
        self._domains = domains
        self._libvirt = libvirt
        self._say = say

    def look(self) -> None:
        """See ``Ends``."""
        try:
            self._domains.find()
        except CannotTell as error:
            self._say(f"cannot tell which VMs are Frota's: {error}")

    def sweep(self, *, thorough: bool) -> Sequence[str]:
        """See ``Ends``. Only a thorough one asks libvirt."""
        found: Sequence[str] | None
        try:
            found = self._domains.end()
        except CannotTell as error:
            self._say(f"cannot tell which VMs are Frota's: {error}")
            found = None
        if found is not None and not thorough:
            return found
        shown = self._libvirt.end_all()
        if shown is None:
            if self._libvirt.error:
                self._say(f"{self._libvirt.error}; went by the processes alone")
            return [UNKNOWN] if found is None else found
        return sorted({*(found or ()), *shown})

"""What this side of pulled deliveries is done with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Signing:
    """``key``: the file of the key that bundles are signed with. ``sas``: that of a shared
    access signature for this side of an object store. None: there is none."""

    key: Path | None = None
    sas: Path | None = None

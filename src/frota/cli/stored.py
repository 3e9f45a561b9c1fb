"""From the store to what planners see."""

from __future__ import annotations

from frota.controllers.desired import desired_group
from frota.controllers.records import Records
from frota.model.policy import Policy
from frota.model.snapshot import Snapshot
from frota.ports.store import Store
from frota.runtime.clock import SystemClock
from frota.store.sqlite import SqliteStore


def records_of(store: Store, group: str) -> Records:
    """All that is stored of one host group."""
    records = Records(store, group)
    records.refresh()
    return records


def snapshot_of(store: SqliteStore, group: str) -> Snapshot:
    """A host group as it is recorded, at the present time."""
    records = records_of(store, group)
    policy = Policy() if records.document is None else desired_group(records.document).policy
    now = SystemClock(store.latest()).now()
    return Snapshot(group, now, records.hosts, records.sets, records.vms, policy)

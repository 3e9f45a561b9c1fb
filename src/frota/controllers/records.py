"""One host group's part of the store: read once, kept current, written in one commit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from operator import is_
from typing import Any

from frota.model.availability import AvailabilitySet, Verdict
from frota.model.condition import Condition
from frota.model.decision import ASKED, Decision
from frota.model.host import Host
from frota.model.vm import Vm
from frota.ports.store import Store, StoreError, Write

HOST = "Host"
SET = "AvailabilitySet"
VM = "VirtualMachine"
VERDICT = "Verdict"
GROUP = "HostGroup"
CLUSTER = "Cluster"
APPROVAL = "Approval"
CONDITION = "Condition"
FORMER = "FormerCluster"  # the document of a deleted Cluster whose VMs are not gone yet
_OWN = (HOST, SET, VM, VERDICT, APPROVAL, CONDITION, FORMER)
_ASKED_AMONG = 50  # of the newest lines about one subject


def key(group: str, name: str) -> str:
    """The name under which a group's own record is stored."""
    return f"{group}/{name}"


class Records:
    """What the store says of one group, by plain name.

    ``refresh`` takes in what others wrote. ``commit`` writes what a reconcile changed,
    each record only if nobody wrote it meanwhile; on a Conflict nothing is written, and
    the next refresh brings the news.
    """

    def __init__(self, store: Store, group: str) -> None:
        self._store = store
        self._group = group
        self._since = -1
        self._revisions: dict[tuple[str, str], int] = {}
        self.values: dict[str, dict[str, Any]] = {kind: {} for kind in _OWN}
        self.document: Mapping[str, Any] | None = None
        self.clusters: dict[str, Mapping[str, Any]] = {}

    @property
    def hosts(self) -> dict[str, Host]:
        """Hosts by name."""
        return self.values[HOST]

    @property
    def sets(self) -> dict[str, AvailabilitySet]:
        """Sets by name."""
        return self.values[SET]

    @property
    def vms(self) -> dict[str, Vm]:
        """VMs by name."""
        return self.values[VM]

    @property
    def verdicts(self) -> dict[str, Verdict]:
        """The last verdict on each set."""
        return self.values[VERDICT]

    @property
    def conditions(self) -> dict[str, Condition]:
        """Conditions by name."""
        return self.values[CONDITION]

    @property
    def approvals(self) -> dict[str, Any]:
        """When each plan was approved, by its hash."""
        return self.values[APPROVAL]

    @property
    def former(self) -> dict[str, Mapping[str, Any]]:
        """Deleted clusters that still have VMs, by name."""
        return self.values[FORMER]

    def asked(self, subject: str) -> str:
        """The cause id under which a person last asked for something of a subject; empty
        when nobody did lately."""
        lines = self._store.journal(group=self._group, subject=subject, last=_ASKED_AMONG)
        return next((line.cause_id for line in reversed(lines) if line.reason == ASKED), "")

    def refresh(self) -> bool:
        """Read what changed since the last time; whether that was anything."""
        if self._since < 0:
            return self._read_all()
        try:
            changed, reached = self._store.changes(self._since)
        except StoreError:  # too far behind: what was deleted meanwhile is forgotten
            return self._read_all()
        self._since = reached
        touched = False
        for kind, name in changed:
            touched |= self._take(kind, name)
        return touched

    def _read_all(self) -> bool:
        self._since = self._store.commit(())  # before reading: what comes after is not missed
        self._revisions.clear()
        for kind in _OWN:
            self.values[kind] = {}
        self.clusters = {}
        self.document = None
        for kind in (GROUP, CLUSTER, *_OWN):
            for entry in self._store.list(kind):
                self._put(kind, entry.name, entry.value, entry.revision)
        return True

    def _take(self, kind: str, name: str) -> bool:
        if kind not in (GROUP, CLUSTER) and kind not in self.values:
            return False
        entry = self._store.get(kind, name)
        if entry is not None and self._revisions.get((kind, name)) == entry.revision:
            return False  # our own write
        if entry is None:
            return self._put(kind, name, None, 0)
        return self._put(kind, name, entry.value, entry.revision)

    def _put(self, kind: str, name: str, value: Any, revision: int) -> bool:
        if kind == GROUP:
            if name != self._group:
                return False
            self.document = value
        elif kind == CLUSTER:
            if value is not None and value["spec"].get("hostGroup") != self._group:
                value = None
            if value is None:
                return self.clusters.pop(name, None) is not None
            self.clusters[name] = value
        else:
            group, _, plain = name.partition("/")
            if group != self._group:
                return False
            if value is None:
                self._revisions.pop((kind, name), None)
                return self.values[kind].pop(plain, None) is not None
            self.values[kind][plain] = value
        self._revisions[(kind, name)] = revision
        return True

    def commit(
        self,
        changed: Mapping[str, Mapping[str, Any]],
        decisions: list[Decision],
        document: Mapping[str, Any] | None = None,
    ) -> bool:
        """Write all values of ``changed`` (by kind) that differ from the records, delete
        those missing from it, and journal ``decisions``; whether anything was written.

        ``document``, when given, replaces the HostGroup. Raises Conflict and StoreFull.
        """
        writes: list[Write] = []
        for kind, values in changed.items():
            old = self.values[kind]
            if len(old) != len(values) or not all(map(is_, old.values(), values.values())):
                writes += self._differences(kind, values)  # nearly always nothing differs
        if document is not None:
            revision = self._revisions[(GROUP, self._group)]
            writes.append(Write(GROUP, self._group, document, revision))
        if not writes and not decisions:
            return False
        revision = self._store.commit(writes, decisions)
        if revision == self._since + 1:
            self._since = revision  # nobody else wrote since the last refresh
        for write in writes:
            self._put(write.kind, write.name, write.value, revision)
        return True

    def _differences(self, kind: str, values: Mapping[str, Any]) -> Iterator[Write]:
        old = self.values[kind]
        for name, value in values.items():
            if old.get(name) is not value:
                full = key(self._group, name)
                yield Write(kind, full, value, self._revisions.get((kind, full), 0))
        for name in old.keys() - values.keys():
            full = key(self._group, name)
            yield Write(kind, full, None, self._revisions[(kind, full)])

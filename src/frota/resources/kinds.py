"""All kinds, by name."""

from __future__ import annotations

from frota.resources.cluster import Cluster
from frota.resources.fields import Strict
from frota.resources.hostgroup import HostGroup
from frota.resources.snapshot import SnapshotFile

WRITTEN: dict[str, type[Strict]] = {"HostGroup": HostGroup, "Cluster": Cluster}
# Forms of files that are read alone and never stored.
FORMS: dict[str, type[Strict]] = {"Snapshot": SnapshotFile}
# What Frota makes, and the kind to write instead.
MADE = {
    "AvailabilitySet": "Cluster",
    "VirtualMachine": "Cluster",
    "Host": "HostGroup",
    "Decision": "",
}

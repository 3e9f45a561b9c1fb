"""All kinds, by name."""

from __future__ import annotations

from frota.resources.cluster import Cluster
from frota.resources.fields import Strict
from frota.resources.fleet import Fleet
from frota.resources.hostgroup import HostGroup
from frota.resources.inference import InferenceService
from frota.resources.snapshot import SnapshotFile
from frota.resources.team import Team
from frota.resources.training import TrainingJob

# In the order in which they are stored and shown: what others name comes first.
WRITTEN: dict[str, type[Strict]] = {
    "HostGroup": HostGroup,
    "Fleet": Fleet,
    "Cluster": Cluster,
    "Team": Team,
    "InferenceService": InferenceService,
    "TrainingJob": TrainingJob,
}
# Forms of files that are read alone and never stored.
FORMS: dict[str, type[Strict]] = {"Snapshot": SnapshotFile}
# What Frota makes, and the kind to write instead.
MADE = {
    "AvailabilitySet": "Cluster",
    "VirtualMachine": "Cluster",
    "Host": "HostGroup",
    "Decision": "",
}

"""The examples are right, and the one of the demo survives the loss of any host."""

from __future__ import annotations

from pathlib import Path

import pytest

from frota.controllers.desired import desired_cluster, desired_group
from frota.resources.documents import Loaded, load

EXAMPLES = Path(__file__).parents[2] / "examples"


def example(name: str) -> Loaded:
    return load([(name, (EXAMPLES / name).read_text(encoding="utf-8"))])


@pytest.mark.parametrize("name", ["three-hosts.yaml", "racks.yaml", "libvirt.yaml"])
def test_examples_load(name: str) -> None:
    loaded = example(name)
    assert loaded.problems == ()
    assert loaded.warnings == ()
    assert sorted(resource.kind for resource in loaded.resources) == ["Cluster", "HostGroup"]


def test_three_hosts_can_lose_one() -> None:
    group, cluster = (resource.document for resource in example("three-hosts.yaml").resources)
    hosts = [host.capacity() for host in desired_group(group).hosts]
    roles = desired_cluster(cluster).roles
    memory = sum(role.size.memory_mib * role.count for role in roles)
    cpus = sum(role.size.vcpus * role.count for role in roles)
    largest = max(role.size.memory_mib for role in roles)
    assert [role.role for role in roles] == ["control-plane", "pool/web", "pool/models"]
    assert roles[0].count == 3
    assert len(hosts) == 3
    for lost in range(3):
        rest = [host for number, host in enumerate(hosts) if number != lost and host]
        # Even if each host that is left wastes nearly a whole VM at its end.
        assert sum(host.memory_mib - largest for host in rest) >= memory - largest
        assert sum(host.vcpus for host in rest) >= cpus

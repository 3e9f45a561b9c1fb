"""Stored documents as planner values."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from frota.controllers.desired import (
    ClusterSpec,
    FenceMethod,
    GroupSpec,
    RoleSpec,
    SecretSource,
    definition,
    desired_cluster,
    desired_group,
)
from frota.model.availability import Level
from frota.model.host import Capacity, Size
from frota.model.policy import Admission, Policy, RebalanceMode, Throttle, Timers
from frota.model.vm import Mobility
from frota.ports.hypervisor import HostAddress
from frota.resources.documents import load

TWIN = """\
apiVersion: frota.dev/v1alpha1
kind: HostGroup
metadata: {name: g}
spec:
  provider: twin
  hosts:
    - {name: a, capacity: {memory: 64Gi, cpus: 16}}
"""
REAL = """\
apiVersion: frota.dev/v1alpha1
kind: HostGroup
metadata: {name: real}
spec:
  provider: libvirt
  racks: [{name: r1}]
  hosts:
    - name: a
      rack: r1
      uri: qemu+tls://a.example/system
      migrateUri: tcp://a.example
      peerToPeer: true
      capacity: {memory: 64Gi, gpus: [{model: T4, count: 2}, {model: A100, count: 8}], vms: 10}
      reserve: {memory: 4Gi, cpus: 2}
      fence:
        - agent: fence_ipmilan
          options: {lanplus: "1", ip: 10.0.0.1}
          secrets: {password: {file: /etc/frota/a}, token: {env: A}}
    - {name: b, uri: "qemu+tls://b.example/system"}
  overcommit: {cpus: 1.5}
  storage: {disks: /srv/disks}
  fencing: {lease: {path: /srv/leases}}
  witness: {address: "10.0.0.254:53"}
  timers: {preset: wsfc, beat: 500ms, moveTimeout: 1h30m}
  throttle: {perCluster: 3}
  rebalance: {mode: home, coldMoves: true}
  brake: {share: 30%, deleteShare: 15%, least: 4}
  admission: strict
  preempt: true
"""
CLUSTER = """\
apiVersion: frota.dev/v1alpha1
kind: Cluster
metadata: {name: east}
spec:
  provider: libvirt
  hostGroup: real
  controlPlane:
    count: 3
    vmSize: {memory: 8Gi, cpus: 4, disk: 40Gi}
    availabilitySet: {levels: [rack, host]}
  nodePools:
    - name: gpu
      count: 2
      vmSize: {memory: 16Gi, cpus: 8}
      gpu: {model: A100, count: 2}
      priority: 7
      availabilitySet: {adoptNewDomains: true}
  template:
    image: /srv/node.qcow2
    network: bridge:br0
    accelerator: qemu
    cloudInit: {userData: "${vm} ${cluster} ${role} ${index} ${HOME} $$ ${file:/x}"}
"""


def stored(*texts: str) -> list[dict[str, Any]]:
    loaded = load([(f"{number}", text) for number, text in enumerate(texts)])
    assert not loaded.problems
    return [resource.document for resource in loaded.resources]


@pytest.fixture
def real() -> GroupSpec:
    return desired_group(stored(REAL)[0])


@pytest.fixture
def east() -> ClusterSpec:
    return desired_cluster(stored(REAL, CLUSTER)[1])


def test_a_document_without_choices_is_the_default_policy() -> None:
    spec = desired_group(stored(TWIN)[0])
    assert spec.policy == Policy()
    assert (spec.provider, spec.disks, spec.lease_path, spec.witness) == ("twin", "", "", "")
    (host,) = spec.hosts
    assert (host.rack, host.address) == ("a", HostAddress("a"))
    assert host.capacity() == Capacity(65536, 16, 1000)


def test_all_choices_arrive(real: GroupSpec) -> None:
    assert real.policy == Policy(
        timers=Timers(beat=0.5, isolation_grace=240.0, move_timeout=5400.0),
        throttle=Throttle(per_cluster=3),
        rebalance=RebalanceMode.HOME,
        admission=Admission.STRICT,
        brake_share=0.3,
        brake_delete_share=0.15,
        brake_least=4,
        preempt=True,
        cold_rebalance=True,
        lease_usable=True,
    )
    assert (real.disks, real.lease_path) == ("/srv/disks", "/srv/leases")
    assert real.witness == "10.0.0.254:53"
    a, b = real.hosts
    assert a.address == HostAddress("a", "qemu+tls://a.example/system", "tcp://a.example", True)
    assert (a.rack, b.rack) == ("r1", "b")
    assert a.fence == (
        FenceMethod(
            "fence_ipmilan",
            (("ip", "10.0.0.1"), ("lanplus", "1")),
            (("password", SecretSource(file="/etc/frota/a")), ("token", SecretSource(env="A"))),
        ),
    )


def test_the_smaller_of_declared_and_found_holds(real: GroupSpec) -> None:
    a, b = real.hosts
    assert a.capacity() is None, "its CPUs are not known yet"
    found = Capacity(128 * 1024, 32, 50, (("A100", 4), ("L4", 1)))
    assert a.capacity(found) == Capacity(60 * 1024, 45, 10, (("A100", 4),))
    assert b.capacity() is None
    assert b.capacity(found) == Capacity(128 * 1024, 48, 50, (("A100", 4), ("L4", 1)))
    assert a.capacity(Capacity(1024, 1, 50)) == Capacity(0, 0, 10)


def test_roles(east: ClusterSpec) -> None:
    control, gpu = east.roles
    assert (east.name, east.group, east.provider) == ("east", "real", "libvirt")
    assert control == RoleSpec(
        role="control-plane",
        set_name="east-control-plane",
        vm_prefix="east-cp",
        count=3,
        size=Size(8192, 4),
        disk_gib=40,
        priority=1000,
        mobility=Mobility.LIVE,
        levels=(Level.RACK, Level.HOST),
        adopt_new_domains=False,
    )
    assert gpu == RoleSpec(
        role="pool/gpu",
        set_name="east-gpu",
        vm_prefix="east-gpu",
        count=2,
        size=Size(16384, 8, "A100", 2),
        disk_gib=0,
        priority=7,
        mobility=Mobility.PINNED,
        levels=(Level.HOST,),
        adopt_new_domains=True,
    )


def test_definition(east: ClusterSpec) -> None:
    made = definition(east, east.roles[1], 12, "/srv/disks/")
    assert (made.vm, made.role, made.size) == ("east-gpu-12", "pool/gpu", Size(16384, 8, "A100", 2))
    assert (made.disk, made.seed) == (
        "/srv/disks/east-gpu-12.qcow2",
        "/srv/disks/east-gpu-12-seed.iso",
    )
    assert made.user_data == "east-gpu-12 east gpu 12 ${HOME} $$ ${file:/x}"
    assert made.meta_data == "instance-id: east-gpu-12\nlocal-hostname: east-gpu-12\n"
    assert (made.network, made.accelerator) == ("bridge:br0", "qemu")


def test_mac_addresses(east: ClusterSpec) -> None:
    macs = [definition(east, role, n, "/d").mac for role in east.roles for n in range(1, 5000)]
    assert len(set(macs)) == len(macs)
    for mac in macs[:100]:
        octets = [int(part, 16) for part in mac.split(":")]
        assert len(octets) == 6
        assert octets[0] & 0b11 == 0b10, "local, and no group address"
    assert macs[0] == definition(east, east.roles[0], 1, "/other").mac


def test_no_pydantic_is_needed() -> None:
    script = (
        "import sys, frota.controllers.desired;"
        "sys.exit(any(name in sys.modules for name in ('pydantic', 'yaml', 'ortools')))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False, timeout=60).returncode == 0

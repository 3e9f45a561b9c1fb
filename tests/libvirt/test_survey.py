"""A HostGroup from hosts as they are."""

from __future__ import annotations

import pytest

from frota.drivers.libvirt.domain import Mark
from frota.drivers.libvirt.session import Session, open_session
from frota.drivers.libvirt.survey import survey
from tests.libvirt.daemon import FakeDaemon, FakeDomain

TEST = "test:///default"


def test_hosts_are_described_and_errors_stand_apart() -> None:
    found = survey([TEST, "qemu+unix:///system?socket=/nowhere", TEST], name="plant-east")
    assert found.document["metadata"] == {"name": "plant-east"}
    hosts = found.document["spec"]["hosts"]
    assert [host["uri"] for host in hosts] == [TEST, TEST]
    assert hosts[0]["capacity"] == {"memory": "3072Mi", "cpus": 3}
    assert hosts[1]["name"] == hosts[0]["name"] + "-2"
    assert any("NUMA: 2 nodes, ignored" in note for note in found.notes)
    assert any("1 running domain(s) that Frota did not make (test)" in n for n in found.notes)
    assert any("is it one host?" in note for note in found.notes)
    [(uri, why)] = found.errors
    assert uri == "qemu+unix:///system?socket=/nowhere"
    assert "no libvirt daemon answers" in why


def test_a_password_is_refused_and_not_shown() -> None:
    found = survey(["qemu+tcp://me:s3cret@a/system"])
    assert found.document["spec"]["hosts"] == []
    assert "s3cret" not in str(found)
    assert "auth.conf" in found.errors[0][1]


def test_a_hanging_host_costs_its_deadline_only() -> None:
    daemon = FakeDaemon()
    daemon.hang()

    def connect(uri: str) -> Session:
        return daemon.connect(uri) if uri == "hangs" else open_session(uri)

    found = survey(["hangs", TEST], deadline=0.2, connect=connect)
    daemon.thaw()
    assert [host["uri"] for host in found.document["spec"]["hosts"]] == [TEST]
    assert found.errors == (("hangs", "no answer within 0.2 s: does its libvirt daemon hang?"),)


@pytest.mark.parametrize(
    ("hostname", "name"),
    [
        ("node1.example.com", "node1"),
        ("NODE_1", "node-1"),
        ("-", "host"),
        ("x" * 80, "x" * 50),
    ],
)
def test_names_from_host_names(hostname: str, name: str) -> None:
    daemon = FakeDaemon()
    daemon.hostname = hostname
    daemon.domains = [FakeDomain("v1", Mark("v1", "east", "cp", 1, "op", "a", "t"))]
    found = survey(["one"], connect=daemon.connect)
    assert found.document["spec"]["hosts"][0]["name"] == name
    assert found.notes == ()

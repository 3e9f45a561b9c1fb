"""get, describe, explain, events: what the store holds, for people and for programs."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml

from frota.model.host import Host, HostState
from tests.cli.conftest import GROUP, Frota


def lines(text: str) -> list[str]:
    """Without the columns that tell the time."""
    return [line.rstrip() for line in text.splitlines()]


def test_vms_as_a_table(frota: Frota) -> None:
    ended = frota("get", "vms")
    assert ended.code == 0
    assert lines(ended.out) == [
        "GROUP       NAME           SET                 STATE    HOST  HOME  SIZE    EPOCH  REASON",
        "plant-east  east-cp-1      east-control-plane  Running  a     a     4Gi 2c  1",
        "plant-east  east-cp-2      east-control-plane  Running  b     b     4Gi 2c  1",
        "plant-east  east-cp-3      east-control-plane  Running  c     c     4Gi 2c  1",
        "plant-east  east-models-1  east-models         Running  a     a     6Gi 4c  1",
        "plant-east  east-models-2  east-models         Running  b     b     6Gi 4c  1",
        "plant-east  east-models-3  east-models         Running  c     c     6Gi 4c  1",
        "plant-east  east-web-1     east-web            Running  a     a     4Gi 2c  1",
        "plant-east  east-web-2     east-web            Running  b     b     4Gi 2c  1",
        "plant-east  east-web-3     east-web            Running  c     c     4Gi 2c  1",
    ]


def test_sets_groups_and_clusters_as_tables(frota: Frota) -> None:
    assert [line.split(maxsplit=1)[1] for line in lines(frota("get", "sets").out)[1:]] == [
        "east-control-plane  control-plane  host    Healthy  a=1 b=1 c=1  spread evenly",
        "east-models         pool/models    host    Healthy  a=1 b=1 c=1  spread evenly",
        "east-web            pool/web       host    Healthy  a=1 b=1 c=1  spread evenly",
    ]
    assert lines(frota("get", "groups").out) == [
        "NAME        PROVIDER  HOSTS  UP  VMS  SETS  CONTROLLER  CONDITIONS",
        "plant-east  twin      3      3   9    3     -",
    ]
    assert lines(frota("get", "clusters").out) == [
        "NAME  GROUP       FUNCTION   ENVIRONMENT  CONTROL-PLANE  POOLS           RUNNING",
        "east  plant-east  inference  prod         3              web=3 models=3  9/9",
    ]


def test_hosts_show_what_is_taken(frota: Frota) -> None:
    first = frota("get", "hosts").out.splitlines()[1].split()
    assert first[:4] == ["plant-east", "a", "a", "Up"]
    assert "14Gi/30Gi" in first
    assert "8/60" in first


@pytest.mark.parametrize("kind", ["hosts", "vms", "sets", "hostgroups", "clusters", "decisions"])
def test_lists_are_arrays_of_shaped_things(kind: str, frota: Frota) -> None:
    found = frota("get", kind, "--output", "json").data
    assert isinstance(found, list)
    if kind != "decisions":
        for item in found:
            assert list(item)[:3] == ["apiVersion", "kind", "metadata"]
            assert item["apiVersion"] == "frota.dev/v1alpha1"
            assert item["metadata"]["name"]
    assert yaml.safe_load(frota("get", kind, "--output", "yaml").out) == found


def test_keys_are_stable(frota: Frota) -> None:
    host = frota("get", "host", "a", "--output", "json").data
    assert list(host["status"]) == [
        "state", "since", "reason", "incarnation", "capacity", "fenceProof", "declaredDead",
        "leaves", "quarantinedUntil", "tenure", "causeId", "conditions",
    ]  # fmt: skip
    vm = frota("get", "vm", "east-cp-1", "--output", "json").data
    assert list(vm["spec"]) == [
        "availabilitySet", "size", "priority", "mobility", "wanted", "halted",
    ]  # fmt: skip
    assert list(vm["status"]) == [
        "state", "host", "home", "epoch", "generation", "reason", "failures", "retryAt",
        "movedAt", "operation", "causeId",
    ]  # fmt: skip
    spread = frota("get", "set", "east-web", "--output", "json").data
    assert list(spread["status"]) == [
        "phase", "placementStatus", "message", "blocker", "spread", "faultDomains",
        "generations", "removedDomains", "redeploying", "successorOf", "conditions",
    ]  # fmt: skip
    assert [condition["type"] for condition in spread["status"]["conditions"]] == [
        "Aligned", "DomainsAvailable", "N1Feasible", "ConfigCurrent", "NoRemovedDomain",
        "FaultTolerant",
    ]  # fmt: skip
    assert spread["status"]["placementStatus"] == "ALIGNED"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("get", "vm", "east-cp1"), 4, "no VirtualMachine east-cp1; did you mean east-cp-1?"),
        (("get", "vm", "plant-east/east-cp-9"), 4, "did you mean plant-east/east-cp-1?"),
        (("get", "hostt"), 2, "did you mean hosts?"),
        (("describe", "decision", "x"), 2, "frota get decisions CAUSE"),
        (("explain", "vm/none"), 4, "there is no VirtualMachine none"),
        (("explain", "team/east"), 2, "expected a host, VM, set, host group, cluster or fleet"),
    ],
)  # fmt: skip
def test_wrong_names_get_the_nearest_right_one(
    words: tuple[str, ...], code: int, said: str, frota: Frota
) -> None:
    ended = frota(*words)
    assert ended.code == code
    assert said in ended.err


def test_a_group_filters(frota: Frota) -> None:
    assert len(frota("get", "vms", "--group", GROUP, "--output", "json").data) == 9
    ended = frota("get", "vms", "--group", "other")
    assert (ended.code, ended.out) == (0, "")
    assert "no VirtualMachine is stored" in ended.err


def test_a_plain_name_in_two_groups_must_be_said_whole(frota: Frota) -> None:
    entry = frota.entry("Host", "plant-east/a")
    from frota.ports.store import Write
    from frota.store.sqlite import SqliteStore

    store = SqliteStore(frota.store)
    store.commit([Write("Host", "west/a", entry.value, 0)])
    store.close()
    ended = frota("get", "host", "a")
    assert ended.code == 2
    assert "say which: plant-east/a, west/a" in ended.err
    assert frota("get", "host", "west/a").code == 0


@pytest.mark.parametrize("kind", ["host/a", "vm/east-cp-1", "set/east-web", "hostgroup/plant-east"])
def test_describe_shows_the_thing_and_what_belongs_to_it(kind: str, frota: Frota) -> None:
    word, name = kind.split("/")
    ended = frota("describe", word, name)
    assert ended.code == 0
    assert f"metadata: {{name: {name}" in ended.out
    found = frota("describe", word, name, "--output", "json").data
    assert found["resource"]["metadata"]["name"] == name
    assert isinstance(found["decisions"], list)
    if word == "host":
        assert [vm["metadata"]["name"] for vm in found["virtualMachines"]] == [
            "east-cp-1", "east-models-1", "east-web-1",
        ]  # fmt: skip
    cluster = frota("describe", "cluster", "east", "--output", "json").data
    assert len(cluster["availabilitySets"]) == 3
    assert len(cluster["virtualMachines"]) == 9


def test_explain_tells_cause_action_and_outcome(frota: Frota) -> None:
    ended = frota("explain", "vm/east-cp-2")
    assert ended.code == 0
    assert ended.out.startswith("VirtualMachine/east-cp-2: Running on b\n")
    told = [line.split()[1:3] for line in ended.out.splitlines() if "east-cp-2  " in line]
    assert [stage for stage, _ in told] == ["Cause", "Action", "Outcome"]
    assert "lines about others: frota get decisions" in ended.out
    story = frota("explain", "virtualmachine/plant-east/east-cp-2", "--output", "json").data
    assert story["subject"] == "VirtualMachine/east-cp-2"
    (chapter,) = story["stories"]
    assert chapter["linesAboutOthers"] > 0
    stages = [line["stage"] for line in chapter["lines"]]
    assert stages[0] == "Cause"
    assert stages[-1] == "Outcome"


def test_rejected_alternatives_are_told(frota: Frota) -> None:
    story = frota("explain", "vm/east-cp-2", "--output", "json").data["stories"][0]
    start = next(line for line in story["lines"] if line["stage"] == "Action")
    if start["rejected"]:
        assert f"not: {start['rejected'][0]}" in frota("explain", "vm/east-cp-2").out


def test_explain_knows_what_was_deleted(frota: Frota) -> None:
    from frota.ports.store import Write
    from frota.store.sqlite import SqliteStore

    entry = frota.entry("VirtualMachine", "plant-east/east-web-3")
    store = SqliteStore(frota.store)
    store.commit([Write(entry.kind, entry.name, None, entry.revision)])
    store.close()
    ended = frota("explain", "vm/east-web-3")
    assert ended.code == 0
    assert ended.out.startswith("VirtualMachine/east-web-3 is no more")


def test_events_begin_some_lines_back(frota: Frota) -> None:
    every = frota("events", "--last", "1000", "--output", "json").data
    last = frota("events", "--last", "3", "--output", "json").data
    assert last == every[-3:]
    assert list(last[0]) == [
        "at", "hostGroup", "causeId", "stage", "subject", "reason", "message", "rejected",
    ]  # fmt: skip
    assert len(frota("events", "--last", "3").out.splitlines()) == 4
    cause = last[-1]["causeId"]
    same = frota("get", "decisions", cause, "--last", "1000", "--output", "json").data
    assert {line["causeId"] for line in same} == {cause}


def test_states_are_said_as_they_are(frota: Frota) -> None:
    def down(host: Host) -> Host:
        return replace(host, state=HostState.DOWN, reason="proved dead by lease")

    frota.change("Host", "plant-east/b", down)
    ended = frota("explain", "host/b")
    assert ended.out.startswith("Host/b: Down (proved dead by lease)")

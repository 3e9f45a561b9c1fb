"""Snapshot files: what is written is read back the same; what is wrong is all reported."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from frota.cli.foresight import foresee
from frota.model.host import HostState
from frota.model.policy import Policy, Throttle, Timers
from frota.model.snapshot import Snapshot
from frota.model.vm import Mobility, VmState
from frota.resources.fields import Strict
from frota.resources.snapshot import (
    SnapshotHost,
    SnapshotPolicy,
    SnapshotSet,
    SnapshotThrottle,
    SnapshotTimers,
    SnapshotVm,
)
from frota.snapshots.reading import parse
from frota.snapshots.writing import text_of
from tests.snapshots.strategies import snapshots

SMALL = """\
apiVersion: frota.dev/v1alpha1
kind: Snapshot
metadata: {name: plant}
spec:
  hosts:
    - {name: a, memory: 64Gi, cpus: 32, gpus: [{model: A100, count: 2}]}
    - {name: b, memory: 64Gi, cpus: 32, rack: r2, state: Down}
  sets:
    - {name: cp, cluster: east, role: control-plane}
    - name: east-w
      cluster: east
      levels: [rack, host]
      members: {hosts: {b: 1, a: 2}, memory: 4Gi, cpus: 2}
  vms:
    - {name: cp-1, set: cp, host: a, memory: 8Gi, cpus: 4}
    - {name: waits, memory: 8Gi, cpus: 4, gpu: {model: A100}}
"""


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=60)
@given(snapshots())
def test_what_is_written_is_read_back(snapshot: Snapshot) -> None:
    read = parse("x", text_of(snapshot))
    assert read.problems == ()
    assert read.snapshot == snapshot
    assert list(read.snapshot.vms) == list(snapshot.vms)
    assert text_of(read.snapshot) == text_of(snapshot)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=25)
@given(snapshots())
def test_positions_do_not_change_what_is_read(snapshot: Snapshot) -> None:
    """A comment makes it YAML: the careful reading must see the same."""
    text = "# as YAML\n" + text_of(snapshot)
    assert parse("x", text).snapshot == snapshot


def test_defaults_fill_in_what_a_person_leaves_out() -> None:
    found = parse("small.yaml", SMALL)
    assert found.problems == ()
    snapshot = found.snapshot
    assert snapshot is not None
    assert snapshot.hosts["a"].rack == "a"
    assert snapshot.hosts["b"].state is HostState.DOWN
    assert snapshot.sets["east-w"].generations == (
        frozenset({"rack/a", "rack/r2", "host/a", "host/b"}),
    )
    assert snapshot.sets["east-w"].next_number == 4
    assert snapshot.sets["cp"].next_number == 2
    short = {name: vm.host for name, vm in snapshot.vms.items() if vm.set == "east-w"}
    assert short == {"east-w-1": "b", "east-w-2": "a", "east-w-3": "a"}
    cp = snapshot.vms["cp-1"]
    assert (cp.state, cp.home, cp.epoch, cp.priority) == (VmState.RUNNING, "a", 1, 1000)
    waits = snapshot.vms["waits"]
    assert (waits.state, waits.host, waits.epoch) == (VmState.PENDING, "", 0)
    assert waits.mobility is Mobility.PINNED
    assert len({vm.order for vm in snapshot.vms.values()}) == len(snapshot.vms)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("state: Down", "state: Dwn", "7:58: spec.hosts[1].state: "),
        ("state: Down", "stat: Down", '"stat" (did you mean state?)'),
        ("hosts: {b: 1", "hosts: {bb: 1", '13:25: spec.sets[1].members.hosts.bb: '),
        ("set: cp,", "set: cpp,", '15:25: spec.vms[0].set: expected one of cp, east-w'),
        ("name: b,", "name: a,", 'expected each host once; found "a" again'),
        ("name: waits,", "name: east-w-2,", 'expected each VM once; found "east-w-2" again'),
        ("name: waits,", "name: waits, state: Running,", "the host on which it is Running"),
        ("[rack, host]", "[host, rack]", "write [rack, host]"),
        ("kind: Snapshot", "kind: Snapshoot", "did you mean Snapshot?"),
        ("memory: 8Gi, cpus: 4, gpu", "memory: 8GB, cpus: 4, gpu", "write 8Gi"),
        ("memory: 64Gi, cpus: 32, rack", "cpus: 32, rack", "the field is required"),
    ],
)  # fmt: skip
def test_each_mistake_is_named_in_its_place(old: str, new: str, said: str) -> None:
    assert old in SMALL
    found = parse("small.yaml", SMALL.replace(old, new, 1))
    assert found.snapshot is None
    text = "\n".join(map(str, found.problems))
    assert said in text, text


def test_all_mistakes_are_reported_at_once() -> None:
    text = SMALL.replace("state: Down", "stat: Down").replace("b: 1", "bb: 1")
    text = text.replace("set: cp,", "set: cpp,")
    assert len(parse("small.yaml", text).problems) == 3


def test_a_key_twice_is_refused_in_json_too() -> None:
    text = json.dumps({"apiVersion": "frota.dev/v1alpha1"})[:-1] + ', "apiVersion": "x"}'
    assert any("each key once" in str(problem) for problem in parse("x", text).problems)


def test_two_documents_are_refused() -> None:
    found = parse("x", SMALL + "---\n" + SMALL)
    assert any("one snapshot in a file" in str(problem) for problem in found.problems)


@pytest.mark.parametrize("text", ["", "[]", "{", "null", "- a\n- b\n", "\x00", "{" * 5000])
def test_what_is_no_snapshot_is_refused(text: str) -> None:
    found = parse("x", text)
    assert found.snapshot is None
    assert found.problems


@pytest.mark.parametrize(
    ("form", "model"),
    [
        (SnapshotPolicy, Policy),
        (SnapshotTimers, Timers),
        (SnapshotThrottle, Throttle),
    ],
)
def test_the_form_has_every_field_of_the_policy(form: type[Strict], model: type) -> None:
    assert set(form.model_fields) == {field.name for field in fields(model)}


PAGE = Path(__file__).parents[2] / "docs" / "snapshot.md"


def test_the_example_of_the_page_does_what_the_page_says() -> None:
    text = PAGE.read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0]
    found = parse("snapshot.md", text)
    assert found.problems == ()
    assert found.snapshot is not None
    sight = foresee(found.snapshot)
    assert [(step.vm, step.dst) for step in sight.starts] == [("east-gpu-2", "d")]
    (move,) = sight.rebalance.steps
    assert found.snapshot.hosts[move.dst].rack == "r2"


def test_the_page_names_every_field() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for form in (SnapshotHost, SnapshotSet, SnapshotVm, SnapshotPolicy):
        for field in form.model_fields.values():
            assert f"`{field.alias}`" in page, field.alias

"""plan, what-if, snapshot, explain --snapshot: the real planners on what is, or was."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from frota.cli.foresight import foresee, settled
from frota.cli.whatif import lose
from frota.model.host import Host, HostState
from frota.model.snapshot import Snapshot
from frota.model.vm import Operation, Verb, Vm, VmState
from frota.snapshots.reading import parse
from tests.cli.conftest import EXAMPLE, GROUP, ROOT, Frota

UNEVEN = """\
apiVersion: frota.dev/v1alpha1
kind: Snapshot
metadata: {name: plant}
spec:
  now: 100000
  hosts:
    - {name: a, memory: 64Gi, cpus: 32, rack: r1}
    - {name: b, memory: 64Gi, cpus: 32, rack: r1}
    - {name: c, memory: 64Gi, cpus: 32, rack: r2}
  sets:
    - name: w
      cluster: east
      levels: [rack, host]
      members: {hosts: {a: 5, b: 1}, memory: 4Gi, cpus: 2}
"""


@pytest.fixture
def uneven(tmp_path: Path) -> str:
    path = tmp_path / "uneven.yaml"
    path.write_text(UNEVEN, encoding="utf-8")
    return str(path)


def test_a_first_plan_needs_no_store(empty: Frota) -> None:
    ended = empty("plan", str(EXAMPLE))
    assert ended.code == 0
    assert ended.out.splitlines()[:5] == [
        "HostGroup/plant-east created",
        "Cluster/east created",
        "",
        "plant-east: 9 VMs would start",
        "ACT    VM             WHERE   WHY",
    ]
    assert "east-web            Healthy          a=1 b=1 c=1  spread evenly" in ended.out
    assert not empty.store.exists()


def test_a_plan_for_programs(empty: Frota) -> None:
    found = empty("plan", str(EXAMPLE), "--output", "json").data
    assert [change["action"] for change in found["changes"]] == ["created", "created"]
    (group,) = found["groups"]
    assert list(group) == [
        "group", "stops", "starts", "drains", "rebalance", "refusals", "warnings", "n1", "sets",
        "deletions", "notes",
    ]  # fmt: skip
    assert len(group["starts"]) == 9
    assert group["starts"][0] == {
        "act": "start", "vm": "east-cp-1", "from": "", "to": "a", "layer": 0, "final": "a",
        "reason": "first placement", "rejected": group["starts"][0]["rejected"],
    }  # fmt: skip
    assert group["n1"]["after"] == {"holds": True, "hostsNotSpared": []}
    assert {item["phase"] for item in group["sets"]} == {"Healthy"}


def test_what_plan_foresees_is_what_the_controllers_do(empty: Frota, frota: Frota) -> None:
    starts = empty("plan", "--now-what", "--output", "json").data["groups"][0]["starts"]
    assert starts == []
    fresh = Frota(empty.store.with_name("other.db"), empty._capsys)
    planned = fresh("plan", str(EXAMPLE), "--output", "json").data["groups"][0]["starts"]
    really = {vm["metadata"]["name"]: vm["status"]["host"]
              for vm in frota("get", "vms", "--output", "json").data}  # fmt: skip
    assert {step["vm"]: step["to"] for step in planned} == really


def test_growing_a_pool_plans_the_new_vms_alone(frota: Frota, tmp_path: Path) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    more = tmp_path / "more.yaml"
    more.write_text(text.replace("name: web\n      count: 3", "name: web\n      count: 5"))
    found = frota("plan", str(more), "--output", "json").data
    assert [(c["name"], c["fields"]) for c in found["changes"]] == [
        ("plant-east", []), ("east", ["spec.nodePools[web].count"]),
    ]  # fmt: skip
    assert [step["vm"] for step in found["groups"][0]["starts"]] == ["east-web-4", "east-web-5"]
    assert "would be: Cluster/east configured" in frota("plan", str(more)).out
    fewer = tmp_path / "fewer.yaml"
    fewer.write_text(text.replace("name: web\n      count: 3", "name: web\n      count: 2"))
    stops = frota("plan", str(fewer), "--output", "json").data["groups"][0]["stops"]
    assert len(stops) == 1


def test_a_new_host_is_taken_as_there(frota: Frota) -> None:
    frota("host", "add", GROUP, "d", "--memory", "32Gi", "--cpus", "16")
    ended = frota("plan", "--now-what")
    assert "plant-east: nothing to do" in ended.out
    assert "ConfigStale" in ended.out
    assert "note: host d is taken as there, but it has not joined yet" in ended.err


def test_a_real_host_that_nobody_saw_is_left_out(empty: Frota, tmp_path: Path) -> None:
    path = tmp_path / "real.yaml"
    text = (ROOT / "examples/libvirt.yaml").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if "capacity:" not in line]
    path.write_text("\n".join(lines), encoding="utf-8")
    ended = empty("plan", str(path))
    assert ended.code == 0, ended.err
    assert "is left out: it declares no memory and CPUs" in ended.err


def test_uneven_sets_are_evened_out_with_proof(frota: Frota, uneven: str) -> None:
    ended = frota("plan", "--snapshot", uneven)
    assert ended.code == 0
    assert (
        "plant: 3 moves even out the sets; no plan needs fewer (proof: closed-form, bound 3)"
        in ended.out
    )
    assert "w    Healthy  Rebalancing  r1=3 r2=3  spread evenly" in ended.out
    checked = frota("plan", "--snapshot", uneven, "--prove", "--output", "json").data
    proof = checked["groups"][0]["rebalance"]["proof"]
    assert (proof["bound"], proof["moves"], proof["holds"]) == (3, 3, True)


def test_a_plan_beyond_the_brake_names_its_hash(frota: Frota, tmp_path: Path) -> None:
    path = tmp_path / "braked.yaml"
    policy = "  policy: {brakeShare: 0.1, brakeLeast: 0}\n  hosts:"
    path.write_text(UNEVEN.replace("  hosts:", policy, 1), encoding="utf-8")
    ended = frota("plan", "--snapshot", str(path))
    held = frota("plan", "--snapshot", str(path), "--output", "json").data["groups"][0]
    digest = held["rebalance"]["heldByBrake"]
    assert len(digest) == 12
    assert f"the brake holds them: frota approve plant {digest}" in ended.out


def lower_brake(document: dict[str, Any]) -> dict[str, Any]:
    spec = document["spec"]
    return {**document, "spec": {**spec, "brake": {**spec["brake"], "least": 2}}}


def without_web(document: dict[str, Any]) -> dict[str, Any]:
    pools = [pool for pool in document["spec"]["nodePools"] if pool["name"] != "web"]
    return {**document, "spec": {**document["spec"], "nodePools": pools}}


def test_deletions_beyond_the_brake_are_shown_beforehand(frota: Frota, tmp_path: Path) -> None:
    cluster = without_web(frota.entry("Cluster", "east").value)
    path = tmp_path / "dropped.json"
    path.write_text(json.dumps(cluster), encoding="utf-8")
    small = frota("plan", str(path), "--output", "json").data["groups"][0]
    assert small["deletions"] == {"heldByBrake": ""}
    assert len(small["stops"]) == 3
    frota.change("HostGroup", GROUP, lower_brake)
    held = frota("plan", str(path), "--output", "json").data["groups"][0]
    digest = held["deletions"]["heldByBrake"]
    assert len(digest) == 12
    assert held["stops"] == []
    said = frota("plan", str(path)).out
    assert "the brake would hold deletions: 3 of 9 VMs would be deleted (all 3 of east-web)" in said
    assert f"frota approve plant-east {digest}" in said
    whole = frota("delete", "cluster", "east", "--dry-run").out
    assert "that is more than the brake allows: it waits for frota approve plant-east" in whole
    assert digest not in whole  # it is another plan


def test_nothing_is_evened_out_while_a_host_is_silent(frota: Frota, tmp_path: Path) -> None:
    path = tmp_path / "silent.yaml"
    silent = UNEVEN.replace(
        "rack: r2}", "rack: r2}\n    - {name: d, memory: 1Gi, cpus: 1, state: Isolated}"
    )
    path.write_text(silent, encoding="utf-8")
    assert (
        "they wait until it is known what became of d" in frota("plan", "--snapshot", str(path)).out
    )


def test_what_if_says_what_restarts_where(frota: Frota) -> None:
    ended = frota("what-if", "--without", "c")
    assert ended.code == 0
    first = "plant-east without c: 3 VMs would restart, 0 would find no room"
    assert ended.out.startswith(first)
    assert "could any one host be lost, before: yes" in ended.out
    found = frota("what-if", "--without", "c", "--output", "json").data
    assert {item["vm"] for item in found["restarts"]} == {
        "east-cp-3", "east-models-3", "east-web-3",
    }  # fmt: skip
    assert {item["from"] for item in found["restarts"]} == {"c"}
    assert {item["to"] for item in found["restarts"]} <= {"a", "b"}
    assert found["noRoom"] == []
    assert found["n1"]["before"]["holds"]
    assert not found["n1"]["after"]["holds"]


def test_what_if_ends_with_1_when_something_finds_no_room(frota: Frota) -> None:
    ended = frota("what-if", "--without", "plant-east/b", "c")
    assert ended.code == 1
    assert "NO ROOM FOR" in ended.out
    found = frota("what-if", "--without", "host/b", "rack/c", "--output", "json")
    assert found.code == 1
    reasons = {item["reason"] for item in found.data["noRoom"]}
    assert reasons == {"Capacity"}


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [("q", 4, "no host or rack q"), ("rack/aa", 4, "did you mean a?"), ("hst/a", 4, "or rack a")],
)
def test_what_if_knows_its_hosts_and_racks(name: str, code: int, said: str, frota: Frota) -> None:
    ended = frota("what-if", "--without", name)
    assert ended.code == code
    assert said in ended.err


def test_a_rack_is_all_its_hosts(uneven: str, frota: Frota) -> None:
    found = frota("what-if", "--without", "r1", "--snapshot", uneven, "--output", "json").data
    assert found["without"] == ["a", "b"]
    assert {item["to"] for item in found["restarts"]} == {"c"}


def test_a_snapshot_stands_for_the_store(frota: Frota, tmp_path: Path) -> None:
    path = tmp_path / "plant.json"
    ended = frota("snapshot", GROUP, "-o", str(path))
    assert (ended.code, ended.out) == (0, "")
    assert f"{path}: 3 hosts, 3 sets, 9 VMs" in ended.err
    assert frota("snapshot", GROUP).out.splitlines()[6:] == path.read_text().splitlines()[6:]
    live = frota("what-if", "--without", "c", "--output", "json").data
    assert (
        frota("what-if", "--without", "c", "--snapshot", str(path), "--output", "json").data == live
    )
    now = frota("plan", "--now-what", "--output", "json").data["groups"]
    frozen = frota("plan", "--snapshot", str(path), "--output", "json").data["groups"]
    assert frozen == now
    assert json.loads(path.read_text())["kind"] == "Snapshot"


def test_problems_of_a_snapshot_are_placed(frota: Frota, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    text = UNEVEN.replace("b: 1", "bb: 1").replace("cpus: 32, rack: r2", "cpu: 32")
    path.write_text(text)
    ended = frota("plan", "--snapshot", str(path))
    assert ended.code == 2
    row, line = next((n, s) for n, s in enumerate(text.splitlines(), 1) if "bb: 1" in s)
    place = f"{path}:{row}:{line.index('bb: 1') + 1}"
    assert f"{place}: spec.sets[0].members.hosts.bb: " in ended.err
    assert "did you mean cpus?" in ended.err
    assert frota("what-if", "--without", "a", "--snapshot", "none.json").code == 2


@pytest.mark.parametrize(
    ("subject", "said"),
    [
        ("set/w", ["Rebalancing: racks hold r1=6, r2=0", "live  w-1"]),
        ("vm/w-1", ["Running on a", "host c: has room; holds 0 members of its set"]),
        ("host/a", ["holds 5 VMs; free 44Gi of 64Gi", "would be done"]),
        ("host/c", ["nothing would be done about it"]),
    ],
)
def test_a_snapshot_explains_itself(
    subject: str, said: list[str], frota: Frota, uneven: str
) -> None:
    ended = frota("explain", subject, "--snapshot", uneven)
    assert ended.code == 0
    for text in said:
        assert text in ended.out
    found = frota("explain", subject, "--snapshot", uneven, "--output", "json").data
    assert list(found) == ["subject", "facts", "steps", "refusals"]


def test_explaining_what_a_snapshot_has_not(frota: Frota, uneven: str) -> None:
    assert "did you mean w-1?" in frota("explain", "vm/w-11", "--snapshot", uneven).err
    assert frota("explain", "cluster/east", "--snapshot", uneven).code == 2


def _snapshot() -> Snapshot:
    found = parse("x", UNEVEN).snapshot
    assert found is not None
    return found


def _busy(vm: Vm, verb: Verb, src: str = "", dst: str = "") -> Vm:
    return replace(vm, operation=Operation("op", verb, vm.name, src, dst, vm.epoch))


def test_what_is_under_way_is_taken_to_end_well() -> None:
    snapshot = _snapshot()
    vms = [
        replace(_busy(snapshot.vms["w-1"], Verb.LIVE, src="a", dst="c"), state=VmState.MIGRATING),
        replace(_busy(snapshot.vms["w-2"], Verb.STOP, src="a"), wanted=False),
        replace(_busy(snapshot.vms["w-3"], Verb.STOP, src="a"), halted=True),
    ]
    done = settled(snapshot.with_vms(vms))
    assert (done.vms["w-1"].host, done.vms["w-1"].state) == ("c", VmState.RUNNING)
    assert "w-2" not in done.vms
    assert done.vms["w-3"].state is VmState.STOPPED


def test_a_loss_counts_a_move_to_the_lost_host() -> None:
    """A VM on its way to the host that dies is lost there: it is taken to have arrived."""
    snapshot = _snapshot()
    moving = replace(
        _busy(snapshot.vms["w-1"], Verb.LIVE, src="a", dst="c"), state=VmState.MIGRATING
    )
    loss = lose(snapshot.with_vms([moving]), ["c"])
    assert [vm for vm, *_ in loss.restarts] == ["w-1"]


def test_drains_come_before_evenness() -> None:
    snapshot = _snapshot()
    draining: Host = replace(snapshot.hosts["a"], state=HostState.DRAINING)
    sight = foresee(snapshot.with_hosts([draining]))
    assert {step.src for step in sight.drains} == {"a"}
    assert not any(vm.host == "a" for vm in sight.after.vms.values())

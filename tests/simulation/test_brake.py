"""Deletions that wait for a person, approvals that are used once, and conditions, in virtual
time with the production controller."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from frota.controllers.brake import APPROVAL_LIFE, deletion_hash
from frota.controllers.records import APPROVAL, CLUSTER, CONDITION, FORMER, GROUP, VM
from frota.model.condition import Condition
from frota.model.decision import ASKED, Decision, Stage
from frota.model.sight import Copy, CopyState
from frota.model.vm import Vm
from frota.resources.documents import load
from frota.simulation import operator
from frota.simulation.actions import perform
from frota.simulation.run import Run

_FILES = """\
apiVersion: frota.dev/v1alpha1
kind: HostGroup
metadata: {name: g}
spec:
  provider: twin
  brake: {least: 3, deleteShare: 25%}
  fencing: {lease: {path: /srv/leases}}
  hosts:
    - {name: a, capacity: {memory: 64Gi, cpus: 32}}
    - {name: b, capacity: {memory: 64Gi, cpus: 32}}
    - {name: c, capacity: {memory: 64Gi, cpus: 32}}
---
apiVersion: frota.dev/v1alpha1
kind: Cluster
metadata: {name: east}
spec:
  provider: twin
  hostGroup: g
  controlPlane: {count: 3, vmSize: {memory: 2Gi, cpus: 1}}
  nodePools:
    - {name: web, count: 9, vmSize: {memory: 2Gi, cpus: 1}}
    - {name: db, count: 4, vmSize: {memory: 2Gi, cpus: 1}}
"""
_HOUR = 3600.0


@pytest.fixture
def run() -> Run:
    loaded = load([("files.yaml", _FILES)])
    assert not loaded.problems
    made = Run(tuple(resource.document for resource in loaded.resources), 1)
    made.run_until(600.0)
    assert len(made.site.running) == 16
    return made


def later(run: Run, seconds: float) -> None:
    run.run_until(run.world.now + seconds)
    assert not run.checker.found


def conditions(run: Run) -> dict[str, Condition]:
    return {entry.value.type: entry.value for entry in run.store.list(CONDITION)}


def approvals(run: Run) -> list[str]:
    return [entry.name for entry in run.store.list(APPROVAL)]


def reasons(run: Run) -> list[str]:
    return [line.reason for line in run.store.journal(last=10_000)]


def records(run: Run) -> list[Vm]:
    return [entry.value for entry in run.store.list(VM)]


@pytest.mark.parametrize(
    ("scale", "held"),
    [
        ({"web": 6}, False),  # three are never too many
        ({"web": 5}, False),  # four of 16 are the share
        ({"web": 4}, True),
        ({"web": 0}, True),
        ({"web": 7, "db": 2}, False),
        ({"web": 7, "db": 1}, True),  # counted together
        ({"web": 12}, False),
    ],
)
def test_what_is_braked(scale: dict[str, int], held: bool, run: Run) -> None:
    def change(spec: dict[str, Any]) -> None:
        for pool in spec["nodePools"]:
            pool["count"] = scale.get(pool["name"], pool["count"])

    operator.change_cluster(run, change)
    later(run, _HOUR)
    assert ("DeletionsBraked" in conditions(run)) is held
    wanted = 16 if held else 3 + sum({"web": 9, "db": 4, **scale}.values())
    assert len(run.site.running) == wanted
    assert all(vm.wanted for vm in records(run))


def test_a_dropped_cluster_waits_and_says_why(run: Run) -> None:
    run.write(CLUSTER, "east", None)
    later(run, _HOUR)
    held = conditions(run)["DeletionsBraked"]
    digest = deletion_hash(vm.name for vm in records(run))
    assert held.plan == digest
    assert held.message == (
        "16 of 16 VMs would be deleted (all 3 of east-control-plane, all 4 of east-db, all 9 of "
        "east-web), more than the brake allows; nothing is deleted. To go on: frota approve g "
        f"{digest}"
    )
    assert len(run.site.running) == 16
    assert reasons(run).count("DeletionsBraked") == 1
    perform(run, "approve", {"what": "deletions"})
    later(run, _HOUR)
    assert not run.site.running
    assert not conditions(run)
    assert not approvals(run)
    assert {
        line.cause_id for line in run.store.journal(last=10_000) if "Braked" in line.reason
    } == {line.cause_id for line in run.store.journal(last=10_000) if line.reason == "ScaledDown"}


@pytest.mark.parametrize("whole", [True, False])
def test_what_is_held_is_kept_alive(whole: bool, run: Run) -> None:
    if whole:  # as frota delete does
        run.write(FORMER, "g/east", run.document(CLUSTER, "east"))
        run.write(CLUSTER, "east", None)
    else:
        operator.delete_pool(run, "web")
    later(run, 60.0)
    run.kill_controller()
    perform(run, "crash", {"hosts": ["a"]})
    later(run, 600.0)
    assert len(run.site.running) == 16
    assert all("a" not in hosts for hosts in run.site.running.values())
    perform(run, "approve", {"what": "deletions"})
    later(run, 600.0)
    assert len(run.site.running) == (0 if whole else 7)
    assert not run.store.list(FORMER)


def test_the_journal_says_where_the_disk_of_a_deleted_vm_is(run: Run) -> None:
    group, cluster = run.document(GROUP, "g"), run.document(CLUSTER, "east")
    run.write(GROUP, "g", {**group, "spec": {**group["spec"], "storage": {"disks": "/srv"}}})
    pools = [pool for pool in cluster["spec"]["nodePools"] if pool["name"] == "db"]
    few = [{**pool, "count": 3} for pool in pools]
    for document in (few, []):  # first one VM fewer, then the pool is dropped
        spec = {**cluster["spec"], "template": {"image": "/node.qcow2"}, "nodePools": document}
        web = [pool for pool in cluster["spec"]["nodePools"] if pool["name"] == "web"]
        run.write(CLUSTER, "east", {**cluster, "spec": {**spec, "nodePools": [*web, *document]}})
        later(run, 60.0)
    gone = [line for line in run.store.journal(last=10_000) if line.reason == "Deleted"]
    assert sorted(line.message for line in gone) == [
        f"stopped and gone; its disk is kept: /srv/east-db-{number}.qcow2" for number in range(1, 5)
    ]


def test_what_is_declared_again_is_held_no_longer(run: Run) -> None:
    document = run.document(CLUSTER, "east")
    run.write(CLUSTER, "east", None)
    later(run, 60.0)
    assert conditions(run)
    run.apply(document)
    later(run, 60.0)
    assert not conditions(run)
    assert "Cleared" in reasons(run)
    assert len(run.site.running) == 16
    assert all(not entry.value.deleting for entry in run.store.list("AvailabilitySet"))


def test_another_plan_needs_another_approval(run: Run) -> None:
    operator.scale(run, "web", 0)
    later(run, 60.0)
    first = conditions(run)["DeletionsBraked"].plan
    operator.delete_pool(run, "db")
    perform(run, "approve", {"what": "deletions"})  # of what was held a moment ago
    later(run, 60.0)
    assert conditions(run)["DeletionsBraked"].plan != first
    assert len(run.site.running) == 16
    assert approvals(run) == [f"g/{first}"]
    later(run, APPROVAL_LIFE + 1.0)
    assert approvals(run) == []
    assert "ApprovalExpired" in reasons(run)


@pytest.mark.parametrize("calls", range(12))
def test_an_approved_deletion_survives_the_controller(calls: int, run: Run) -> None:
    operator.delete_pool(run, "web")
    later(run, 60.0)
    perform(run, "kill-controller", {"calls": calls})
    perform(run, "approve", {"what": "deletions"})
    later(run, 600.0)
    assert len(run.site.running) == 7
    assert approvals(run) == []
    assert reasons(run).count("Approved") == 1
    assert not conditions(run)


def test_a_pool_that_returns_before_it_is_gone_is_not_being_deleted(run: Run) -> None:
    pool = {"count": 4, "memory": "2Gi", "cpus": 1}
    operator.delete_pool(run, "db")
    later(run, 0.5)
    operator.add_pool(run, "db", pool)
    later(run, 600.0)
    assert len(run.site.running) == 16
    assert all(not entry.value.deleting for entry in run.store.list("AvailabilitySet"))


def test_an_unmanaged_guest_is_shown_until_it_is_gone(run: Run) -> None:
    machine = run.site.machines["a"]
    run.site.sizes["old-1"] = records(run)[0].size
    run.site.put(machine, Copy("old-1", 1, CopyState.STOPPED))
    run.site.notice(machine)
    later(run, 1000.0)
    found = conditions(run)["UnknownCopies"]
    assert found.subject == "Host/a"
    assert "old-1 (stopped)" in found.message
    assert "virsh undefine" in found.message
    assert "old-1" in machine.copies  # it may be another Frota's
    run.site.drop(machine, "old-1")
    run.site.notice(machine)
    later(run, 1000.0)
    assert not conditions(run)


def test_a_lease_of_no_use_is_a_condition_of_its_host(run: Run) -> None:
    perform(run, "partition", {"hosts": ["b"], "storage": True, "network": False})
    later(run, 2000.0)
    found = conditions(run)["LeaseUnusable"]
    assert found.subject == "Host/b"
    assert "the lease is not renewed. See to `frota host-agent`" in found.message
    perform(run, "heal", {"hosts": ["b"]})
    later(run, 2000.0)
    assert not conditions(run)


def test_a_storm_is_said_and_looked_at_again_by_itself(run: Run) -> None:
    for host in "abc":
        run.site.hang(host)
    later(run, 120.0)
    assert "3 of 3 hosts fell silent together" in conditions(run)["Frozen"].message
    before = run.tally.passes
    later(run, 3600.0)
    assert 4 <= run.tally.passes - before <= 240
    for host in "abc":
        run.site.thaw(host)
    later(run, 600.0)
    assert not conditions(run)


def test_a_drain_that_was_blocked_leaves_no_reason_behind(run: Run) -> None:
    for host in "bc":
        operator.declare_capacity(run, host, {"memory": "12Gi"})
        run.site.resize(host, replace(run.site.machines[host].capacity, memory_mib=12 * 1024))
    perform(run, "drain", {"hosts": ["a"]})
    later(run, 600.0)
    assert any(vm.reason.startswith("DrainBlocked") for vm in records(run))
    perform(run, "resume", {"hosts": ["a"]})
    later(run, 600.0)
    assert [vm.reason for vm in records(run) if vm.reason] == []


def test_what_a_person_asked_for_is_one_story(run: Run) -> None:
    def asked(cause: str, subject: str, text: str) -> None:
        line = Decision(run.clock.now(), "g", cause, Stage.CAUSE, subject, ASKED, text)
        run.store.commit([], [line])

    asked("story-1", "Host/a", "drain")
    perform(run, "drain", {"hosts": ["a"]})
    later(run, 600.0)
    told = {line.reason for line in run.store.journal(cause_id="story-1")}
    assert {ASKED, "Draining", "Live", "Running", "Maintenance"} <= told
    asked("story-2", "Host/a", "resume")
    perform(run, "resume", {"hosts": ["a"]})
    later(run, 600.0)
    told = {line.reason for line in run.store.journal(cause_id="story-2")}
    assert {ASKED, "Recovering", "Up", "Rebalance"} <= told
    asked("story-3", "Cluster/east", "apply")
    perform(run, "scale", {"counts": {"db": 2, "web": 10}})
    later(run, 600.0)
    told = {line.reason for line in run.store.journal(cause_id="story-3")}
    assert {ASKED, "Declared", "Start", "ScaledDown", "Stop", "Deleted"} <= told
    asked("story-4", "AvailabilitySet/east-db", "redeploy")
    perform(run, "redeploy", {"set": "east-db"})
    later(run, 600.0)
    told = {line.reason for line in run.store.journal(cause_id="story-4")}
    assert {ASKED, "SetDeclared", "Declared", "Start", "Stop", "Deleted", "SetDeleted"} <= told


def test_an_approval_of_moves_is_used_up_when_they_begin(run: Run) -> None:
    operator.change_group(run, lambda spec: spec["brake"].update({"share": "10%", "least": 0}))
    perform(run, "crash", {"hosts": ["a"]})
    later(run, 600.0)
    perform(run, "boot", {"hosts": ["a"]})
    later(run, 600.0)
    held = conditions(run)["MovesBraked"]
    assert "5 of 16 VMs would move" in held.message
    assert run.moves() == 0
    run.kill_controller()
    later(run, 2000.0)
    assert conditions(run)["MovesBraked"] == held  # the same one, since the same time
    assert reasons(run).count("MovesBraked") == 1
    perform(run, "approve", {"what": "moves"})
    later(run, 600.0)
    assert run.moves() == 5
    assert not conditions(run)
    assert not approvals(run)
    assert {"Rebalance", "Approved", "MovesBraked", "Cleared", "Live"} <= {
        line.reason for line in run.store.journal(cause_id=held.cause_id, last=1000)
    }

"""drain, resume, host, redeploy, halt, approve: intents written with compare-and-set."""

from __future__ import annotations

from dataclasses import replace

import pytest

from frota.cli import writing
from frota.cli.outcome import Failure
from frota.model.condition import Condition
from frota.model.host import Host, HostState, Intent
from frota.ports.store import Write
from frota.store.guard import Guard
from frota.store.sqlite import SqliteStore
from tests.cli.conftest import GROUP, Frota

B = "plant-east/b"


def test_drain_and_resume(frota: Frota) -> None:
    ended = frota("drain", "b")
    assert (ended.code, ended.out) == (0, "host plant-east/b will be drained\n")
    assert "no controller runs on this store" in ended.err
    assert frota.entry("Host", B).value.intent is Intent.DRAINED
    assert frota("drain", B).out == "host plant-east/b is to be drained already\n"
    ended = frota("resume", "b", "--output", "json")
    assert ended.data == {"subject": "Host/plant-east/b", "action": "resume", "changed": True}
    assert frota.entry("Host", B).value.intent is Intent.ACTIVE
    story = frota("explain", "host/b").out
    assert "Asked  drain, by " in story
    assert "Asked  resume, by " in story


def test_nothing_is_said_of_controllers_while_one_runs(frota: Frota) -> None:
    with Guard(frota.store, "frota up", 1_000_000.0):
        assert frota("drain", "b").err == ""


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("drain", "bb"), 4, "there is no Host bb; did you mean b?"),
        (("halt", "east-web"), 4, "did you mean east-web-1?"),
        (("redeploy", "east-wbe"), 4, "did you mean east-web?"),
        (("host", "declare-dead", "b", "--yes"), 1, "only a silent host (Suspect, Isolated"),
        (("host", "clear", "b"), 1, "host plant-east/b is not in quarantine: Up"),
        (("approve", GROUP, "abc"), 4, "no plan of plant-east with hash abc is held; none is held"),
        (("approve", "plant", "abc"), 4, "did you mean plant-east?"),
    ],
)
def test_what_cannot_be_is_refused(
    words: tuple[str, ...], code: int, said: str, frota: Frota
) -> None:
    ended = frota(*words)
    assert ended.code == code
    assert said in ended.err


def test_a_declared_host_without_a_record_waits_for_a_controller(empty: Frota) -> None:
    from tests.cli.conftest import EXAMPLE

    empty("apply", str(EXAMPLE))
    ended = empty("drain", "b")
    assert ended.code == 1
    assert "no controller has taken it on yet" in ended.err


def test_removal_says_what_it_means_and_asks(frota: Frota) -> None:
    ended = frota("host", "remove", "b", "--dry-run")
    assert ended.code == 0
    assert "it is drained first: 3 VMs leave it" in ended.out
    assert "set east-web loses host/b and becomes Unhealthy" in ended.out
    assert "frota redeploy east-web" in ended.out
    data = frota("host", "remove", "b", "--dry-run", "--output", "json").data
    assert {item["set"] for item in data["setsUnhealthy"]} == {
        "east-control-plane", "east-models", "east-web",
    }  # fmt: skip
    refused = frota("host", "remove", "b")
    assert refused.code == 1
    assert "confirm it with --yes" in refused.err
    assert frota.entry("Host", B).value.intent is Intent.ACTIVE
    assert frota("host", "remove", "b", "--yes").code == 0
    assert frota.entry("Host", B).value.intent is Intent.REMOVED
    assert "is being removed; first: frota resume" in frota("drain", "b").err


def test_the_last_host_is_not_removed(frota: Frota) -> None:
    def gone(host: Host) -> Host:
        return replace(host, state=HostState.REMOVED)

    for name in ("plant-east/a", "plant-east/c"):
        frota.change("Host", name, gone)
    ended = frota("host", "remove", "b", "--yes")
    assert ended.code == 1
    assert "is the last of its group" in ended.err
    assert "was removed already" in frota("host", "remove", "a", "--yes").err


@pytest.mark.parametrize("state", [HostState.SUSPECT, HostState.ISOLATED, HostState.FENCING])
def test_a_silent_host_is_declared_dead(state: HostState, frota: Frota) -> None:
    frota.change("Host", B, lambda host: replace(host, state=state))
    asked = frota("host", "declare-dead", "b")
    assert asked.code == 1
    assert "two copies of a VM write to one disk" in asked.err
    ended = frota("host", "declare-dead", "b", "--yes")
    assert ended.code == 0
    host = frota.entry("Host", B).value
    assert host.declared_dead == host.incarnation != ""


def test_quarantine_is_cleared(frota: Frota) -> None:
    frota.change("Host", B, lambda host: replace(host, state=HostState.QUARANTINED))
    assert frota("host", "clear", "b").code == 0
    assert frota.entry("Host", B).value.cleared


def test_a_host_is_added_as_a_file_would(frota: Frota) -> None:
    add = ("host", "add", GROUP, "d")
    ended = frota(*add, "--memory", "64GB", "--cpus", "8")
    assert ended.code == 2
    assert "spec.hosts[3].capacity.memory: expected" in ended.err
    assert "write 64Gi" in ended.err
    ended = frota(*add, "--memory", "64Gi", "--cpus", "8", "--rack", "r1")
    assert ended.code == 2
    assert "rack r1 is not declared" in ended.err
    ended = frota(*add, "--memory", "64Gi", "--cpus", "8", "--gpu", "A100")
    assert "--gpu: expected MODEL=N" in ended.err
    full = (
        *add,
        "--memory",
        "64Gi",
        "--cpus",
        "8",
        "--gpu",
        "A100=2",
        "--rack",
        "r1",
        "--new-rack",
    )
    assert "(dry run: nothing was changed)" in frota(*full, "--dry-run").out
    assert len(frota.entry("HostGroup", GROUP).value["spec"]["hosts"]) == 3
    assert frota(*full).code == 0
    spec = frota.entry("HostGroup", GROUP).value["spec"]
    assert spec["hosts"][3]["capacity"]["gpus"] == [{"model": "A100", "count": 2}]
    assert spec["racks"] == [{"name": "r1"}]
    assert "is in the group already" in frota(*full).err


def test_redeploy_halt_and_unhalt(frota: Frota) -> None:
    assert frota("redeploy", "east-web").code == 0
    assert frota.entry("AvailabilitySet", "plant-east/east-web").value.redeploy
    assert frota("halt", "east-web-1").code == 0
    assert frota.entry("VirtualMachine", "plant-east/east-web-1").value.halted
    assert frota("halt", "east-web-1").out.endswith("halted\n")
    assert frota("unhalt", "plant-east/east-web-1").code == 0
    assert not frota.entry("VirtualMachine", "plant-east/east-web-1").value.halted


def held(frota: Frota, digest: str, cause: str = "") -> None:
    """Have a plan held, as a controller would."""
    text = f"9 of 9 VMs would move; nothing moves. To go on: frota approve {GROUP} {digest}"
    found = Condition(f"HostGroup/{GROUP}", "MovesBraked", text, 1.0, cause, digest)
    store = SqliteStore(frota.store)
    store.commit([Write("Condition", f"{GROUP}/{found.name}", found, 0)])
    store.close()


def test_a_held_plan_is_approved_by_its_hash(frota: Frota) -> None:
    assert "none is held" in frota("approve", GROUP, "1f2f").err
    held(frota, "1f2e", "held-story")
    assert "; held: 1f2e" in frota("approve", GROUP, "1f2f").err
    assert frota("approve", GROUP, "1f2e").code == 0
    assert frota.entry("Approval", "plant-east/1f2e").value["at"] > 0
    assert "was already approved" in frota("approve", GROUP, "1f2e").out
    asked = frota("get", "decisions", "held-story", "--output", "json").data
    assert asked[-1]["message"].startswith("approve plan 1f2e")


def test_conditions_are_shown_where_one_looks(frota: Frota) -> None:
    held(frota, "1f2e")
    lease = Condition("Host/b", "LeaseUnusable", "see to frota host-agent", 1.0)
    store = SqliteStore(frota.store)
    store.commit([Write("Condition", f"{GROUP}/{lease.name}", lease, 0)])
    store.close()
    text = "LeaseUnusable: see to frota host-agent"
    assert text in frota("get", "hosts").out
    assert "see to frota host-agent" in frota("describe", "host", "b").out
    assert f"now: {text}" in frota("explain", "host/b").out
    assert f"now: {text}" not in frota("explain", "host/a").out
    assert "now: MovesBraked: 9 of 9" in frota("explain", f"hostgroup/{GROUP}").out
    assert "MovesBraked: 9 of 9 VMs would move" in frota("get", "hostgroups").out
    host = frota("get", "host", "b", "--output", "json").data
    assert [c["type"] for c in host["status"]["conditions"]] == ["LeaseUnusable"]
    group = frota("get", "hostgroup", GROUP, "--output", "json").data
    assert [c["plan"] for c in group["status"]["conditions"]] == ["1f2e"]
    assert "plan: 1f2e" in frota("describe", "hostgroup", GROUP).out


def test_what_is_asked_of_a_vm_or_a_silent_host_belongs_to_its_story(frota: Frota) -> None:
    frota("halt", "east-web-1")
    asked = frota("events", "--last", "1", "--output", "json").data[-1]
    assert frota.entry("VirtualMachine", "plant-east/east-web-1").value.cause_id == asked["causeId"]
    frota.change(
        "Host",
        B,
        lambda host: replace(host, state=HostState.FENCING, cause_id="its-silence"),
    )
    frota("host", "declare-dead", "b", "--yes")
    asked = frota("events", "--last", "1", "--output", "json").data[-1]
    assert asked["causeId"] == "its-silence"


def test_an_edit_is_tried_again_when_somebody_wrote_meanwhile(frota: Frota) -> None:
    store = SqliteStore(frota.store)
    calls = 0

    def change(host: Host) -> Host:
        nonlocal calls
        calls += 1
        if calls == 1:  # the controller is faster, once
            frota.change("Host", B, lambda old: replace(old, reason="written meanwhile"))
        return replace(host, intent=Intent.DRAINED)

    assert writing.edit(store, "Host", B, change, "drain")
    store.close()
    host = frota.entry("Host", B).value
    assert calls == 2
    assert (host.intent, host.reason) == (Intent.DRAINED, "written meanwhile")


def test_an_edit_does_not_try_for_ever(frota: Frota) -> None:
    store = SqliteStore(frota.store)
    calls = 0

    def change(host: Host) -> Host:
        nonlocal calls
        calls += 1
        frota.change("Host", B, lambda old: replace(old, reason=str(calls)))
        return replace(host, intent=Intent.DRAINED)

    with pytest.raises(Failure, match="written by others all the time") as failure:
        writing.edit(store, "Host", B, change, "drain")
    store.close()
    assert failure.value.code == 3

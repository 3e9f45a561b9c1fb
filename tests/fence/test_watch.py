"""The controller's rounds on a real directory, in virtual time."""

from __future__ import annotations

from pathlib import Path

import pytest

from frota.drivers.fence.lease.observer import Finding
from frota.drivers.fence.lease.records import Order, Terms, Verb
from frota.drivers.fence.lease.space import MARKER, Space
from frota.drivers.fence.lease.watch import SETTLE, LeaseWatch
from tests.fence.arrangement import TERMS, Arrangement, ManualClock


@pytest.fixture
def group(tmp_path: Path) -> Arrangement:
    return Arrangement(tmp_path, devices=False, leases=True)


def order(group: Arrangement, host: str = "a") -> Order | None:
    return group.space.order(host, group.space.marker().space)


def verb(group: Arrangement) -> Verb | None:
    found = order(group)
    return None if found is None else found.verb


def problem(group: Arrangement, host: str = "") -> str:
    assert group.watch is not None
    return group.watch.problem(host)


def test_all_is_well(group: Arrangement) -> None:
    group.settle(120)
    assert problem(group) == ""
    assert problem(group, "a") == ""
    assert order(group) is None


def test_a_kill_writes_an_order_and_forgetting_takes_it_back(group: Arrangement) -> None:
    group.fence.kill("a", "a-1")
    group.settle(3)
    assert verb(group) is Verb.FENCE
    assert not group.runs_vms("a")
    assert "fenced" in problem(group, "a")
    group.fence.forget("a")
    group.settle(3)
    assert verb(group) is Verb.RESUME
    assert problem(group, "a") == ""


def test_an_agent_that_dies_shows_and_is_noted(group: Arrangement) -> None:
    group.kill_agent("a")
    group.settle(30)
    assert "not renewed for" in problem(group, "a")
    note = order(group)
    assert note is not None
    assert note.verb is Verb.NONE
    assert note.distrusted > 0


def test_a_note_outlives_the_controller(group: Arrangement) -> None:
    group.kill_agent("a")
    group.settle(30)
    group.fence = group.controller()
    group.fence.kill("a", "a-1")
    group.settle(60)
    assert group.runs_vms("a")
    verdict = group.fence.verdict("a", "a-1")
    assert verdict.state == "failed"
    assert "stopped renewing while the host was in service" in verdict.message
    note = order(group)
    assert note is not None
    assert note.verb is Verb.FENCE
    assert note.distrusted > 0


def test_after_a_restart_an_order_stands_for_a_while(group: Arrangement) -> None:
    group.fence.kill("a", "a-1")
    group.settle(3)
    group.fence = group.controller()
    group.settle(SETTLE - 5)
    assert verb(group) is Verb.FENCE
    group.settle(10)
    assert verb(group) is Verb.RESUME


def test_after_a_restart_what_is_asked_again_stays_ordered(group: Arrangement) -> None:
    group.fence.kill("a", "a-1")
    group.settle(3)
    group.fence = group.controller()
    group.fence.kill("a", "a-1")
    group.settle(SETTLE + 30)
    assert verb(group) is Verb.FENCE
    assert group.fence.verdict("a", "a-1").method == "lease-ack"


def test_a_directory_that_cannot_be_read_proves_nothing(group: Arrangement) -> None:
    hidden = group.space.path.rename(group.root / "hidden")
    group.cut("a")
    group.fence.kill("a", "a-1")
    group.settle(20)
    assert group.fence.verdict("a", "a-1").state == "working"
    group.settle(40)
    verdict = group.fence.verdict("a", "a-1")
    assert verdict.state == "failed"
    assert "No such file" in verdict.message
    assert "No such file" in problem(group)
    hidden.rename(group.space.path)
    group.settle(24)
    assert group.fence.verdict("a", "a-1").state == "working"
    group.settle(4)
    assert group.fence.verdict("a", "a-1").state == "proved"


def test_an_empty_mount_point_is_made_anew_and_proves_nothing(group: Arrangement) -> None:
    group.space.path.rename(group.root / "hidden")
    group.space.path.mkdir()
    group.machines["a"].storage = group.machines["b"].storage = False
    group.fence.kill("a", "a-1")
    group.settle(60)
    assert group.fence.verdict("a", "a-1").state == "failed"


def test_a_garbled_slot_proves_nothing(group: Arrangement) -> None:
    group.cut("a")
    group.fence.probe("a", "a-1")
    (group.space.path / "a.slot").write_bytes(b'{"host": "a"')
    group.settle(60)
    assert group.fence.verdict("a", "a-1").state != "proved"
    assert "not a record of the kind Slot" in problem(group, "a")


def test_a_garbled_order_is_replaced(group: Arrangement) -> None:
    (group.space.path / "a.order").write_bytes(b"\0" * 100)
    group.fence = group.controller()
    group.settle(1)
    group.fence.kill("a", "a-1")
    group.settle(3)
    assert verb(group) is Verb.FENCE
    assert not group.runs_vms("a")


def test_terms_of_the_directory_hold_and_others_are_told_of(tmp_path: Path) -> None:
    space = Space(tmp_path)
    space.make(TERMS)
    clock = ManualClock()
    watch = LeaseWatch(space, Terms(lease=60), clock, ["a"])
    watch.round()
    assert "was made for leases of 20 s" in watch.problem()


def test_no_agent_no_help(tmp_path: Path) -> None:
    space = Space(tmp_path)
    clock = ManualClock()
    watch = LeaseWatch(space, TERMS, clock, ["a"])
    assert watch.problem() == "the directory was not read yet"
    watch.ask("a", "life", fence=True)
    watch.round()
    evidence = watch.evidence("a", "life")
    assert evidence is not None
    assert evidence.finding is Finding.USELESS
    assert watch.problem("a") == "no host agent has written a lease"
    assert (tmp_path / MARKER).exists()


def test_a_change_is_told_once(group: Arrangement) -> None:
    assert group.watch is not None
    told: list[float] = []
    group.watch.on_change(lambda: told.append(group.clock.at))
    group.cut("a")
    group.fence.probe("a", "a-1")
    group.settle(60)
    # When its lease was late, and when that was proof; not every second before.
    assert len(told) == 2


def test_the_thread_does_rounds_until_closed(tmp_path: Path) -> None:
    watch = LeaseWatch(Space(tmp_path), TERMS, ManualClock(), ["a"])
    watch.start()
    watch.ask("a", "life", fence=False)
    watch.close()
    assert (tmp_path / MARKER).exists()

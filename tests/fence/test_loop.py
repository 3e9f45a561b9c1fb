"""The host agent's loop on a real directory, in virtual time."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from frota.drivers.fence.host.memory import Place
from frota.drivers.fence.lease.holder import Memory, Phase, Refused
from frota.drivers.fence.lease.records import Cause, Slot, Standing
from tests.fence.arrangement import TERMS, Arrangement


@pytest.fixture
def group(tmp_path: Path) -> Arrangement:
    return Arrangement(tmp_path, devices=False, leases=True)


def slot(group: Arrangement) -> Slot:
    found = group.space.slot("a", group.space.marker().space)
    assert found is not None
    return found


def phase(group: Arrangement) -> Phase:
    return group.holders["a"].phase


def test_it_renews_every_five_seconds(group: Arrangement) -> None:
    seen = set()
    for _ in range(60):
        group.settle(1)
        seen.add(slot(group).counter)
    assert 12 <= len(seen) <= 13


def test_a_hung_write_does_not_stop_the_killing(group: Arrangement) -> None:
    group.machines["a"].storage = False
    group.settle(19)
    assert group.runs_vms("a")
    group.settle(3)
    assert not group.runs_vms("a")


def test_after_storage_came_back_vms_may_run_again(group: Arrangement) -> None:
    group.machines["a"].storage = False
    group.settle(30)
    group.machines["a"].storage = True
    group.settle(3)
    assert slot(group).standing is Standing.GUARDING
    group.machines["a"].vm = True
    group.settle(60)
    assert group.runs_vms("a")


def test_vms_that_appear_on_a_fenced_host_are_ended(group: Arrangement) -> None:
    group.fence.kill("a", "a-1")
    group.settle(5)
    for _ in range(3):
        group.machines["a"].vm = True
        group.settle(2)
        assert not group.runs_vms("a")


def test_vms_that_cannot_be_ended_are_not_acknowledged(group: Arrangement) -> None:
    group.machines["a"].unkillable = True
    group.fence.kill("a", "a-1")
    group.settle(30)
    assert slot(group).standing is Standing.ENDING
    assert group.fence.verdict("a", "a-1").state == "working"
    assert any("may still run: vm" in line for line in group.said)
    group.machines["a"].unkillable = False
    group.settle(3)
    assert group.fence.verdict("a", "a-1").method == "lease-ack"


def test_a_killed_agent_goes_on_where_it_was(group: Arrangement) -> None:
    before = group.holders["a"].incarnation
    group.kill_agent("a")
    group.settle(15)
    group.start_agent("a")
    group.settle(1)
    assert group.holders["a"].incarnation == before
    assert group.runs_vms("a")


def test_an_agent_restarted_too_late_ends_the_vms(group: Arrangement) -> None:
    before = group.holders["a"].incarnation
    group.kill_agent("a")
    group.settle(21)
    assert group.runs_vms("a")
    group.start_agent("a")
    group.settle(1)
    assert not group.runs_vms("a")
    group.settle(3)
    assert group.holders["a"].incarnation != before


def test_an_agent_restarted_while_storage_hangs_keeps_the_deadline(group: Arrangement) -> None:
    group.machines["a"].storage = False
    group.settle(10)
    group.kill_agent("a")
    group.start_agent("a")
    group.settle(5)
    assert group.runs_vms("a")
    group.settle(7)
    assert not group.runs_vms("a")


def test_a_second_agent_of_a_host_refuses_to_run(group: Arrangement) -> None:
    first = group.agents["a"]
    group.start_agent("a")
    second = group.agents.pop("a")
    group.agents["a"] = first

    def both() -> None:
        for _ in range(60):
            group.settle(0.25)
            second.step(0)

    with pytest.raises(Refused, match="another agent of this host runs"):
        both()
    assert group.runs_vms("a")


def test_two_machines_with_one_name(group: Arrangement, tmp_path: Path) -> None:
    """The later one refuses; the first one does not notice."""
    group.machines["a"].life = 9
    first = group.agents["a"]
    identity = group.holders["a"].identity
    group.start_agent("a")
    second, holder = group.agents.pop("a"), group.holders["a"]
    holder.identity = type(identity)("a", identity.space, "another machine", "boot-9")
    group.agents["a"] = first

    def both() -> None:
        for _ in range(60):
            group.settle(0.25)
            second.step(0)

    with pytest.raises(Refused, match="another machine"):
        both()
    assert group.runs_vms("a")


def test_a_slot_taken_by_another_machine_is_not_written(group: Arrangement) -> None:
    thief = slot(group)
    group.space.write(replace(thief, machine="thief", boot="x"))
    group.settle(10)
    assert slot(group).machine == "thief"
    assert any("another machine writes the slot" in line for line in group.said)
    group.settle(15)
    assert not group.runs_vms("a")


def test_a_garbled_slot_is_mended(group: Arrangement) -> None:
    (group.space.path / "a.slot").write_bytes(b"\0" * 500)
    group.settle(8)
    assert slot(group).standing is Standing.GUARDING
    assert group.runs_vms("a")


def test_a_garbled_order_ends_nothing(group: Arrangement) -> None:
    (group.space.path / "a.order").write_bytes(b'{"verb": "fence"}')
    group.settle(60)
    assert group.runs_vms("a")
    assert any("not a record of the kind Order" in line for line in group.said)


def test_a_directory_mounted_over_is_not_written(group: Arrangement) -> None:
    hidden = group.space.path.rename(group.root / "hidden")
    group.space.path.mkdir()
    group.settle(22)
    assert not group.runs_vms("a")
    assert hidden.is_dir()
    assert not list(group.space.path.glob("*.slot"))


# Memory.


def test_memory_is_kept_and_garbage_is_none(tmp_path: Path) -> None:
    place = Place(tmp_path / "run", "a")
    memory = Memory("s", "b", "b.1", 7, Phase.GUARDING, Cause.NONE, TERMS)
    assert place.load() is None
    assert place.save(memory) == ""
    assert place.load() == memory
    (tmp_path / "run" / "agent-a.json").write_text("{")
    assert place.load() is None
    place.close()


def test_memory_that_cannot_be_kept_is_told(tmp_path: Path) -> None:
    place = Place(tmp_path / "run", "a")
    (tmp_path / "run" / "agent-a.new").mkdir()
    said = place.save(Memory("s", "b", "b.1", 7, Phase.GUARDING, Cause.NONE, TERMS))
    assert "will ask storage instead" in said
    place.close()


def test_one_agent_at_a_time(tmp_path: Path) -> None:
    first, second = Place(tmp_path, "a"), Place(tmp_path, "a")
    assert first.alone()
    assert not second.alone()
    first.close()
    assert second.alone()
    second.close()

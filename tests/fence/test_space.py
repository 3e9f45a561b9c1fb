"""The shared directory: whole files, whatever others have put there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from frota.drivers.fence.lease.records import Garbled, Order, Terms, Verb
from frota.drivers.fence.lease.space import MARKER, Space, SpaceError
from tests.fence.test_records import SLOT


@pytest.fixture
def space(tmp_path: Path) -> Space:
    made = Space(tmp_path)
    made.make(Terms(lease=10), lambda: "s")
    return made


def test_the_first_marker_stays(space: Space) -> None:
    assert space.make(Terms(), lambda: "other") == space.marker()
    assert (space.marker().space, space.marker().terms.lease) == ("s", 10)


def test_an_empty_mount_point_is_not_taken_for_the_directory(tmp_path: Path) -> None:
    with pytest.raises(SpaceError, match="not mounted here"):
        Space(tmp_path).marker()
    with pytest.raises(SpaceError, match="not mounted here"):
        Space(tmp_path / "nowhere").marker()
    with pytest.raises(SpaceError, match="No such file"):
        Space(tmp_path / "nowhere").make(Terms())


def test_a_slot_is_replaced_as_a_whole(space: Space) -> None:
    assert space.slot("a", "s") is None
    space.write(SLOT)
    assert space.slot("a", "s") == SLOT
    assert sorted(os.listdir(space.path)) == ["a.slot", MARKER]


def test_a_draft_left_behind_is_no_hindrance(space: Space) -> None:
    draft = space.path / ".a.slot.new"
    draft.write_text("left by one that was killed")
    late = draft.open("a")
    space.write(SLOT)
    with late:
        late.write("x" * 9000)  # a write of then that storage had kept back
    assert space.slot("a", "s") == SLOT


def test_an_order_is_kept(space: Space) -> None:
    order = Order("a", "s", "b.1", Verb.FENCE)
    space.write(order)
    assert space.order("a", "s") == order
    assert space.order("b", "s") is None


def test_records_of_others_are_garbled(space: Space) -> None:
    space.write(SLOT)
    with pytest.raises(Garbled, match="another host or directory"):
        space.slot("a", "another")
    (space.path / "a.slot").rename(space.path / "b.slot")
    with pytest.raises(Garbled, match="another host or directory"):
        space.slot("b", "s")


def test_hostile_files_are_errors(space: Space, tmp_path: Path) -> None:
    slot = space.path / "a.slot"
    slot.symlink_to(space.path / MARKER)
    with pytest.raises(SpaceError):
        space.slot("a", "s")
    slot.unlink()
    os.mkfifo(slot)
    with pytest.raises(Garbled, match="regular file"):
        space.slot("a", "s")
    slot.unlink()
    slot.mkdir()
    with pytest.raises(Garbled, match="regular file"):
        space.slot("a", "s")
    slot.rmdir()
    with slot.open("wb") as handle:
        handle.truncate(1 << 40)  # a terabyte of nothing
    with pytest.raises(Garbled, match="more than 4096 bytes"):
        space.slot("a", "s")


def test_a_full_disk_leaves_the_old_slot(space: Space) -> None:
    space.write(SLOT)
    (space.path / ".a.slot.new").mkdir()  # the draft cannot be made
    with pytest.raises(SpaceError):
        space.write(SLOT)
    assert space.slot("a", "s") == SLOT

"""A directory as an object store, also against those who may write beside it."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from frota.drivers.objects.directory import DirectoryBlobs
from frota.ports.blobs import BlobDenied, BlobError, Blobs
from tests.contract.blobs import BlobsContract
from tests.pull.users import EAST, HUB, WEST, as_user, require_root


class TestDirectory(BlobsContract):
    @pytest.fixture
    def blobs(self, tmp_path: Path) -> Blobs:
        return DirectoryBlobs(tmp_path / "container")


def test_links_and_pipes_are_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("of somebody else")
    root = tmp_path / "container"
    root.mkdir()
    (root / "link").symlink_to(secret)
    os.mkfifo(root / "pipe")
    (root / "folder").mkdir()
    blobs = DirectoryBlobs(root)
    for name, why in (("link", "it is a link"), ("pipe", "plain file"), ("folder", "plain file")):
        with pytest.raises(BlobError, match=why):
            blobs.get(name, 100)


def test_a_link_is_replaced_not_written_through(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("as it was")
    root = tmp_path / "container"
    root.mkdir()
    (root / "status").symlink_to(other)
    DirectoryBlobs(root).put("status", b"new")
    assert other.read_text() == "as it was"
    assert not (root / "status").is_symlink()


def test_what_a_killed_writer_left_is_used_up(tmp_path: Path) -> None:
    (tmp_path / ".unfinished").write_bytes(b"half of a long tex")
    blobs = DirectoryBlobs(tmp_path)
    blobs.put("head", b"new")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["head"]
    assert list(blobs.list("bundles", 10)) == []


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """Two directories for each cluster, with the owners of docs/pull.md."""
    require_root()
    for place in (tmp_path, *tmp_path.parents):
        place.chmod(place.stat().st_mode | 0o011)  # pytest closes its directories to others
    for cluster, agent in (("east", EAST), ("west", WEST)):
        for end, owner, group in (("bundles", HUB, agent), ("status", agent, HUB)):
            path = tmp_path / f"{cluster}-{end}"
            path.mkdir()
            os.chown(path, owner, group)
            path.chmod(stat.S_ISGID | stat.S_IRWXU | stat.S_IRGRP | stat.S_IXGRP)
    return tmp_path


def test_users_do_what_is_theirs_and_nothing_else(shared: Path) -> None:
    def at(user: int, name: str, act: Callable[[DirectoryBlobs], object]) -> object:
        return as_user(user, lambda: act(DirectoryBlobs(shared / name)))

    def read(key: str) -> Callable[[DirectoryBlobs], object]:
        return lambda blobs: getattr(blobs.get(key, 10), "data", None)

    for name in ("east-bundles", "west-bundles"):
        assert isinstance(at(HUB, name, lambda blobs: blobs.put("head", b"h")), str)
        assert isinstance(at(HUB, name, lambda blobs: blobs.add("bundles/a", b"b")), str)

    # The agent of east reads its own bundles and writes its own status.
    assert at(EAST, "east-bundles", read("head")) == b"h"
    assert at(EAST, "east-bundles", read("bundles/a")) == b"b"
    assert isinstance(at(EAST, "east-status", lambda blobs: blobs.put("status", b"s")), str)
    assert at(HUB, "east-status", read("status")) == b"s"

    denied = [
        at(EAST, "west-bundles", read("head")),
        at(EAST, "west-bundles", read("bundles/a")),
        at(EAST, "west-bundles", lambda blobs: blobs.list("bundles", 10)),
        at(EAST, "west-status", read("status")),
        at(EAST, "west-status", lambda blobs: blobs.put("status", b"lie")),
        at(EAST, "west-status", lambda blobs: blobs.delete("status")),
        at(EAST, "east-bundles", lambda blobs: blobs.put("head", b"mine")),
        at(EAST, "east-bundles", lambda blobs: blobs.add("bundles/z", b"mine")),
        at(EAST, "east-bundles", lambda blobs: blobs.delete("head")),
        at(HUB, "east-status", lambda blobs: blobs.put("status", b"feigned")),
    ]
    assert [type(one) for one in denied] == [BlobDenied] * len(denied)

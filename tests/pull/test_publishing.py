"""What the control plane writes, in which order, and what it makes of what it finds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from frota.controllers.publishing import agent_status, publish, tidy
from frota.drivers.objects.directory import DirectoryBlobs
from frota.model.bundle import AgentStatus, Position
from frota.planners.agentstatus import write_status
from frota.planners.bundles import opened, pack, seal, unpack
from frota.planners.bundlestore import HEAD, bundle_key, places
from frota.planners.publication import Stamp
from frota.ports.blobs import BlobError, BlobTaken
from tests.pull.doubles import MemoryBlobs, bundle, signer, well

STAMP = Stamp(signer(1), 1_700_000_000)


def test_the_first_and_the_same_again() -> None:
    blobs = MemoryBlobs()
    first = publish(blobs, bundle("a"), STAMP)
    assert (first.position, first.changed) == (Position(0, 1), True)
    envelope, _ = opened(blobs.objects[HEAD].data, [signer(1).public])
    assert unpack(blobs.objects[bundle_key(envelope.digest)].data, envelope) == bundle("a")
    puts = blobs.puts
    again = publish(blobs, bundle("a"), Stamp(signer(1), 1_800_000_000))
    assert (again.position, again.changed, blobs.puts) == (Position(0, 1), False, puts)


def test_each_change_has_the_next_number_also_back_to_what_was() -> None:
    blobs = MemoryBlobs()
    for number, name in enumerate("aba", start=1):
        assert publish(blobs, bundle(name), STAMP).position == Position(0, number)


def test_a_store_that_was_set_back_does_not_set_the_count_back() -> None:
    blobs = MemoryBlobs()
    publish(blobs, bundle("a"), STAMP)
    old = dict(blobs.objects)
    known = publish(blobs, bundle("b"), STAMP).position
    blobs.objects = old
    assert publish(blobs, bundle("b"), STAMP, known).position == Position(0, 3)
    blobs.objects.clear()
    assert publish(blobs, bundle("b"), STAMP, Position(0, 3)).position == Position(0, 4)
    blobs.objects = old
    found = publish(blobs, bundle("a"), STAMP, Position(0, 4))
    assert (found.position, found.changed) == (Position(0, 5), True)


def test_a_rollback_order_begins_anew() -> None:
    blobs = MemoryBlobs()
    publish(blobs, bundle("a"), STAMP)
    found = publish(blobs, bundle("a"), Stamp(signer(1), 1, "the store was lost"))
    assert found.position == Position(1, 1)
    assert publish(blobs, bundle("b"), STAMP).position == Position(1, 2)
    envelope, _ = opened(blobs.objects[HEAD].data, [signer(1).public])
    assert envelope.reason == "the store was lost"


def test_a_new_key_signs_anew() -> None:
    blobs = MemoryBlobs()
    publish(blobs, bundle("a"), STAMP)
    found = publish(blobs, bundle("a"), Stamp(signer(2), 1, trusted=(signer(1).public,)))
    assert (found.position, found.changed, found.doubt) == (Position(0, 2), True, "")


@pytest.mark.parametrize("head", [b"", b"{}", b"\xff", b"x" * 20_000])
def test_a_head_that_is_nobodys_is_replaced_and_told(head: bytes) -> None:
    blobs = MemoryBlobs()
    blobs.put(HEAD, head)
    found = publish(blobs, bundle("a"), STAMP, Position(0, 4))
    assert found.position == Position(0, 5)
    assert found.doubt or len(head) > 16_384
    assert opened(blobs.objects[HEAD].data, [signer(1).public])


def test_the_head_of_another_cluster_counts_for_nothing() -> None:
    east, west = MemoryBlobs(), MemoryBlobs()
    publish(west, bundle("a", cluster="west"), STAMP, Position(0, 40))
    east.objects = dict(west.objects)
    found = publish(east, bundle("a"), STAMP)
    assert found.position == Position(0, 1)
    assert "was for cluster west" in found.doubt


def test_a_damaged_bundle_is_put_right() -> None:
    blobs = MemoryBlobs()
    digest = publish(blobs, bundle("a"), STAMP).digest
    blobs.put(bundle_key(digest), b"half")
    assert not publish(blobs, bundle("a"), STAMP).changed
    assert blobs.objects[bundle_key(digest)].data == pack(bundle("a")).text
    blobs.delete(bundle_key(digest))
    publish(blobs, bundle("a"), STAMP)
    assert bundle_key(digest) in blobs.objects


@dataclass
class Dying(MemoryBlobs):
    """Fails at the write with this number, as a process does that is killed there."""

    left: int = 0

    def put(self, key: str, data: bytes, *, expected: str = "") -> str:
        if self.left == 0:
            raise BlobError("killed")
        self.left -= 1
        return super().put(key, data, expected=expected)


@pytest.mark.parametrize("left", [0, 1, 2])
def test_killed_anywhere_the_head_has_its_bundle(left: int) -> None:
    blobs = Dying(left=10)
    publish(blobs, bundle("a"), STAMP)
    blobs.left = left
    try:
        publish(blobs, bundle("b"), STAMP)
    except BlobError:
        assert left < 2
    envelope, _ = opened(blobs.objects[HEAD].data, [signer(1).public])
    assert unpack(blobs.objects[bundle_key(envelope.digest)].data, envelope)
    blobs.left = 10
    assert publish(blobs, bundle("b"), STAMP).position == Position(0, 2)


def test_two_control_planes_do_not_write_over_each_other(tmp_path: Path) -> None:
    class Slow(DirectoryBlobs):
        """Reads the head; then the other one publishes."""

        def add(self, key: str, data: bytes) -> str:
            publish(DirectoryBlobs(tmp_path), bundle("other"), STAMP)
            return super().add(key, data)

    publish(DirectoryBlobs(tmp_path), bundle("a"), STAMP)
    with pytest.raises(BlobTaken):
        publish(Slow(tmp_path), bundle("b"), STAMP)
    assert publish(DirectoryBlobs(tmp_path), bundle("b"), STAMP).position == Position(0, 3)


def test_only_the_newest_bundles_are_kept() -> None:
    blobs = MemoryBlobs()
    digests = [publish(blobs, bundle(f"n{number}"), STAMP).digest for number in range(6)]
    publish(blobs, bundle("n0"), STAMP)
    assert tidy(blobs, digests[0], kept=3) == 2
    left = {key.removeprefix("bundles/") for key in blobs.objects} - {HEAD}
    assert left == {digests[0], *digests[3:]}


STATUS = AgentStatus("acme", "east", 5, "1", 0, 3, "d" * 64, well("r"))


def test_what_an_agent_says() -> None:
    blobs = MemoryBlobs()
    assert agent_status(blobs, "acme", "east") is None
    blobs.put("status", write_status(STATUS))
    assert agent_status(blobs, "acme", "east") == STATUS


def changed(**parts: object) -> bytes:
    return json.dumps({**json.loads(write_status(STATUS)), **parts}).encode()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "not a status"),
        (b"[" * 50_000, "not a status"),
        (changed(sequence="7"), "not a status"),
        (changed(sequence=-1), "numbers that no agent writes"),
        (changed(sequence=2**60), "numbers that no agent writes"),
        (changed(keys=["k"] * 21), "numbers that no agent writes"),
        (changed(cluster="west"), "another cluster's status"),
        (b" " * 70_000, "status"),
    ],
)
def test_what_a_lost_agent_says_is_refused(text: bytes, words: str) -> None:
    blobs = MemoryBlobs()
    blobs.put("status", text)
    with pytest.raises(BlobError, match=words):
        agent_status(blobs, "acme", "east")


def test_words_of_a_lost_agent_are_safe_to_show() -> None:
    blobs = MemoryBlobs()
    blobs.put("status", changed(trouble="\x1b[2J" + "a\n" * 3000, version="\u202e1"))
    found = agent_status(blobs, "acme", "east")
    assert found is not None
    assert found.trouble.isprintable()
    assert found.version.isprintable()
    assert len(found.trouble) <= 500


@pytest.mark.parametrize(
    ("store", "cluster", "bundles"),
    [
        ("file:///srv/frota", "east", "/srv/frota/east-bundles"),
        ("https://acme.blob.core.windows.net/frota", "east", "frota-east-bundles"),
        ("az://acme/frota/", "east", "frota-east-bundles"),
        ("az://acme/frota", "a--b", "frota-a-b-3e8a2570e5c6e60d-bundles"),
        ("http://127.0.0.1:10000/dev/frota", "east", "frota-east-bundles"),
    ],
)
def test_places(store: str, cluster: str, bundles: str) -> None:
    assert places(store, cluster).bundles.name == bundles


def test_names_of_containers_fit_and_differ() -> None:
    names: set[str] = set()
    clusters = ["a", "a-bundles", "a-status", "b" * 63, "b" * 62, "a--b", "a-b", "x-" * 31 + "y"]
    for cluster in clusters:
        for container in places("az://acme/frota", cluster):
            assert 3 <= len(container.name) <= 63
            assert "--" not in container.name
            names.add(container.name)
    assert len(names) == 2 * len(clusters)


@pytest.mark.parametrize(
    "store",
    ["", "file://host/x", "file:///a/../b", "https://acme.example/frota", "https://a.blob.x/b/c",
     "http://acme.blob.core.windows.net/frota", "https://u:p@a.blob.x/b", "az://acme",
     "https://a.blob.x/b?sig=secret"],
)  # fmt: skip
def test_stores_that_are_none(store: str) -> None:
    with pytest.raises(ValueError, match="expected a store such as"):
        places(store, "east")


def test_sealed_text_is_the_same_every_time() -> None:
    envelope, _ = opened(_head(), [signer(1).public])
    assert seal(envelope, signer(1)) == _head()


def _head() -> bytes:
    blobs = MemoryBlobs()
    publish(blobs, bundle("a"), STAMP)
    return blobs.objects[HEAD].data

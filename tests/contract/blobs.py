"""What every implementation of ``frota.ports.blobs.Blobs`` must do.

Subclass ``BlobsContract`` and give a ``blobs`` fixture: an empty container.
"""

from __future__ import annotations

from threading import Thread

import pytest

from frota.ports.blobs import Blob, BlobMissing, Blobs, BlobTaken, BlobTooLarge


class BlobsContract:
    """Bounds, conditions, and what is there after which write."""

    def test_what_is_written_is_read(self, blobs: Blobs) -> None:
        etag = blobs.put("head", b"one")
        assert blobs.get("head", 3) == Blob("head", b"one", etag)

    def test_an_empty_object(self, blobs: Blobs) -> None:
        etag = blobs.put("head", b"")
        assert blobs.get("head", 0) == Blob("head", b"", etag)

    def test_a_get_is_conditional(self, blobs: Blobs) -> None:
        first = blobs.put("head", b"one")
        assert blobs.get("head", 10, unless=first) is None
        second = blobs.put("head", b"two")
        assert second != first
        found = blobs.get("head", 10, unless=first)
        assert found is not None
        assert (found.data, found.etag) == (b"two", second)

    def test_what_is_not_there(self, blobs: Blobs) -> None:
        with pytest.raises(BlobMissing):
            blobs.get("head", 10)
        with pytest.raises(BlobMissing):
            blobs.get("bundles/a", 10, unless="x")
        assert list(blobs.list("bundles", 10)) == []
        blobs.delete("bundles/a")

    def test_no_more_bytes_are_read_than_asked_for(self, blobs: Blobs) -> None:
        blobs.put("bundles/a", b"x" * 2_000_000)
        found = blobs.get("bundles/a", 2_000_000)
        assert found is not None
        assert len(found.data) == 2_000_000
        with pytest.raises(BlobTooLarge):
            blobs.get("bundles/a", 1_999_999)

    def test_add_never_replaces(self, blobs: Blobs) -> None:
        etag = blobs.add("bundles/a", b"one")
        with pytest.raises(BlobTaken):
            blobs.add("bundles/a", b"two")
        assert blobs.get("bundles/a", 10) == Blob("bundles/a", b"one", etag)

    def test_put_over_what_is_expected(self, blobs: Blobs) -> None:
        first = blobs.put("head", b"one")
        second = blobs.put("head", b"two", expected=first)
        with pytest.raises(BlobTaken):
            blobs.put("head", b"three", expected=first)
        assert blobs.get("head", 10) == Blob("head", b"two", second)

    def test_put_expecting_what_is_gone(self, blobs: Blobs) -> None:
        first = blobs.put("head", b"one")
        blobs.delete("head")
        with pytest.raises((BlobTaken, BlobMissing)):
            blobs.put("head", b"two", expected=first)
        with pytest.raises(BlobMissing):
            blobs.get("head", 10)

    def test_of_many_that_add_one_wins(self, blobs: Blobs) -> None:
        taken: list[int] = []

        def add(number: int) -> None:
            try:
                blobs.add("bundles/a", b"%d" % number)
            except BlobTaken:
                taken.append(number)

        threads = [Thread(target=add, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        found = blobs.get("bundles/a", 10)
        assert found is not None
        assert sorted([*taken, int(found.data)]) == list(range(6))

    def test_lists_are_bounded(self, blobs: Blobs) -> None:
        for name in "abc":
            blobs.put(f"bundles/{name}", name.encode() * 5)
        blobs.put("head", b"no part of it")
        lines = sorted(blobs.list("bundles", 10), key=lambda line: line.key)
        assert [(line.key, line.size) for line in lines] == [
            ("bundles/a", 5),
            ("bundles/b", 5),
            ("bundles/c", 5),
        ]
        assert all(line.modified > 0 for line in lines)
        assert len(blobs.list("bundles", 2)) == 2
        blobs.delete("bundles/b")
        assert len(blobs.list("bundles", 10)) == 2

    @pytest.mark.parametrize(
        "key", ["", "/head", "../head", "a/../b", "a/b/c", ".hidden", "a b", "a?b", "bundles/", "é"]
    )
    def test_keys_have_one_form(self, blobs: Blobs, key: str) -> None:
        with pytest.raises(ValueError, match="expected NAME or FOLDER/NAME"):
            blobs.get(key, 10)
        with pytest.raises(ValueError, match="expected NAME or FOLDER/NAME"):
            blobs.put(key, b"")

"""Objects in a store: one container, whose keys are short paths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class BlobError(Exception):
    """The store did not do what was asked. The message says where and why, never with a
    secret or with words that a stranger wrote. Raised as it is when nobody knows whether a
    write was carried out; asking again is right, after a pause."""


class BlobMissing(BlobError):
    """There is no such object, or no such container."""


class BlobDenied(BlobError):
    """The store does not know this identity, or does not let it."""


class BlobTaken(BlobError):
    """The object is there already, or is another one than expected; nothing was written."""


class BlobTooLarge(BlobError):
    """The object has more bytes than the reader takes."""


@dataclass(frozen=True, slots=True)
class Blob:
    """One object. ``etag`` changes whenever the object does."""

    key: str
    data: bytes
    etag: str


@dataclass(frozen=True, slots=True)
class BlobInfo:
    """One line of a list. ``modified`` is in seconds since 1970, by the store's clock."""

    key: str
    size: int
    modified: float


class Blobs(Protocol):
    """One container of an object store.

    Keys are ``name`` or ``folder/name`` of letters, digits, ``-``, ``_`` and ``.``, not
    beginning with a dot; others are a ValueError. Every method may wait for the network,
    but for a bounded time, may be called from any thread, and raises BlobError. An object
    is there whole or not at all, at every moment and after a ``kill -9``.
    """

    def get(self, key: str, most: int, *, unless: str = "") -> Blob | None:
        """An object of at most ``most`` bytes; None when its etag is still ``unless``.
        Raises BlobMissing, BlobTooLarge, BlobDenied."""
        ...

    def add(self, key: str, data: bytes) -> str:
        """Write an object that is not there yet; returns its etag. Raises BlobTaken."""
        ...

    def put(self, key: str, data: bytes, *, expected: str = "") -> str:
        """Write an object, whatever is there; with ``expected`` only over the one with
        that etag (else BlobTaken). Returns the new etag."""
        ...

    def list(self, folder: str, most: int) -> Sequence[BlobInfo]:
        """The objects of a folder, at most so many, in no order."""
        ...

    def delete(self, key: str) -> None:
        """Remove an object. What is not there is no error."""
        ...

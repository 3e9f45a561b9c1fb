"""What an object store's failures mean, said without its own words.

The library's messages hold addresses with signatures in them, and answers that a stranger
may have written; so only the kind of a failure and an HTTP status are taken from them.
"""

from __future__ import annotations

import re
from http import HTTPStatus

from obstore import exceptions

from frota.ports.blobs import BlobDenied, BlobError, BlobMissing, BlobTaken

_KEY = re.compile(
    r"(?:[A-Za-z0-9][A-Za-z0-9_.-]{0,200}/)?[A-Za-z0-9][A-Za-z0-9_.-]{0,200}", re.ASCII
)
_STATUS = re.compile(r"\bcode: ([1-5][0-9]{2})\b", re.ASCII)
_DENIED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
_TAKEN = frozenset({HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED})


def checked(key: str) -> str:
    """The key, when it is one. Raises ValueError."""
    if _KEY.fullmatch(key) is None:
        raise ValueError(f"expected NAME or FOLDER/NAME as the key of an object; found {key!r}")
    return key


def faulted(place: str, error: Exception) -> BlobError:
    """The failure of a call on ``place`` (a container and a key, without secrets)."""
    match = _STATUS.search(str(error))
    status = int(match[1]) if match else 0
    if isinstance(error, FileNotFoundError) or status == HTTPStatus.NOT_FOUND:
        return BlobMissing(f"{place}: it is not there")
    denied = exceptions.PermissionDeniedError | exceptions.UnauthenticatedError
    if isinstance(error, denied) or status in _DENIED:
        return BlobDenied(
            f"{place}: the store refuses this identity; is its SAS still valid, and for this "
            "container and use?"
        )
    taken = exceptions.AlreadyExistsError | exceptions.PreconditionError
    if isinstance(error, taken) or status in _TAKEN:
        return BlobTaken(f"{place}: somebody else wrote it")
    if status:
        return BlobError(f"{place}: the store answered with HTTP status {status}")
    return BlobError(f"{place}: the store cannot be reached")

"""The shared directory of the leases: small files, each replaced as a whole.

Whatever lies there may be torn, huge, a link or a pipe; reading it costs little and ends
in a record, in None or in an error. Every call may hang as long as storage does, so call
it only from a thread that nobody waits for.
"""

from __future__ import annotations

import os
import stat
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from errno import ENOSPC
from pathlib import Path
from typing import TypeVar

from frota.drivers.fence.lease.records import (
    SIZE_MOST,
    Garbled,
    Marker,
    Order,
    Slot,
    Terms,
    decode,
    encode,
    host_name,
)

MARKER = "frota-leases.json"
Mail = TypeVar("Mail", Slot, Order)
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_MAKE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class SpaceError(Exception):
    """The directory is not there, not the expected one, or cannot be read or written."""


@dataclass(frozen=True, slots=True)
class Space:
    """One directory. ``path`` is looked up anew by every call, as it may be mounted,
    unmounted or mounted over at any time. All methods raise SpaceError."""

    path: Path

    def marker(self) -> Marker:
        """What names this directory and fixes its terms."""
        try:
            content = _read(self.path / MARKER)
            if content is None:
                raise SpaceError(
                    f"{self.path} has no {MARKER}: the storage is not mounted here, or "
                    "`frota up` has not run yet with this path as spec.fencing.lease.path"
                )
            return decode(content, Marker)
        except Garbled as error:
            raise SpaceError(f"{self.path / MARKER}: {error}") from None

    def make(self, terms: Terms, new_name: Callable[[], str] = lambda: uuid.uuid4().hex) -> Marker:
        """The marker; written with these terms when there is none yet."""
        try:
            present = (self.path / MARKER).exists()
        except OSError as error:
            raise _failed(self.path, error) from None
        if not present:
            self._write(MARKER, encode(Marker(new_name(), terms)), replace=False)
        return self.marker()

    def slot(self, host: str, space: str) -> Slot | None:
        """A host's slot, None when it has none. Raises Garbled when it is no slot, or one
        that was written for another directory than ``space``."""
        return self._record(host, "slot", Slot, space)

    def order(self, host: str, space: str) -> Order | None:
        """The order to a host, None when there is none. Raises Garbled as ``slot``."""
        return self._record(host, "order", Order, space)

    def write(self, record: Slot | Order) -> None:
        """Replace a slot or an order; it is on storage when this returns."""
        kind = "slot" if isinstance(record, Slot) else "order"
        self._write(f"{host_name(record.host)}.{kind}", encode(record))

    def knock(self) -> None:
        """Write something of no meaning. Proves that storage answers now (a read may come
        from a cache) and makes a network file system look at the directory anew."""
        self._write("controller.knock", b"{}\n")

    def _record(self, host: str, suffix: str, kind: type[Mail], space: str) -> Mail | None:
        content = _read(self.path / f"{host_name(host)}.{suffix}")
        if content is None:
            return None
        record = decode(content, kind)
        if record.host != host or record.space != space:
            raise Garbled(f"{host}.{suffix} was written for another host or directory")
        return record

    def _write(self, name: str, content: bytes, *, replace: bool = True) -> None:
        draft, final = self.path / f".{name}.new", self.path / name
        try:
            draft.unlink(missing_ok=True)  # a new file: no late write of others goes there
            handle = os.open(draft, _MAKE, 0o600)
            try:
                if os.write(handle, content) != len(content):
                    raise OSError(ENOSPC, os.strerror(ENOSPC))
                os.fsync(handle)
            finally:
                os.close(handle)
            if replace:
                draft.rename(final)
            else:
                _link(draft, final)
            _sync(self.path)
        except OSError as error:
            raise _failed(final, error) from None


def _read(path: Path) -> bytes | None:
    try:
        handle = os.open(path, _READ)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _failed(path, error) from None
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise Garbled(f"{path} is not a regular file")
        return os.read(handle, SIZE_MOST + 1)
    except OSError as error:
        raise _failed(path, error) from None
    finally:
        os.close(handle)


def _link(draft: Path, final: Path) -> None:
    """Put the draft in place unless somebody else was faster."""
    try:
        final.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _failed(path: Path, error: OSError) -> SpaceError:
    return SpaceError(f"{path}: {error.strerror or error}")

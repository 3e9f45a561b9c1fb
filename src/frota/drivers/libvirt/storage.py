"""Directories and files on the shared storage, through a host's own libvirt.

The controller itself need not have the storage mounted.
"""

from __future__ import annotations

from typing import Any

from frota.drivers.libvirt.binding import ask, libvirt
from frota.drivers.libvirt.fault import Fault, Kind

_CHUNK = 256 * 1024


class Volume:
    """One file in a pool."""

    def __init__(self, connection: Any, raw: Any) -> None:
        self._connection = connection
        self._raw = raw

    def xml(self) -> str:
        """What libvirt found out about it."""
        return str(ask(self._connection, lambda: self._raw.XMLDesc(0)))

    def delete(self) -> None:
        """Remove the file."""
        ask(self._connection, lambda: self._raw.delete(0))

    def write(self, content: bytes) -> None:
        """Put the content at the file's beginning. The file must be long enough."""
        rest = memoryview(content)

        def take(_stream: Any, most: int, _opaque: Any) -> bytes:
            nonlocal rest
            part = bytes(rest[: min(most, _CHUNK)])
            rest = rest[len(part) :]
            return part

        def send() -> None:
            stream = self._connection.newStream(0)
            self._raw.upload(stream, 0, len(content), 0)
            stream.sendAll(take, None)
            stream.finish()

        ask(self._connection, send)


class Pool:
    """One directory that a host's libvirt watches."""

    def __init__(self, connection: Any, raw: Any) -> None:
        self._connection = connection
        self._raw = raw

    @property
    def uuid(self) -> str:
        """Its UUID, without asking the host."""
        return str(self._raw.UUIDString())

    def volume(self, name: str) -> Volume | None:
        """The file of this name, also one that another host made just now."""
        ask(self._connection, lambda: self._raw.refresh(0))
        try:
            raw = ask(self._connection, lambda: self._raw.storageVolLookupByName(name))
        except Fault as fault:
            if fault.kind is Kind.MISSING:
                return None
            raise
        return Volume(self._connection, raw)

    def make(self, xml: str) -> Volume:
        """Create a file. Raises ``Fault`` EXISTS when it is there."""
        raw = ask(self._connection, lambda: self._raw.createXML(xml, 0))
        return Volume(self._connection, raw)

    def forget(self) -> None:
        """Stop watching the directory; its files stay."""
        ask(self._connection, self._raw.destroy)


def find_pool(connection: Any, name: str) -> Pool | None:
    """The active pool of this name."""
    try:
        raw = ask(connection, lambda: connection.storagePoolLookupByName(name))
    except Fault as fault:
        if fault.kind is Kind.MISSING:
            return None
        raise
    return Pool(connection, raw)


def make_pool(connection: Any, xml: str, *, directory: bool) -> Pool:
    """A pool that lasts until the host's next boot; ``directory``: make that too."""
    flags = libvirt.VIR_STORAGE_POOL_CREATE_WITH_BUILD if directory else 0
    return Pool(connection, ask(connection, lambda: connection.storagePoolCreateXML(xml, flags)))

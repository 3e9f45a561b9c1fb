"""Telling the service manager how the agent is (the protocol of sd_notify)."""

from __future__ import annotations

import os
import socket
from contextlib import suppress


class Notify:
    """Sends to ``NOTIFY_SOCKET``; without one it does nothing. Never blocks or raises."""

    def __init__(self, address: str | None = None) -> None:
        where = os.environ.get("NOTIFY_SOCKET", "") if address is None else address
        self._address = f"\0{where[1:]}" if where.startswith("@") else where
        self._socket: socket.socket | None = None
        if where:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._socket.setblocking(False)

    def send(self, **fields: str) -> None:
        """Such as ``send(READY="1", STATUS="guarding")``."""
        if self._socket is None:
            return
        text = "\n".join(f"{name}={value}" for name, value in fields.items())
        with suppress(OSError):
            self._socket.sendto(text.encode(), self._address)

    def close(self) -> None:
        """Release the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

"""The sockets of one HTTP session, so that none outlives it.

A TLS connection whose request was given up says goodbye and waits for the other side to do
so too, for up to half a minute where that side hangs. Nobody waits for it, but when the loop
ends before that its socket is left open.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any
from weakref import WeakSet


class Sockets:
    """Makes sockets for an ``aiohttp.TCPConnector`` (its ``socket_factory``)."""

    def __init__(self) -> None:
        self._made: WeakSet[socket.socket] = WeakSet()

    def __call__(self, info: tuple[Any, ...]) -> socket.socket:
        """A socket for an address as ``getaddrinfo`` gives it."""
        family, kind, protocol, _, _ = info
        made = socket.socket(family=family, type=kind, proto=protocol)
        self._made.add(made)
        return made

    def cut(self) -> None:
        """End all conversations: who still waits for one sees its end in the next turns of the
        loop."""
        for made in list(self._made):
            with suppress(OSError):  # closed, or never connected
                made.shutdown(socket.SHUT_RDWR)

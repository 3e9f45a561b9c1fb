"""Ports on the loopback address that nothing else uses."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from random import SystemRandom

LOOPBACK = "127.0.0.1"
# Below the ports that systems give to outgoing connections. Above, a client that keeps
# calling a server which is down may one day be given that very port as its own: it then
# talks to itself, and the server cannot come back.
_FIRST, _LAST = 20000, 32000
_TRIES = 1000


def free_ports(count: int) -> list[int]:
    """So many ports, all different, free right now. Raises OSError when too few are."""
    draw = SystemRandom()
    found: list[int] = []
    with ExitStack() as held:
        for _ in range(_TRIES):
            if len(found) == count:
                return found
            port = draw.randrange(_FIRST, _LAST)
            listener = held.enter_context(socket.socket())
            try:
                listener.bind((LOOPBACK, port))
            except OSError:
                continue
            found.append(port)
    raise OSError(f"no {count} free ports found between {_FIRST} and {_LAST} on {LOOPBACK}")

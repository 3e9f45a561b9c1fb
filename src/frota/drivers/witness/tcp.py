"""A witness that answers on a TCP port: a gateway, a DNS server, a peer."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress

PERIOD_S = 2.0
TIMEOUT_S = 1.0
FAILURES = 2  # in a row until the witness counts as out of reach: one packet may be lost


class TcpWitness:
    """Tries the address again and again in a thread of its own.

    A refused connection counts as reached: the answer came from the other side, over the
    network in question. Until the first answer it is out of reach, so that nothing is
    fenced before the controller's own network is known to be well. ``changed`` is called,
    in that thread, whenever the answer changes.
    """

    def __init__(
        self,
        address: str,
        changed: Callable[[], None],
        *,
        period: float = PERIOD_S,
        timeout: float = TIMEOUT_S,
    ) -> None:
        """``address`` is ``HOST:PORT``, an IPv6 host in brackets."""
        host, _, port = address.rpartition(":")
        self._place = (host.strip("[]"), int(port))
        self._changed = changed
        self._period = period
        self._timeout = timeout
        self._seen = False
        self._failures = FAILURES
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, name=f"witness {address}", daemon=True)
        self._thread.start()

    def sees(self) -> bool | None:
        """See ``ports.witness.Witness``."""
        return self._seen

    def close(self) -> None:
        """Stop trying; an attempt that is under way ends by its timeout."""
        self._closed.set()

    def _watch(self) -> None:
        while not self._closed.is_set():
            self._note(reached(self._place, self._timeout))
            self._closed.wait(self._period)

    def _note(self, well: bool) -> None:
        self._failures = 0 if well else self._failures + 1
        seen = self._failures < FAILURES
        if seen is not self._seen and not self._closed.is_set():
            self._seen = seen
            self._changed()


def reached(place: tuple[str, int], timeout: float) -> bool:
    """Whether anything answers at an address within ``timeout`` seconds. Never raises."""
    try:
        connection = socket.create_connection(place, timeout)
    except ConnectionRefusedError:
        return True
    except (OSError, UnicodeError):  # no route, no answer, no such name
        return False
    with suppress(OSError):
        connection.close()
    return True

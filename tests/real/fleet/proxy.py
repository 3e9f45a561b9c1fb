"""A TCP proxy before an API server, to make it slow, mute, or gone. TLS passes through it:
the certificates are for the loopback address, whatever the port."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from enum import Enum
from types import TracebackType

from frota.drivers.devfleet.addresses import LOOPBACK, free_ports

_CHUNK = 16384
_WAKE_S = 0.05


class Mood(Enum):
    """What becomes of bytes and of new connections."""

    WELL = "well"
    SLOW = "slow"  # every chunk waits, in both directions
    MUTE = "mute"  # connections are taken, and nothing ever comes through
    GONE = "gone"  # connections are refused as soon as they are made


class Proxy:
    """Listens on ``port`` until the block is left."""

    def __init__(self, server: int) -> None:
        self._server = server
        (self.port,) = free_ports(1)
        self._mood = Mood.WELL
        self._delay_s = 0.0
        self._ending = threading.Event()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server((LOOPBACK, self.port))
        self._listener.settimeout(_WAKE_S)

    def __enter__(self) -> Proxy:
        self._begin(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ending.set()
        self.cut()
        self._listener.close()
        for thread in self._threads:
            thread.join(5.0)

    def well(self) -> None:
        """Pass everything on at once."""
        self._mood = Mood.WELL

    def slow(self, delay_s: float) -> None:
        """Hold every chunk back for so long."""
        self._delay_s = delay_s
        self._mood = Mood.SLOW

    def mute(self) -> None:
        """Take connections and bytes, and let nothing through: what a hanging server does."""
        self._mood = Mood.MUTE

    def gone(self) -> None:
        """Cut all connections, and refuse new ones."""
        self._mood = Mood.GONE
        self.cut()

    def cut(self) -> None:
        """Cut the connections that there are."""
        with self._lock:
            ends, self._open = self._open, set()
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while not self._ending.is_set():
            try:
                client, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            if self._mood is Mood.GONE:
                client.close()
                continue
            try:
                server = socket.create_connection((LOOPBACK, self._server), 5.0)
            except OSError:
                client.close()
                continue
            # The listener's short wait is none of theirs.
            client.settimeout(None)
            server.settimeout(None)
            with self._lock:
                self._open |= {client, server}
            pair = _Pair(client, server)
            self._begin(self._pump, client, server, pair)
            self._begin(self._pump, server, client, pair)

    def _pump(self, source: socket.socket, sink: socket.socket, pair: _Pair) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(_CHUNK):
                self._hold(source)
                sink.sendall(chunk)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        with self._lock:
            self._open -= {source, sink}
        pair.done()

    def _hold(self, source: socket.socket) -> None:
        if self._mood is Mood.SLOW:
            self._ending.wait(self._delay_s)
        while self._mood is Mood.MUTE and not self._ending.is_set():
            if source not in self._open:
                return  # cut meanwhile
            time.sleep(_WAKE_S)

    def _begin(self, work: Callable[..., None], *given: object) -> None:
        thread = threading.Thread(target=work, args=given, daemon=True)
        self._threads = [one for one in self._threads if one.is_alive()]
        self._threads.append(thread)
        thread.start()


class _Pair:
    """Both ends are closed when neither direction needs them any more."""

    def __init__(self, *ends: socket.socket) -> None:
        self._ends = ends
        self._left = 2
        self._lock = threading.Lock()

    def done(self) -> None:
        with self._lock:
            self._left -= 1
            last = self._left == 0
        if last:
            for end in self._ends:
                end.close()

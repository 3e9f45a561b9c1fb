"""The Objectives port over the HTTP API of Prometheus, or of whatever speaks it (Thanos,
Mimir, a managed workspace).

One thread with one event loop asks all clusters; one that hangs delays no other.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path

import aiohttp

from frota import __version__
from frota.drivers.eventloop import EventLoop
from frota.drivers.prometheus.answer import BODY_MOST, NoAnswer, question, rates
from frota.drivers.sockets import Sockets
from frota.model.objectives import Measured, ServiceKey
from frota.ports.clock import Clock
from frota.ports.objectives import ASK_S, MeterAddress

_ANSWER_S = 10.0
_TOKEN_MOST = 64 * 1024


class PrometheusObjectives:
    """All clusters of one process. Safe to use from any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._measured: dict[str, Measured] = {}
        self._addresses: dict[str, MeterAddress] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}  # of the loop's thread alone
        self._running = EventLoop("objectives")

    def attach(self, address: MeterAddress) -> None:
        """See ``ports.objectives.Objectives``."""
        with self._lock:
            if self._addresses.get(address.cluster) == address:
                return
            self._addresses[address.cluster] = address
            self._measured.pop(address.cluster, None)
        self._running.post(lambda: self._begin(address))

    def detach(self, cluster: str) -> None:
        """See ``ports.objectives.Objectives``."""
        with self._lock:
            self._measured.pop(cluster, None)
            known = self._addresses.pop(cluster, None)
        if known is not None:
            self._running.post(lambda: self._end(cluster))

    def measured(self, cluster: str) -> Measured:
        """See ``ports.objectives.Objectives``."""
        with self._lock:
            return self._measured.get(cluster, Measured())

    def close(self) -> None:
        """See ``ports.objectives.Objectives``."""
        self._running.close(self._end_all)

    def _begin(self, address: MeterAddress) -> None:
        self._end(address.cluster)
        self._tasks[address.cluster] = self._running.loop.create_task(self._ask(address))

    def _end(self, cluster: str) -> None:
        task = self._tasks.pop(cluster, None)
        if task is not None:
            task.cancel()

    def _end_all(self) -> None:
        for cluster in list(self._tasks):
            self._end(cluster)

    async def _ask(self, address: MeterAddress) -> None:
        """For ever; after a failure with a new connection, and files read anew."""
        while True:
            sockets = Sockets()
            try:
                tls = await asyncio.to_thread(_tls, address.ca)
                connector = aiohttp.TCPConnector(ssl=tls, limit=1, socket_factory=sockets)
                async with aiohttp.ClientSession(connector=connector) as session:
                    while True:
                        self._note(address, await _answer(session, address), "")
                        await asyncio.sleep(ASK_S)
            except NoAnswer as fault:
                self._note(address, None, str(fault))
            finally:
                sockets.cut()
            await asyncio.sleep(ASK_S)

    def _note(
        self, address: MeterAddress, found: dict[ServiceKey, float] | None, error: str
    ) -> None:
        with self._lock:
            if self._addresses.get(address.cluster) != address:
                return  # detached meanwhile
            known = self._measured.get(address.cluster, Measured())
            if found is not None:
                known = Measured(found, self._clock.now())
            self._measured[address.cluster] = replace(known, error=error)


async def _answer(session: aiohttp.ClientSession, address: MeterAddress) -> dict[ServiceKey, float]:
    """One question. Raises NoAnswer."""
    headers = {"User-Agent": f"frota/{__version__}", "Accept": "application/json"}
    if address.token:
        token = await asyncio.to_thread(_token, address.token)
        headers["Authorization"] = f"Bearer {token}"
    url = f"{address.url.rstrip('/')}/api/v1/query"
    try:
        async with (
            asyncio.timeout(_ANSWER_S),
            session.get(
                url,
                params={"query": question(address.cluster)},
                headers=headers,
                allow_redirects=False,
            ) as answer,
        ):
            if answer.status != HTTPStatus.OK:
                raise NoAnswer(f"{url}: HTTP status {answer.status}, expected 200")
            body = bytearray()
            async for chunk in answer.content.iter_any():
                body += chunk
                if len(body) > BODY_MOST:
                    raise NoAnswer(f"{url}: an answer of more than {BODY_MOST} bytes")
    except TimeoutError:
        raise NoAnswer(f"{url}: no answer in {_ANSWER_S:g} s") from None
    except (aiohttp.ClientError, OSError) as error:
        raise NoAnswer(f"{url}: {_plain(error)}") from None
    try:
        return rates(bytes(body))
    except NoAnswer as fault:
        raise NoAnswer(f"{url}: {fault}") from None


def _plain(error: Exception) -> str:
    """A failure of the network in plain words."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "its certificate is not trusted, or is of another name; see telemetry.prometheus.ca"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"cannot connect: {error.os_error.strerror or 'no connection'}"
    return f"the connection broke ({type(error).__name__})"


def _tls(ca: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca or None)
    except (OSError, ssl.SSLError) as error:
        why = error.strerror if type(error) is not ssl.SSLError else "no certificates in PEM"
        raise NoAnswer(f"{ca}: {why}; expected certificates in PEM") from None


def _token(file: str) -> str:
    try:
        with Path(file).open("rb") as handle:
            text = handle.read(_TOKEN_MOST).decode("ascii").strip()
    except OSError as error:
        raise NoAnswer(f"{file}: {error.strerror}; expected a token") from None
    except UnicodeDecodeError:
        text = ""
    if not text or not text.isprintable() or " " in text:
        raise NoAnswer(f"{file}: expected a token on one line")
    return text

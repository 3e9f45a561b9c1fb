"""HTTP to one API server: bounded in time and size, never redirected, no secret in errors."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import aiohttp
import msgspec
from multidict import CIMultiDict
from yarl import URL

from frota import __version__
from frota.drivers.kubernetes.access import Access, Pass
from frota.drivers.kubernetes.fault import Garbled, Silent, TooLarge, answered, plain
from frota.drivers.kubernetes.lines import Lines
from frota.drivers.kubernetes.names import LastKnown
from frota.drivers.sockets import Sockets

BODY_MOST = 64 * 1024 * 1024  # bytes of one answer
LINE_MOST = 16 * 1024 * 1024  # bytes of one watch event
ONLY_METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
_ERROR_MOST = 256 * 1024
_CONNECT_S = 5.0
_SILENCE_S = 35.0
_QUERIES_MOST = 256  # that are remembered: few are used again and again
_KEEP_ALIVE_S = 60.0
_AGENT = f"frota/{__version__}"


@dataclass(frozen=True, slots=True)
class Call:
    """One request. ``seconds`` bounds all of it; ``gzip`` asks for a compressed answer."""

    method: str
    path: str
    query: Mapping[str, str] | None = None
    body: bytes | None = None
    content: str = "application/json"
    accept: str = "application/json"
    seconds: float = 35.0  # webhooks may take 30
    gzip: bool = False


class Link:
    """All connections to one API server. For one event loop. ``heard`` is called whenever
    the server answers anything but that it is in trouble."""

    def __init__(self, access: Access, heard: Callable[[], None]) -> None:
        self._access = access
        self._heard = heard
        self._session: aiohttp.ClientSession | None = None
        self._sockets = Sockets()
        self._closed = False

    async def call(self, call: Call) -> tuple[int, bytes]:
        """Status and body of an answer with success. Raises Answered, Silent, TooLarge or
        Unusable."""
        used = await self._access.get()
        with _worded(call.seconds):
            async with asyncio.timeout(call.seconds):
                answer = await self._open(call, used)
                try:
                    return answer.status, await _body(answer, BODY_MOST)
                finally:
                    answer.release()

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """An object of JSON. Raises also Garbled."""
        _, body = await self.call(Call("GET", path, query, gzip=True))
        return document(body)

    async def stream(
        self, call: Call, each: Callable[[list[bytes]], bool], silence: float, longest: float
    ) -> None:
        """Hand over the lines of an answer as they come, those of one chunk together, until
        it ends or ``each`` says False. Raises as ``call`` does, Silent also after ``silence``
        seconds without a byte or ``longest`` in all."""
        used = await self._access.get()
        with _worded(call.seconds):
            async with asyncio.timeout(call.seconds):
                answer = await self._open(call, used, silence)
        lines = Lines(LINE_MOST)
        try:
            with _worded(longest):
                async with asyncio.timeout(longest):
                    more = each([])
                    while more and (chunk := await answer.content.readany()):
                        self._heard()
                        found = lines.feed(chunk)
                        more = not found or each(found)
        finally:
            answer.close()

    async def alive(self, path: str, seconds: float) -> int:
        """The status code of an answer, whatever it is. Raises Silent or Unusable."""
        used = self._access.current() or await self._access.get()
        with _worded(seconds):
            async with asyncio.timeout(seconds):
                answer = await self._send(Call("GET", path, seconds=seconds), used)
                try:
                    await _body(answer, _ERROR_MOST)
                finally:
                    answer.release()
        if answer.status == HTTPStatus.UNAUTHORIZED:
            self._access.refused(used)
        return answer.status

    async def close(self) -> None:
        """Drop all connections, and make no new ones."""
        self._closed = True
        session, self._session = self._session, None
        if session is not None:
            await session.close()
            self._sockets.cut()

    async def _open(
        self, call: Call, used: Pass, silence: float | None = None
    ) -> aiohttp.ClientResponse:
        """An answer with success. After a 401 it is tried once more, with new credentials."""
        answer = await self._send(call, used, silence)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            self._access.refused(used)
            renewed = await self._access.get()
            if renewed is not used:
                answer.release()
                used = renewed
                answer = await self._send(call, used, silence)
        if answer.status < HTTPStatus.INTERNAL_SERVER_ERROR:
            self._heard()
        if HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
            return answer
        try:
            body = await _body(answer, _ERROR_MOST)
        except TooLarge:
            body = b""
        finally:
            answer.release()
        body = used.scrub(body.decode("utf-8", "replace")).encode()
        raise answered(answer.status, body, answer.headers.get("Retry-After", ""))

    async def _send(
        self, call: Call, used: Pass, silence: float | None = None
    ) -> aiohttp.ClientResponse:
        if silence is None and call.seconds > _SILENCE_S:
            silence = _SILENCE_S  # what is bounded closer as a whole needs no second clock
        if self._closed:
            raise Silent("Frota has let go of this cluster", sent=False)
        if self._session is None:
            self._session = _session(self._sockets)
        query = _query(tuple(call.query.items())) if call.query else ""
        headers = CIMultiDict(used.headers)
        headers["Accept"] = call.accept
        headers["Accept-Encoding"] = "gzip" if call.gzip else "identity"
        if call.body is not None:
            headers["Content-Type"] = call.content
        return await self._session.request(
            call.method,
            URL(f"{used.server}{call.path}{query}", encoded=True),
            data=call.body,
            headers=headers,
            ssl=used.tls or True,
            server_hostname=used.server_name,
            proxy=used.proxy,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(None, sock_connect=_CONNECT_S, sock_read=silence),
        )


@lru_cache(_QUERIES_MOST)
def _query(parameters: tuple[tuple[str, str], ...]) -> str:
    return f"?{urlencode(parameters)}"


def document(body: bytes) -> dict[str, Any]:
    """A body as an object of JSON. Raises Garbled."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        found = None
    if not isinstance(found, dict):
        raise Garbled("expected an object of JSON")
    return found


def _session(sockets: Sockets) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(
        limit=0,  # bounded where requests begin; the question whether it lives must never queue
        resolver=LastKnown(),
        use_dns_cache=False,
        keepalive_timeout=_KEEP_ALIVE_S,
        socket_factory=sockets,
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": _AGENT},
    )


async def _body(answer: aiohttp.ClientResponse, most: int) -> bytes:
    body = bytearray()
    while chunk := await answer.content.readany():
        body += chunk
        if len(body) > most:
            answer.close()
            raise TooLarge(f"an answer of more than {most} bytes")
    return bytes(body)


@contextmanager
def _worded(seconds: float) -> Iterator[None]:
    """Failures of the network in plain words."""
    try:
        yield
    except aiohttp.ClientConnectorCertificateError as error:
        why = plain(getattr(error.certificate_error, "verify_message", "")) or "it is not trusted"
        raise Silent(f"the server's certificate: {why}", sent=False) from None
    except aiohttp.ClientSSLError as error:
        why = plain(getattr(error.os_error, "reason", "")) or "no agreement"
        raise Silent(f"TLS: {why}", sent=False) from None
    except aiohttp.ClientConnectorError as error:
        why = plain(error.os_error.strerror) or "no connection"
        raise Silent(f"cannot connect: {why}", sent=False) from None
    except aiohttp.ConnectionTimeoutError:
        raise Silent(f"cannot connect: no answer in {_CONNECT_S:g} s", sent=False) from None
    except TimeoutError:
        raise Silent(f"no answer in {seconds:g} s", sent=True) from None
    except aiohttp.ClientError as error:
        raise Silent(f"the connection broke ({type(error).__name__})", sent=True) from None
    except OSError as error:
        why = plain(error.strerror) or type(error).__name__
        raise Silent(f"the connection broke ({why})", sent=True) from None

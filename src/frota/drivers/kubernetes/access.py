"""Credentials of one cluster, kept fresh: files are read again when they change, plugins run
again before what they issued ends, and both when the server says 401."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from frota.drivers.kubernetes.fault import Unusable
from frota.drivers.kubernetes.kubeconfig import Target, read_target
from frota.drivers.kubernetes.plugin import Issued, run_plugin
from frota.drivers.kubernetes.tls import tls_context
from frota.ports.clusters import ClusterAddress

PLUGIN_S = 30.0
_AHEAD_S = 60.0  # a plugin's credentials are renewed that long before they end
# Between renewals that did not help: a plugin that issues what the server refuses, or that
# fails, is run less and less often.
_PAUSE_FIRST_S = 1.0
_PAUSE_MOST_S = 60.0
_READ_S = 5.0  # of files: they may lie on a file system that hangs
HIDDEN = "[secret]"
_Given = TypeVar("_Given")
_Found = TypeVar("_Found")
_SHORTEST_SECRET = 8  # shorter ones would blot out words


@dataclass(frozen=True, slots=True, eq=False)
class Pass:
    """All that a request needs. ``tls`` is None for plain HTTP to this machine."""

    server: str
    server_name: str | None
    proxy: str | None = field(repr=False)
    tls: ssl.SSLContext | None = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)

    def scrub(self, text: str) -> str:
        """``text`` without any secret of this pass."""
        for secret in self.secrets:
            text = text.replace(secret, HIDDEN)
        return text


class Access:
    """The way into one cluster. ``wall``: seconds since 1970. For one event loop."""

    def __init__(
        self, address: ClusterAddress, wall: Callable[[], float], plugin_s: float = PLUGIN_S
    ) -> None:
        self._address = address
        self._wall = wall
        self._plugin_s = plugin_s
        self._target: Target | None = None
        self._issued = Issued()
        self._stamps: tuple[object, ...] = ()
        self._pass: Pass | None = None
        self._spoiled = False  # refused by the server
        self._outdated = False  # a file changed; what it said may still be good
        self._failed: Unusable | None = None
        self._pause = 0.0
        self._renewed_at = float("-inf")
        self._renewal: asyncio.Task[None] | None = None

    async def get(self) -> Pass:
        """Valid credentials, renewed where needed. Raises Unusable."""
        left = self._issued.until - self._wall()
        usable = self._pass is not None and not self._spoiled and left > 0
        due = not usable or self._outdated or left < _AHEAD_S
        if due and self._renewal is None and self._may_renew():
            self._renewal = asyncio.create_task(self._renew())
        if not usable and self._renewal is not None:
            await asyncio.shield(self._renewal)
        if self._pass is None or (self._failed is not None and not usable):
            raise self._failed or Unusable("credentials are being renewed")
        return self._pass

    def current(self) -> Pass | None:
        """What is there, valid or not, without waiting."""
        return self._pass

    def refused(self, used: Pass) -> None:
        """The server answered 401 to this pass."""
        if used is self._pass and self._may_renew():
            self._spoiled = True

    async def look(self) -> None:
        """Have all read again if a file changed. Raises Unusable when that cannot be told."""
        if self._target is not None and not self._outdated:
            self._outdated = await _blocking(_stamps, self._target.files) != self._stamps

    def close(self) -> None:
        """End a renewal under way."""
        if self._renewal is not None:
            self._renewal.cancel()

    def _may_renew(self) -> bool:
        return _now() - self._renewed_at >= self._pause

    async def _renew(self) -> None:
        """Never raises but for cancellation: what failed is kept for those that wait."""
        quick = _now() - self._renewed_at < 2 * _PAUSE_MOST_S
        self._pause = min(max(_PAUSE_FIRST_S, 2 * self._pause), _PAUSE_MOST_S) if quick else 0.0
        try:
            target, stamps = await _blocking(_read, self._address)
            issued = Issued()
            if target.plugin is not None:
                issued = await run_plugin(target.plugin, target, self._plugin_s)
            if self._pass is None or (target, issued) != (self._target, self._issued):
                self._pass = _pass(target, issued)
            self._target, self._issued, self._stamps = target, issued, stamps
            self._failed, self._spoiled, self._outdated = None, False, False
        except Unusable as unusable:
            self._failed = unusable
            self._pause = max(self._pause, _PAUSE_FIRST_S)
        finally:
            self._renewed_at = _now()
            self._renewal = None


def _now() -> float:
    return asyncio.get_running_loop().time()


def _read(address: ClusterAddress) -> tuple[Target, tuple[object, ...]]:
    target = read_target(address.kubeconfig, address.context)
    return target, _stamps(target.files)


def _stamps(files: tuple[Path, ...]) -> tuple[object, ...]:
    found: list[object] = []
    for file in files:
        try:
            stat = file.stat()
            found.append((stat.st_mtime_ns, stat.st_size, stat.st_ino))
        except OSError:
            found.append(None)
    return tuple(found)


async def _blocking(work: Callable[[_Given], _Found], given: _Given) -> _Found:
    """Files are read off the loop: a file system that hangs must not stop all clusters."""
    reading = asyncio.get_running_loop().run_in_executor(None, work, given)
    try:
        async with asyncio.timeout(_READ_S):
            return await reading
    except TimeoutError:
        raise Unusable(f"kubeconfig and its files: not read in {_READ_S:g} s") from None


def _pass(target: Target, issued: Issued) -> Pass:
    token = issued.token or target.token
    headers = target.headers
    if token:
        headers = (("Authorization", f"Bearer {token}"), *headers)
    certificate = issued.certificate or target.certificate
    tls = None
    if target.server.startswith("https:"):
        tls = tls_context(target.ca, certificate, issued.key or target.key)
    elif token:
        raise Unusable(f"{target.server}: a token is sent over https:// only")
    secrets = (token, target.proxy, (issued.key or target.key).decode("ascii", "replace"))
    return Pass(
        server=target.server,
        server_name=target.server_name or None,
        proxy=target.proxy or None,
        tls=tls,
        headers=headers,
        secrets=tuple(secret for secret in secrets if len(secret) >= _SHORTEST_SECRET),
    )

"""Addresses of API servers, looked up in a way that no other cluster waits for.

A lookup blocks a thread for as long as the system likes. Each cluster has at most one under
way; all its connections wait for that one, and while it fails or hangs the last known
addresses are good enough.
"""

from __future__ import annotations

import asyncio
import socket

from aiohttp.abc import AbstractResolver, ResolveResult

_PATIENCE_S = 2.0  # for a lookup, when there are last known addresses


class LastKnown(AbstractResolver):
    """A resolver for the few names of one cluster."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], list[ResolveResult]] = {}
        self._lookups: dict[tuple[str, int], asyncio.Future[list[ResolveResult]]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Addresses of a host; see AbstractResolver. Raises OSError when none is known."""
        place = (host, port)
        lookup = self._lookups.get(place)
        if lookup is None:
            lookup = asyncio.ensure_future(self._look_up(host, port, family))
            self._lookups[place] = lookup
            lookup.add_done_callback(lambda done: self._ended(place, done))
        known = self._known.get(place)
        if known is None:
            return await asyncio.shield(lookup)
        await asyncio.wait([lookup], timeout=_PATIENCE_S)
        return self._known[place]

    async def close(self) -> None:
        """Forget everything. A thread that looks up ends by itself."""
        for lookup in list(self._lookups.values()):
            lookup.cancel()
        self._known.clear()

    async def _look_up(
        self, host: str, port: int, family: socket.AddressFamily
    ) -> list[ResolveResult]:
        infos = await asyncio.get_running_loop().getaddrinfo(
            host, port, type=socket.SOCK_STREAM, family=family, flags=socket.AI_ADDRCONFIG
        )
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=found,
                proto=proto,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for found, _, proto, _, address in infos
        ]

    def _ended(self, place: tuple[str, int], lookup: asyncio.Future[list[ResolveResult]]) -> None:
        self._lookups.pop(place, None)
        if not lookup.cancelled() and lookup.exception() is None and lookup.result():
            self._known[place] = lookup.result()

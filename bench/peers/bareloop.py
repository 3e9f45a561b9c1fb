"""The least that anybody can do: a loop of concurrent server-side-apply PATCHes with aiohttp,
sixteen at once to each API server, and no code of Frota's on the way. It compares nothing,
watches nothing and keeps nothing."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import aiohttp

from bench.paths import path_of
from frota.drivers.devfleet.cluster import Cluster
from frota.model.objects import Object

NAME = "bare loop of PATCHes"
_AT_ONCE = 16
_QUERY = "fieldManager=frota&fieldValidation=Strict"
_HEADERS = {"Content-Type": "application/apply-patch+yaml", "Accept": "application/json"}


def apply(
    clusters: Sequence[Cluster],
    objects: Mapping[str, Sequence[Object]],
    *,
    dry_run: bool = False,
    force: bool = False,
) -> float:
    """Send everything to all clusters at the same time; the seconds it took. Namespaces go
    first. Raises RuntimeError when an API server refuses an object."""
    bodies = {
        name: [(path_of(item), _body(item), item["kind"]) for item in items]
        for name, items in objects.items()
    }
    began = time.perf_counter()
    more = ("&dryRun=All" if dry_run else "") + ("&force=true" if force else "")
    asyncio.run(_all(clusters, bodies, more))
    return time.perf_counter() - began


async def _all(
    clusters: Sequence[Cluster], bodies: Mapping[str, list[tuple[str, bytes, str]]], more: str
) -> None:
    await asyncio.gather(*(_one(cluster, bodies[cluster.name], more) for cluster in clusters))


async def _one(cluster: Cluster, bodies: list[tuple[str, bytes, str]], more: str) -> None:
    async with _session(cluster) as session:

        async def work(waiting: list[tuple[str, bytes, str]]) -> None:
            while waiting:
                path, body, _ = waiting.pop()
                await _patch(session, f"{path}?{_QUERY}{more}", body)

        spaces = [body for body in bodies if body[2] == "Namespace"]
        rest = [body for body in reversed(bodies) if body[2] != "Namespace"]
        for waiting in (spaces, rest):
            await asyncio.gather(*(work(waiting) for _ in range(_AT_ONCE)))


@contextmanager
def held(clusters: Sequence[Cluster]) -> Iterator[Callable[[Mapping[str, Object]], None]]:
    """Connections that are kept open: what is given sends one object to each cluster by name,
    to all at the same time, and returns when all have answered."""

    async def opened() -> dict[str, aiohttp.ClientSession]:
        return {cluster.name: _session(cluster) for cluster in clusters}

    async def send(objects: Mapping[str, Object]) -> None:
        await asyncio.gather(
            *(
                _patch(sessions[name], f"{path_of(item)}?{_QUERY}&force=true", _body(item))
                for name, item in objects.items()
            )
        )

    async def close() -> None:
        for session in sessions.values():
            await session.close()

    with asyncio.Runner() as runner:
        sessions = runner.run(opened())
        yield lambda objects: runner.run(send(objects))
        runner.run(close())


def _session(cluster: Cluster) -> aiohttp.ClientSession:
    pki = cluster.layout.pki
    tls = ssl.create_default_context(cafile=str(pki("ca.crt")))
    tls.load_cert_chain(pki("admin.crt"), pki("admin.key"))
    connector = aiohttp.TCPConnector(limit=0, ssl=tls)
    server = f"https://127.0.0.1:{cluster.ports.api}"
    return aiohttp.ClientSession(server, connector=connector, headers=_HEADERS)


async def _patch(session: aiohttp.ClientSession, target: str, body: bytes) -> None:
    async with session.patch(target, data=body) as answer:
        said = await answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{target}: {answer.status} {said[:300]!r}")


def _body(item: Object) -> bytes:
    return json.dumps(item).encode()

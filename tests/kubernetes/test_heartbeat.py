"""Questions to several servers, in virtual time: when they are asked, and what silence means."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from frota.drivers.kubernetes.fault import Silent
from frota.drivers.kubernetes.heartbeat import BEAT_S, Heartbeat
from frota.drivers.kubernetes.link import Link
from tests.kubernetes.simloop import SimLoop


class Server(Link):
    """Answers after a while, until it hangs. ``asked``: when it was, in loop time."""

    def __init__(self, takes: float) -> None:
        self.takes = takes
        self.hangs = False
        self.asked: list[float] = []

    async def alive(self, path: str, seconds: float) -> int:
        del path
        self.asked.append(asyncio.get_running_loop().time())
        await asyncio.sleep(seconds if self.hangs else self.takes)
        if self.hangs:
            raise Silent("no answer", sent=True)
        return 200


def test_servers_are_asked_together_and_none_of_them_less_often() -> None:
    servers = [Server(0.003), Server(0.01), Server(0.04)]

    async def ask() -> None:
        for server in servers:
            tasks.append(asyncio.create_task(Heartbeat(server, lambda _: None).run()))
            await asyncio.sleep(0.02)
        await asyncio.sleep(20.0)

    tasks: list[asyncio.Task[None]] = []
    SimLoop().run(ask())
    later = [[round(at, 3) for at in server.asked[1:20]] for server in servers]
    assert later[0] == later[1] == later[2]
    for server in servers:
        gaps = [after - before for before, after in pairwise(server.asked)]
        assert max(gaps) <= BEAT_S + server.takes


@pytest.mark.parametrize("hangs_at", [5.0 + 0.05 * step for step in range(20)])
def test_a_server_that_hangs_is_known_within_three_seconds(hangs_at: float) -> None:
    server = Server(0.01)

    async def ask() -> None:
        beat = Heartbeat(server, lambda _: None)
        asking = asyncio.create_task(beat.run())
        await asyncio.sleep(hangs_at)
        assert beat.answers
        server.hangs = True
        await asyncio.sleep(3.0)
        assert not beat.answers
        asking.cancel()

    SimLoop().run(ask())

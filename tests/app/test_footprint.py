"""What a control plane of Kubernetes clusters alone takes."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tracemalloc
from contextlib import suppress
from pathlib import Path
from ssl import PROTOCOL_TLS_CLIENT, SSLContext

from frota.drivers.eventloop import EventLoop
from frota.ports.store import Write
from frota.resources.documents import load
from frota.store.sqlite import SqliteStore

EXAMPLE = Path(__file__).parents[2] / "examples" / "active-active"
_SERVES = """
import sys, threading
from pathlib import Path
from frota.app.application import Application
from frota.controllers.clusterrecords import STATUS
from tests.waiting import until

with Application(Path(sys.argv[1]), "test", lambda _: None, speed=100.0) as app:
    thread = threading.Thread(target=app.run)
    thread.start()
    until(lambda: any(entry.value.settled for entry in app.store.list(STATUS)))
    app.stop()
    thread.join()
print(*sorted({"numpy", "ortools", "rich"} & sys.modules.keys()))
"""


def test_a_fleet_without_host_groups_loads_no_solvers(tmp_path: Path) -> None:
    """They take 33 MiB, a fifth of all that a fleet of 3,000 objects takes."""
    files = [(file.name, file.read_text(encoding="utf-8")) for file in EXAMPLE.iterdir()]
    store = SqliteStore(tmp_path / "frota.db")
    store.commit([Write(r.kind, r.name, r.document, 0) for r in load(files).resources])
    store.close()
    command = [sys.executable, "-c", _SERVES, str(store.path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("\n", "")


def test_a_tls_connection_takes_little_memory() -> None:
    """A cluster has some thirty of them: one for each kind that is watched, and those that
    deliver. Left to itself asyncio takes 256 KiB for the buffer of each."""
    running = EventLoop("test")
    try:
        assert asyncio.run_coroutine_threadsafe(_taken(), running.loop).result() < 256 * 1024
    finally:
        running.close(lambda: None)


async def _taken() -> int:
    """By a connection to a server that has not answered yet."""
    heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.set_result(await reader.read(1))
        writer.close()

    async with await asyncio.start_server(hear, "127.0.0.1") as server:
        place = server.sockets[0].getsockname()
        tracemalloc.start()
        try:
            context = SSLContext(PROTOCOL_TLS_CLIENT)
            opening = asyncio.create_task(asyncio.open_connection(*place, ssl=context))
            await heard
            taken, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        with suppress(OSError):
            await opening
        return taken

"""An agent that is killed again and again while bundles come: nothing older is followed
after something newer, and in the end the newest is."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from frota.controllers.publishing import agent_status, publish
from frota.drivers.objects.directory import DirectoryBlobs
from frota.drivers.objects.keys import new_signer, public_text
from frota.planners.bundlestore import places
from frota.planners.publication import Stamp
from tests.pull.doubles import bundle

ROOT = Path(__file__).parents[3]
KILLS = 4


def test_kill_9_at_any_moment(tmp_path: Path) -> None:
    store, cluster = f"file://{tmp_path}/store", tmp_path / "cluster"
    signer = new_signer(tmp_path / "key")
    trust = tmp_path / "keys.pem"
    trust.write_text(public_text(signer.public))
    found = places(store, "east")
    source = DirectoryBlobs(Path(found.bundles.name))
    draw = random.Random(5)

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.real.objects.agent_process", store,
             str(tmp_path / "state"), str(trust), str(cluster)],
            cwd=ROOT, stdout=subprocess.DEVNULL,
        )  # fmt: skip

    number = 0

    def publish_next() -> None:
        nonlocal number
        number += 1
        # Large enough that a kill often falls between two writes.
        publish(source, bundle(f"n{number}", text="x" * 2_000_000), Stamp(signer, 1))

    for _ in range(KILLS):
        process = start()
        try:
            publish_next()
            _until(lambda: _reached(cluster) == number)
            for _ in range(3):
                publish_next()
                time.sleep(draw.uniform(0.0, 0.06))
        finally:
            process.kill()
            process.wait(10)
    last = start()
    try:
        _until(lambda: _reached(cluster) == number)
        status = DirectoryBlobs(Path(found.status.name))
        _until(lambda: _told(status) == number)
    finally:
        last.kill()
        last.wait(10)
    lines = _lines(cluster)
    positions = [position for position, _ in lines]
    assert positions == sorted(positions)
    assert all(names == [f"n{position}"] for position, names in lines)
    assert len(list((tmp_path / "state" / "bundles").iterdir())) <= KILLS + 2


def _lines(file: Path) -> list[tuple[int, list[str]]]:
    """Sequence and objects of everything that was handed over."""
    if not file.exists():
        return []
    whole = [json.loads(line) for line in file.read_text().splitlines() if line.endswith("]]")]
    return [(int(position.partition(".")[2]), names) for position, names in whole]


def _reached(file: Path) -> int:
    lines = _lines(file)
    return lines[-1][0] if lines else 0


def _told(status: DirectoryBlobs) -> int:
    said = agent_status(status, "acme", "east")
    return said.sequence if said else 0


def _until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)

"""A process killed at any moment: what it was told is stored is stored, and never a half."""

from __future__ import annotations

import random
import select
import signal
import subprocess
import sys
from pathlib import Path

from frota.store.sqlite import SqliteStore

ROUNDS = 30

# Every commit writes two entries with one number, deletes or makes a third, and adds two
# journal lines. The number goes down the pipe only after ``commit`` returned.
WRITER = """
import os, sys
from pathlib import Path
from frota.model.decision import Decision, Stage
from frota.ports.store import Write
from frota.store.sqlite import SqliteStore
store = SqliteStore(Path(sys.argv[1]), journal_lines=50, tombstones=5)
entry = store.get("Counter", "left")
number = entry.value["n"] if entry else 0
while True:
    number += 1
    value = {"n": number, "text": "x" * (number % 7000)}
    third = None if number % 2 else {"n": number}
    story = [Decision(number, "g", "c", stage, "s", "R", "m") for stage in list(Stage)[:2]]
    store.commit(
        [Write("Counter", "left", value, None), Write("Counter", "right", value, None),
         Write("Counter", "third", third, None)], story,
    )
    os.write(1, b"%d\\n" % number)
"""


def test_what_was_acknowledged_is_there_and_nothing_is_half_written(tmp_path: Path) -> None:
    path = tmp_path / "frota.db"
    rng = random.Random(3)
    acknowledged = 0
    for number in range(ROUNDS):
        said = run_and_kill(path, rng, early=number % 3 == 0)
        if path.exists():
            check(path, max(acknowledged, said))
        acknowledged = max(acknowledged, said)
    assert acknowledged > ROUNDS


def run_and_kill(path: Path, rng: random.Random, *, early: bool) -> int:
    """Start the writer and kill it; the last number it acknowledged.

    Early: while it starts and opens the file. Else: some time after its first commit.
    """
    child = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE)
    with child:
        assert child.stdout is not None
        if early:
            pause(rng.uniform(0, 0.2))
        else:
            assert select.select([child.stdout], [], [], 60)[0]
            pause(rng.uniform(0, 0.03))
        child.kill()
        said = child.stdout.read().split(b"\n")[:-1]
        assert child.wait(60) == -signal.SIGKILL
    return int(said[-1]) if said else 0


def pause(seconds: float) -> None:
    """Let real time pass: the child is a real process."""
    select.select([], [], [], seconds)


def check(path: Path, acknowledged: int) -> None:
    store = SqliteStore(path, journal_lines=50, tombstones=5)
    store.verify()
    left, right = store.get("Counter", "left"), store.get("Counter", "right")
    number = 0 if left is None else left.value["n"]
    assert number >= acknowledged
    assert (left and left.value) == (right and right.value)
    assert (left and left.revision) == (right and right.revision)
    third = store.get("Counter", "third")
    assert (third is None) == (number % 2 == 1 or number == 0)
    times = [line.at for line in store.journal()]
    assert times == sorted([at for at in range(1, number + 1) for _ in "ab"][-50:])
    store.close()

"""The bench names its works and prints figures of the promised form."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.catalogue import WORKS
from bench.figures import Figure, Must

RUN = Path(__file__).resolve().parent.parent.parent / "bench" / "run.py"
KEYS = ["work", "metric", "value", "unit", "bar", "holds", "peer", "peer_value", "ratio"]


def run(*words: str) -> list[dict[str, Any]]:
    command = [sys.executable, str(RUN), "--json", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_works_are_listed() -> None:
    listed = run("--list")
    assert [row["work"] for row in listed] == list(WORKS)
    works = RUN.parent / "works"
    assert all((works / f"{work.replace('-', '_')}.py").exists() for work in WORKS)


def test_one_work_prints_its_figures() -> None:
    rows = run("simulation-quiet", "--seconds", "1")
    assert rows
    for row in rows:
        assert list(row) == KEYS
        assert row["work"] == "simulation-quiet"
        assert row["holds"] in (True, False)


def test_an_unknown_work_is_refused_with_the_known_ones() -> None:
    command = [sys.executable, str(RUN), "rack-return-16"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert "rack-return-160" in done.stderr


def test_bars_hold_or_not() -> None:
    assert Figure("m", 1.0, "s", 1.0).holds
    assert not Figure("m", 1.1, "s", 1.0).holds
    assert Figure("m", 1.1, "1/s", 1.0, Must.BE_AT_LEAST).holds
    assert Figure("m", 2, "moves", 2, Must.EQUAL).holds
    assert not Figure("m", 1, "moves", 2, Must.EQUAL).holds
    assert not Figure("m", 2, "moves", 2, Must.EQUAL, sound=False).holds
    assert Figure("m", 2, "s").holds is None
    assert json.loads(Figure("m", float("inf"), "s", 1.0, peer="p").line("w"))["value"] is None
    assert Figure("m", 3.0, "s", peer="p", peer_value=1.5).ratio == 2.0

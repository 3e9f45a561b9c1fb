"""Schedules that broke something once. Each stays here so that it never does again.

The files are whole schedules as they were drawn, so they stay what they are when drawing
changes; ``frota simulate FILE`` plays each of them too.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from frota.simulation.fuzz import try_schedule

BROKEN_ONCE = sorted((Path(__file__).parent / "broken_once").glob("*.yaml"))


@pytest.mark.parametrize("file", BROKEN_ONCE, ids=lambda file: file.stem)
def test_a_schedule_that_failed_once_holds(file: Path) -> None:
    played = try_schedule(yaml.safe_load(file.read_text(encoding="utf-8")))
    assert (played.broken, played.unmet) == ((), ())

"""Every scenario file: all that it requires holds, and the same input gives the same run."""

from __future__ import annotations

from pathlib import Path

import pytest

from frota.simulation.parsing import parse
from frota.simulation.play import play
from frota.simulation.scenario import Scenario

FILES = sorted(Path("scenarios").glob("*.yaml"))


def load(file: Path) -> Scenario:
    scenario, problems = parse(str(file), file.read_text(encoding="utf-8"))
    assert not problems
    assert scenario is not None
    return scenario


def test_every_edge_case_has_its_file() -> None:
    names = {load(file).name for file in FILES}
    assert {f"E9-{number:02d}" for number in range(1, 36)} <= names


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_scenario(file: Path) -> None:
    played = play(load(file))
    assert played.unmet == ()
    assert played.broken == ()


@pytest.mark.parametrize("file", FILES[::5], ids=lambda file: file.stem)
def test_i12_the_same_input_gives_the_same_run(file: Path) -> None:
    scenario = load(file)
    first, second = (play(scenario, idle_ticks=10) for _ in range(2))
    assert first.trace == second.trace
    assert play(scenario, seed=99, idle_ticks=10).trace != first.trace


@pytest.mark.parametrize("seed", [2, 3])
def test_outcomes_do_not_hang_on_the_seed(seed: int) -> None:
    for file in FILES:
        played = play(load(file), seed=seed, idle_ticks=10)
        assert played.broken == (), file


def test_files_say_what_happens_in_a_comment() -> None:
    for file in FILES:
        text = file.read_text(encoding="utf-8")
        assert text.startswith("# "), file
        assert load(file).title, file

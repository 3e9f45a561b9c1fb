"""``frota dev fleet`` where no server can be started."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Frota


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("dev",), "the following arguments are required: THING"),
        (("dev", "fleet"), "the following arguments are required: ACT"),
        (("dev", "fleet", "up", "--clusters", "0"), "expected a number from 1 to 20; found 0"),
        (("dev", "fleet", "up", "--clusters", "three"), "expected a number from 1 to 20"),
        (("dev", "fleet", "up", "--without", "etcd"), "invalid choice: 'etcd'"),
    ],
)
def test_bad_usage_is_refused(words: tuple[str, ...], said: str, empty: Frota) -> None:
    ended = empty(*words)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err


def test_without_a_fleet_there_is_nothing_to_end_or_to_show(empty: Frota, tmp_path: Path) -> None:
    state = tmp_path / "fleet"
    assert empty("dev", "fleet", "down", "--state", str(state)).out == "there was no fleet\n"
    assert empty("dev", "fleet", "down", "--state", str(state), "--output", "json").data == {
        "ended": 0
    }
    assert empty("dev", "fleet", "status", "--state", str(state), "--output", "json").data == []
    assert "there is no fleet in" in empty("dev", "fleet", "status", "--state", str(state)).err
    assert not state.exists()


def test_a_directory_with_other_things_is_left_alone(empty: Frota, tmp_path: Path) -> None:
    state = tmp_path / "photos"
    (state / "member-1").mkdir(parents=True)
    (state / "member-1/cat.jpg").write_text("a cat", encoding="utf-8")
    ended = empty("dev", "fleet", "up", "--state", str(state))
    assert ended.code == 2
    assert "has other things in it" in ended.err
    assert empty("dev", "fleet", "down", "--state", str(state)).code == 0
    assert (state / "member-1/cat.jpg").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: ConfigMap\n", "expected files with CustomResourceDefinition in them; found none"),
        ("a: [", "expected YAML or JSON"),
    ],
)
def test_definitions_are_read_before_anything_starts(
    text: str, said: str, empty: Frota, tmp_path: Path
) -> None:
    (tmp_path / "crds").mkdir()
    (tmp_path / "crds/a.yaml").write_text(text, encoding="utf-8")
    state = tmp_path / "fleet"
    ended = empty("dev", "fleet", "up", "--state", str(state), "--crds", str(tmp_path / "crds"))
    assert ended.code == 2
    assert said in ended.err
    assert not state.exists()

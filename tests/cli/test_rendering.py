"""``frota render``: what every cluster gets, as YAML that says what was meant."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from frota.cli.manifests import as_yaml
from tests.cli.conftest import Frota
from tests.compile.fleets import EVERYTHING, compiled

_TRAPS = ["y", "n", "no", "Yes", "ON", "off", "true", "null", "~", "", "1e3", "012", "0x1f", "1:30"]
_TRAPS += [".inf", "2026-11-01", "=", "<<", "*a", "&a", "!a", "1_000", "- a", "a: b", "a #b", " a"]


@pytest.mark.parametrize("word", _TRAPS)
def test_text_stays_text(word: str) -> None:
    text = as_yaml([{"kind": word, word: "value"}])
    assert yaml.safe_load(text) == {"kind": word, word: "value"}
    assert f'kind: "{word}"' in text


@given(st.recursive(st.text() | st.integers() | st.booleans(), st.lists, max_leaves=5))
def test_everything_comes_back(value: object) -> None:
    assert yaml.safe_load(as_yaml([{"a": value}])) == {"a": value}


def test_numbers_and_booleans_stay_bare() -> None:
    assert as_yaml([{"a": 1, "b": True, "c": "plain"}]) == "---\na: 1\nb: true\nc: plain\n"


def test_all_clusters_on_standard_output(empty: Frota) -> None:
    ended = empty("render", str(EVERYTHING))
    assert (ended.code, ended.err) == (0, "")
    read = [item for item in yaml.safe_load_all(ended.out) if item]
    assert read == [dict(item) for objects in compiled().values() for item in objects]
    assert not empty.store.exists()


def test_one_cluster_as_json(empty: Frota) -> None:
    ended = empty("render", str(EVERYTHING), "--cluster", "lab", "--output", "json")
    assert ended.data == {"lab": [dict(item) for item in compiled()["lab"]]}


def test_a_wrong_cluster_is_refused_with_the_right_word(empty: Frota) -> None:
    ended = empty("render", str(EVERYTHING), "--cluster", "infer-est")
    assert ended.code == 2
    assert "did you mean infer-east?" in ended.err


def test_a_fleet_without_members_is_refused(empty: Frota) -> None:
    ended = empty("render", str(EVERYTHING.parents[2] / "examples" / "three-hosts.yaml"))
    assert ended.code == 2
    assert "spec.fleet" in ended.err


def test_a_folder_for_each_cluster(empty: Frota, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert empty("render", str(EVERYTHING), "-o", str(out)).code == 0
    assert sorted(folder.name for folder in out.iterdir()) == sorted(compiled())
    files = {file.name for file in (out / "infer-east").iterdir()}
    assert files == {
        "_cluster.yaml",
        "frota-gpu.yaml",
        "frota-system.yaml",
        "ml-inference.yaml",
        "search-serving.yaml",
    }
    read = [
        item
        for file in (out / "infer-east").iterdir()
        for item in yaml.safe_load_all(file.read_text("utf-8"))
    ]
    assert len(read) == len(compiled()["infer-east"])


def test_files_of_others_are_left_alone(empty: Frota, tmp_path: Path) -> None:
    out = tmp_path / "lab"
    out.mkdir()
    (out / "theirs.yaml").write_text("a: 1\n")
    assert empty("render", str(EVERYTHING), "-o", str(tmp_path)).code == 0
    (out / "gone-team.yaml").write_text((out / "frota-system.yaml").read_text())
    assert empty("render", str(EVERYTHING), "-o", str(tmp_path)).code == 0
    assert (out / "theirs.yaml").exists()
    assert not (out / "gone-team.yaml").exists()  # of an earlier render, no longer wanted
    (out / "frota-system.yaml").write_text("mine: now\n")
    ended = empty("render", str(EVERYTHING), "-o", str(tmp_path))
    assert ended.code == 5
    assert "frota-system.yaml" in ended.err
    assert (out / "frota-system.yaml").read_text() == "mine: now\n"

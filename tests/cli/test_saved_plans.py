"""plan -o, apply --plan: what was shown is done exactly, or refused with what moved."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from frota.model.host import HostState
from tests.cli.conftest import EXAMPLE, GROUP, ROOT, Frota

FILES = ROOT / "examples" / "by-environment"


@pytest.fixture
def file(tmp_path: Path) -> str:
    return str(tmp_path / "plan.json")


def other(tmp_path: Path, old: str, new: str, source: Path = FILES) -> str:
    """The example with one word changed."""
    folder = tmp_path / f"other-{abs(hash(new))}"
    folder.mkdir()
    for path in [source] if source.is_file() else source.iterdir():
        text = path.read_text("utf-8")
        (folder / path.name).write_text(text.replace(old, new), "utf-8")
    return str(folder)


def test_what_was_planned_is_applied(empty: Frota, file: str) -> None:
    ended = empty("plan", str(FILES), "-o", file)
    assert ended.code == 0
    assert f"frota apply --plan {file}" in ended.err
    assert not empty.store.exists()
    assert empty("apply", "--plan", file, "--dry-run").code == 0
    assert not empty.store.exists()
    applied = empty("apply", "--plan", file)
    assert applied.code == 0
    assert "Fleet/acme created" in applied.out
    assert "unchanged" in empty("apply", str(FILES)).out


def test_it_is_applied_once(empty: Frota, file: str) -> None:
    empty("plan", str(FILES), "-o", file)
    assert empty("apply", "--plan", file).code == 0
    again = empty("apply", "--plan", file)
    assert again.code == 1
    assert "nothing was changed" in again.err
    assert "Fleet/acme was stored by somebody else" in again.err
    assert f"frota plan FILE… -o {file}" in again.err


def test_a_document_that_somebody_changed(empty: Frota, file: str, tmp_path: Path) -> None:
    assert empty("apply", str(FILES)).code == 0
    mine = other(tmp_path, "max-model-len=2048", "max-model-len=1024")
    assert empty("plan", mine, "-o", file).code == 0
    assert empty("apply", other(tmp_path, "max-model-len=2048", "max-model-len=512")).code == 0
    ended = empty("apply", "--plan", file)
    assert ended.code == 1
    assert "  InferenceService/chat was changed\n" in ended.err
    assert "Team/language" not in ended.err
    assert "512" in str(empty.entry("InferenceService", "chat").value)


def test_another_document_that_changes_what_follows(
    empty: Frota, file: str, tmp_path: Path
) -> None:
    """The files of the plan are as they were, but what a cluster would get is not."""
    assert empty("apply", str(FILES)).code == 0
    folder = Path(other(tmp_path, "max-model-len=2048", "max-model-len=1024"))
    service = next(p for p in folder.iterdir() if "kind: InferenceService" in p.read_text("utf-8"))
    alone = tmp_path / "service.yaml"
    parts = service.read_text("utf-8").split("\n---\n")
    alone.write_text(next(p for p in parts if "kind: InferenceService" in p), "utf-8")
    assert empty("plan", str(alone), "-o", file).code == 0
    empty.change("Team", "language", _widened)
    ended = empty("apply", "--plan", file)
    assert ended.code == 1
    assert "Cluster/dev: what it is to have: when planned content" in ended.err
    assert "meanwhile Team/language was changed" in ended.err


def _widened(team: Any) -> Any:
    return {**team, "spec": {**team["spec"], "members": {"team": ["eve@example.com"]}}}


def test_a_host_group_whose_moves_are_others_now(frota: Frota, file: str, tmp_path: Path) -> None:
    grown = other(tmp_path, "web\n      count: 3", "web\n      count: 5", EXAMPLE)
    planned = frota("plan", grown, "-o", file)
    assert planned.code == 0
    assert frota("apply", "--plan", file, "--dry-run").code == 0
    assert frota("drain", "c").code == 0
    frota.change("Host", f"{GROUP}/c", lambda host: replace(host, state=HostState.DRAINING))
    ended = frota("apply", "--plan", file)
    assert ended.code == 1
    assert f"HostGroup/{GROUP}: VM " in ended.err


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"form": "frota.dev/plan/v1"}', "\x00"])
def test_a_file_that_is_no_plan(text: str, empty: Frota, file: str) -> None:
    Path(file).write_text(text, "utf-8")
    ended = empty("apply", "--plan", file)
    assert ended.code == 2
    assert file in ended.err


def test_a_plan_that_was_edited(empty: Frota, file: str) -> None:
    empty("plan", str(FILES), "-o", file)
    body = json.loads(Path(file).read_text("utf-8"))
    body["documents"][0]["spec"]["environment"] = "prod"
    Path(file).write_text(json.dumps(body), "utf-8")
    ended = empty("apply", "--plan", file)
    assert ended.code == 2
    assert "plan again" in ended.err


def test_bad_usage(empty: Frota, file: str) -> None:
    assert empty("apply").code == 2
    assert empty("apply", str(FILES), "--plan", file).code == 2
    assert empty("apply", "--plan", file).code == 2
    assert empty("plan", "--now-what", "-o", file).code == 2

"""``frota bundle key`` and ``frota agent``."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from frota.cli.outcome import Exit
from tests.cli.conftest import ROOT, Frota

IMAGE = "registry.example/frota@sha256:" + "1" * 64


@pytest.fixture
def frota(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Frota:
    return Frota(tmp_path / "none.db", capsys)


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    """An example fleet whose first cluster has an agent."""
    place = tmp_path / "fleet"
    shutil.copytree(ROOT / "examples" / "active-active", place)
    for file in place.glob("*.yaml"):
        documents = list(yaml.safe_load_all(file.read_text()))
        for document in documents:
            if document["kind"] == "Cluster":
                document["spec"]["delivery"] = "pull"
            if document["kind"] == "Fleet":
                document["spec"]["bundles"] = {"store": "https://acme.blob.core.windows.net/frota"}
        file.write_text(yaml.safe_dump_all(documents))
    return place


def _clusters(fleet: Path) -> list[str]:
    return [
        document["metadata"]["name"]
        for file in sorted(fleet.glob("*.yaml"))
        for document in yaml.safe_load_all(file.read_text())
        if document["kind"] == "Cluster"
    ]


def test_a_key_is_made_once_and_never_shown(frota: Frota, tmp_path: Path) -> None:
    file = tmp_path / "key"
    made = frota("bundle", "key", "new", str(file))
    assert made.code == Exit.DONE
    assert file.stat().st_mode & 0o777 == 0o600
    secret = "".join(file.read_text().splitlines()[1:-1])
    shown = frota("bundle", "key", "show", str(file))
    assert shown.out == made.out
    assert "BEGIN PUBLIC KEY" in shown.out
    again = frota("bundle", "key", "new", str(file))
    assert again.code == Exit.BAD_INPUT
    assert "never written over" in again.err
    as_json = frota("bundle", "key", "show", str(file), "--output", "json")
    assert as_json.data["id"] in shown.out
    for ended in (made, shown, again, as_json):
        assert secret not in ended.out + ended.err


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [
        (None, 0o600, "No such file"),
        ("", 0o600, "expected an Ed25519 private key"),
        ("-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n", 0o600, "Ed25519"),
        ("x", 0o640, "others may read this private key; run: chmod 600"),
        ("x" * 70_000, 0o600, "at most"),
    ],
)
def test_files_that_are_no_key(
    frota: Frota, tmp_path: Path, content: str | None, mode: int, words: str
) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_text(content)
        file.chmod(mode)
    ended = frota("bundle", "key", "show", str(file))
    assert ended.code == Exit.BAD_INPUT
    assert words in ended.err
    assert "hunter2" not in ended.err


def test_manifests_of_an_agent(frota: Frota, fleet: Path, tmp_path: Path) -> None:
    keys = tmp_path / "keys.pem"
    keys.write_text(frota("bundle", "key", "new", str(tmp_path / "one")).out)
    with keys.open("a") as file:  # a second one, while keys are changed
        file.write(frota("bundle", "key", "new", str(tmp_path / "two")).out)
    cluster = _clusters(fleet)[0]
    line = ("agent", "manifests", str(fleet), "--cluster", cluster, "--image", IMAGE)
    ended = frota(*line, "--trust", str(keys))
    assert ended.code == Exit.DONE, ended.err
    items = list(yaml.safe_load_all(ended.out))
    assert {"Deployment", "ClusterRole", "Role", "NetworkPolicy"} <= {i["kind"] for i in items}
    trust = [i for i in items if i["metadata"]["name"] == "frota-agent-trust"]
    assert trust[0]["data"]["keys.pem"].count("BEGIN PUBLIC KEY") == 2
    assert "PRIVATE" not in ended.out
    assert items == frota(*line, "--trust", str(keys), "--output", "json").data


def test_what_is_no_cluster_with_an_agent(frota: Frota, fleet: Path, tmp_path: Path) -> None:
    keys = tmp_path / "keys.pem"
    keys.write_text(frota("bundle", "key", "new", str(tmp_path / "one")).out)
    cluster = _clusters(fleet)[0]
    trust = ("--trust", str(keys))
    files = str(fleet)
    for words, code, said in (
        ((files, "--cluster", "none", "--image", IMAGE, *trust), Exit.NOT_FOUND, "no Cluster none"),
        ((files, "--cluster", cluster, "--image", "frota:1", *trust), Exit.BAD_INPUT, "@sha256"),
        (
            (files, "--cluster", cluster, "--image", IMAGE, "--trust", str(tmp_path / "one")),
            Exit.BAD_INPUT,
            "expected 1 to 20 public keys",
        ),
        (
            (
                str(ROOT / "examples" / "active-active"),
                "--cluster",
                cluster,
                "--image",
                IMAGE,
                *trust,
            ),
            Exit.BAD_INPUT,
            "delivery: pull",
        ),
    ):
        ended = frota("agent", "manifests", *words)
        assert (ended.code, said in ended.err) == (code, True), ended.err

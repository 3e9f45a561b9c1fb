"""init, and what every command does with documents of a fleet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from frota.cli.init import PATTERNS, example
from frota.store.sqlite import SqliteStore
from tests.cli.conftest import EXAMPLE, ROOT, Frota


@pytest.fixture(params=sorted(PATTERNS))
def pattern(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_init_writes_a_fleet_that_applies(pattern: str, empty: Frota, tmp_path: Path) -> None:
    where = tmp_path / "new" / "fleet"
    ended = empty("init", pattern, "-o", str(where), "--output", "json")
    assert ended.code == 0
    assert ended.data["files"] == sorted(str(path) for path in where.iterdir())
    applied = empty("apply", str(where))
    assert applied.code == 0
    assert "warning" not in applied.err
    assert all(line.endswith(" created") for line in applied.out.splitlines())
    again = empty("apply", str(where))
    assert all(line.endswith(" unchanged") for line in again.out.splitlines())


def test_the_examples_are_what_init_writes(pattern: str) -> None:
    folder = ROOT / "examples" / pattern
    assert example(pattern) == {path.name: path.read_text("utf-8") for path in folder.iterdir()}
    assert all(text.startswith("# ") for text in example(pattern).values())


def test_real_clusters_are_two_lines_away(pattern: str, empty: Frota, tmp_path: Path) -> None:
    empty("init", pattern, "-o", str(tmp_path / "fleet"))
    path = tmp_path / "fleet" / "clusters.yaml"
    parts = path.read_text("utf-8").split("  provider: twin\n")
    real = parts[0]
    for number, part in enumerate(parts[1:]):
        config = f"  kubeconfig: {{path: /etc/frota/kubeconfig, context: c{number}}}\n"
        real += f"  provider: kubeconfig\n{config}{part}"
    path.write_text(real, "utf-8")
    ended = empty("validate", str(tmp_path / "fleet"))
    assert ended.code == 0, ended.err


def test_init_overwrites_nothing(empty: Frota, tmp_path: Path) -> None:
    mine = tmp_path / "teams.yaml"
    mine.write_text("mine", "utf-8")
    ended = empty("init", "by-function", "-o", str(tmp_path))
    assert ended.code == 1
    assert "teams.yaml would be overwritten; nothing was written" in ended.err
    assert mine.read_text("utf-8") == "mine"
    assert [path.name for path in tmp_path.glob("*.yaml")] == ["teams.yaml"]
    blocked = empty("init", "by-function", "-o", str(mine / "below"))
    assert blocked.code == 5
    wrong = empty("init", "by-functon")
    assert wrong.code == 2
    assert "did you mean by-function?" in wrong.err


def applied(frota: Frota) -> None:
    assert frota("apply", str(ROOT / "examples" / "active-passive")).code == 0


def test_tables(empty: Frota) -> None:
    applied(empty)
    clusters = empty("get", "clusters").out.splitlines()
    assert clusters[0].split() == [
        *("NAME", "FLEET", "ENVIRONMENT", "REGION", "FUNCTION", "REACHABLE", "SYNCED"),
        *("DRIFTED", "DEGRADED", "STALE", "GENERATION", "OBJECTS", "VERSION", "POOLS", "MESSAGE"),
    ]
    assert clusters[1].split()[:6] == [
        "inference-east",
        "acme",
        "prod",
        "east",
        "inference",
        "Unknown",
    ]
    assert empty("get", "fleets").out.splitlines()[1].split() == [
        *("acme", "staging", "->", "prod", "east", "west", "3", "correct"),
    ]
    assert empty("get", "teams").out.splitlines()[1].split()[:2] == ["language", "acme"]
    service = empty("get", "services").out.splitlines()[1].split()
    assert service == ["chat", "language", "llama-8b", "2026-11-01", "6", "active-passive"]
    assert empty("get", "jobs").out == ""
    shown = empty("get", "service", "chat", "--output", "json").data
    assert shown["spec"]["traffic"]["standbyReplicas"] == 2
    assert empty("get", "clusters", "--group", "plant-east", "--output", "json").data == []
    assert "Cluster:" in empty("describe", "fleet", "acme").out
    assert "InferenceService:" in empty("describe", "team", "language").out


def test_clusters_beside_a_host_group(empty: Frota) -> None:
    """Clusters without hosts are in nobody's way: not in plans, what-ifs or deletions."""
    applied(empty)
    assert empty("apply", str(EXAMPLE)).code == 0
    seen = empty("plan", "--now-what", "--output", "json")
    assert [group["group"] for group in seen.data["groups"]] == ["plant-east"]
    planned = empty("plan", str(ROOT / "examples" / "active-passive"), "--output", "json")
    assert planned.code == 0
    assert planned.data["groups"] == []
    assert empty("get", "clusters", "--group", "plant-east", "--output", "json").data[0][
        "metadata"
    ] == {"name": "east", "labels": {}}
    assert empty("delete", "hostgroup", "plant-east").code == 1
    assert empty("delete", "cluster", "east", "--yes").code == 0


def test_a_cluster_that_workloads_stand_on(empty: Frota, tmp_path: Path) -> None:
    """Changed so that they do not fit it, it is refused; taken away, it is told."""
    example = ROOT / "examples" / "by-environment"
    assert empty("apply", str(example)).code == 0
    text = (example / "clusters.yaml").read_text("utf-8")
    changed = tmp_path / "clusters.yaml"
    changed.write_text(text.replace("model: A100", "model: L40S"), "utf-8")
    ended = empty("apply", str(changed))
    assert ended.code == 2
    assert 'needs in spec.resources.gpu.model: L40S; found "A100"' in ended.err
    for name in ("dev", "staging"):
        assert "warning" not in empty("delete", "cluster", name, "--yes").err
    assert "it runs nowhere" in empty("delete", "cluster", "prod", "--yes").err


def test_what_is_needed_is_not_deleted(empty: Frota) -> None:
    applied(empty)
    for kind, name, by in (
        ("fleet", "acme", "Cluster/staging: spec.fleet"),
        ("team", "language", "InferenceService/chat: spec.team"),
        ("cluster", "inference-west", "Fleet/acme: spec.environments[1].waves[0][0]"),
    ):
        ended = empty("delete", kind, name, "--yes")
        assert ended.code == 1
        assert by in ended.err
    for kind, name in (("service", "chat"), ("team", "language"), ("cluster", "staging")):
        assert empty("delete", kind, name, "--yes").code == 0, name
    assert empty("get", "services", "chat").code == 4
    store = SqliteStore(empty.store, create=False)
    try:
        assert store.get("Cluster", "staging") is None
        assert list(store.list("FormerCluster")) == []
    finally:
        store.close()


def test_a_field_that_came_later_is_no_change(empty: Frota) -> None:
    """What an earlier version stored, applied again as it is."""
    assert empty("apply", str(EXAMPLE)).code == 0

    def older(value: dict[str, Any]) -> dict[str, Any]:
        spec = {k: v for k, v in value["spec"].items() if k not in ("delivery", "dns")}
        return {**value, "spec": spec}

    empty.change("Cluster", "east", older)
    assert empty("apply", str(EXAMPLE)).out.splitlines()[1] == "Cluster/east unchanged"

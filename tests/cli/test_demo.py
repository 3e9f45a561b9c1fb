"""demo: two acts, each of which checks what it says."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from frota.cli.demofleet import FleetStory
from frota.cli.demoground import SimulatedGround
from frota.cli.demotelling import Telling
from frota.cli.main import main
from tests.cli.conftest import Frota

HOSTS = (
    "nine VMs are spread evenly",
    "s after the crash (bar: 45 s)",
    "it is proved that no plan needs fewer",
    "c is empty and in Maintenance",
    "zero moves in half an hour",
    "a has left; the sets say Unhealthy",
    "every set is Healthy again",
    "0 broken",
)
FLEET = (
    "✓ dev has it, then staging",
    "✓ prod has nothing yet: it waits for a person",
    "$ frota rollout approve acme ",
    "✓ every cluster has it: Completed",
    "and mallory is named",
    "✓ first Unknown",
    "✓ then Unreachable",
    "✓ the rollout names prod: Unreachable: no answer: connection refused",
    "✓ and it is Running, not Completed",
    "✓ prod gets the change; only now the rollout is Completed",
    "✓ one story, from its cause to its end",
    "✓ 10 deletions are held in dev; the service is still there",
    "✓ approved: they are gone from dev",
)


def _telling(out: io.StringIO, *, terminal: bool = False) -> Telling:
    return Telling("fleet", Console(file=out, force_terminal=terminal, width=110), 0.0)


def test_both_acts_end_as_they_must(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo"]) == 0
    text = capsys.readouterr().out
    assert "✗" not in text
    for said in (*HOSTS, *FLEET):
        assert said in " ".join(text.split()), said
    assert "\x1b" not in text


def test_one_act_as_data(empty: Frota) -> None:
    ended = empty("demo", "fleet", "--output", "json")
    assert ended.code == 0, ended.err
    (act,) = ended.data["acts"]
    assert act["act"] == "fleet"
    assert act["asItMust"]
    steps = {step["title"]: step for step in act["steps"]}
    assert all(found["holds"] for step in act["steps"] for found in step["found"])
    conditions = [
        {cluster["name"]: cluster["conditions"] for cluster in step["clusters"]}
        for step in act["steps"]
        if "clusters" in step
    ]
    assert conditions[0]["staging"]["Synced"] == "True AsDeclared"
    assert conditions[0]["prod"]["Synced"] == "Unknown NothingReleased"
    died = steps["prod's API server dies, and a change is under way"]
    assert died["rollout"] == "Running"
    (prod,) = (one for one in died["clusters"] if one["name"] == "prod")
    assert prod["progress"] == "Unreachable"
    assert prod["conditions"]["Reachable"] == "False Unreachable"
    assert prod["conditions"]["Synced"].startswith("Unknown ")
    assert steps["prod's API server is back"]["rollout"] == "Completed"
    told = steps["Somebody loosens a Pod Security label in prod"]["journal"]
    assert "DriftCorrected" in [line["reason"] for line in told]
    assert not empty.store.exists()


@pytest.mark.parametrize("seed", [2, 7])
def test_the_fleet_fares_alike_in_other_worlds(seed: int) -> None:
    out = io.StringIO()
    telling = _telling(out)
    FleetStory(telling, SimulatedGround(seed)).tell()
    assert not telling.failed, out.getvalue()


class _Immortal(SimulatedGround):
    """A ground on which nothing dies."""

    def kill(self, cluster: str) -> None:
        """It is not."""


def test_what_does_not_come_true_is_said() -> None:
    out = io.StringIO()
    telling = _telling(out)
    FleetStory(telling, _Immortal(1)).tell()
    assert "✗ first Unknown" in out.getvalue()
    assert "first Unknown" in telling.failed
    assert not telling.data()["asItMust"]


def test_colours_are_for_terminals() -> None:
    out = io.StringIO()
    telling = _telling(out, terminal=True)
    telling.title("One", "two")
    telling.must(True, "three")
    assert "\x1b[32m" in out.getvalue()


def test_an_act_that_there_is_not(empty: Frota) -> None:
    ended = empty("demo", "ships")
    assert ended.code == 2
    assert "choose from 'hosts', 'fleet'" in ended.err


def test_the_demo_on_real_hosts_needs_the_source_tree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty: Frota
) -> None:
    monkeypatch.chdir(tmp_path)
    for words in (("demo", "--real"), ("demo", "fleet", "--real")):
        ended = empty(*words)
        assert ended.code == 5
        assert "make demo-real" in ended.err

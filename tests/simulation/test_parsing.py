"""Scenario files: what they may say, and where it is said to be wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from frota.simulation import expect
from frota.simulation.actions import ACTIONS
from frota.simulation.fuzz import try_schedule
from frota.simulation.parsing import from_mapping, parse
from frota.simulation.scenario import When
from frota.simulation.schedule import draw
from frota.simulation.writing import scenario_text

GOOD = """\
scenario: mine
title: one host
hosts:
  a: {memory: 64Gi, cpus: 16}
  b: {memory: 64Gi, cpus: 16}
pools:
  web: {count: 2, memory: 4Gi, cpus: 1}
"""


def problems(text: str) -> list[str]:
    scenario, found = parse("s.yaml", text)
    assert scenario is None
    return [str(problem) for problem in found]


def test_a_small_scenario() -> None:
    text = GOOD + (
        "timeline:\n"
        "  - {at: 10m, crash: {host: b, how: power-off}}\n"
        "  - {at: 5m, drain: [a, b]}\n"
        "expect:\n"
        "  - {at: 20m, set web: Healthy, moves: '<= 2'}\n"
        "  - {by: 21m, since: 20m, restarts: 1}\n"
        "never:\n"
        "  - host a: Down\n"
    )
    scenario, found = parse("s.yaml", text)
    assert not found
    assert scenario is not None
    assert [(event.at, event.action) for event in scenario.events] == [
        (300.0, "drain"),
        (600.0, "crash"),
    ]
    assert scenario.events[1].args == {"hosts": ["b"], "how": "power-off"}
    assert [item.when for item in scenario.expectations] == [
        When.AT, When.AT, When.BY, When.NEVER,
    ]  # fmt: skip
    assert scenario.expectations[0].subject == "set east-web"
    assert scenario.expectations[0].place == "s.yaml:12:15"
    assert scenario.expectations[2].since == 1200.0
    assert scenario.end == 600.0 + 1800.0
    assert [document["kind"] for document in scenario.documents] == ["HostGroup", "Cluster"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("timeline: [{at: 10m, crush: a}]", "did you mean crash?"),
        ("timeline: [{at: 10m, crash: z}]", "expected one of a, b"),
        ("timeline: [{at: 10 minutes, crash: a}]", "a time with its unit"),
        ("timeline: [{crash: a}]", "expected at: and a time"),
        ("timeline: [{at: 10m, crash: a, boot: b}]", "one action beside at"),
        ("timeline: [{at: 10m, crash: {host: a, how: fire}}]", "kernel"),
        ("timeline: [{at: 10m, capacity: {host: a}}]", "capacity: a value"),
        ("timeline: [{at: 10m, capacity: a}]", "a mapping with host, capacity"),
        ("timeline: [{at: 10m, scale: {db: 3}}]", "control-plane"),
        ("timeline: {at: 10m}", "a list"),
        ("expect: [{at: 1m, sets web: Healthy}]", "set NAME"),
        ("expect: [{moves: 1}]", "at: or by: and a time"),
        ("expect: [{at: 1m, host z: Up}]", "expected one of a, b"),
        ("expect: [{at: 1m, set web: {phrase: Healthy}}]", "did you mean phase?"),
        ("never: [{since: soon, host a: Down}]", "a time with its unit"),
        ("chances: {move-fails: often}", "a share"),
        ("chances: {moves-fail: 5%}", "did you mean move-fails?"),
        ("ending: 3h", "did you mean end?"),
        ("fleet: nowhere.yaml\n", "HostGroup"),
    ],
)
def test_what_is_wrong_is_said_at_its_line(text: str, said: str) -> None:
    found = problems(GOOD + text + "\n")
    assert any(said in line for line in found), found
    assert all(line.startswith("s.yaml:8:") for line in found), found


def test_all_errors_at_once() -> None:
    text = (
        GOOD + "timeline: [{at: 1m, crash: z}, {at: x, boot: a}]\nexpect: [{at: 1m, mooves: 1}]\n"
    )
    assert [line.split(" ")[0] for line in problems(text)] == [
        "s.yaml:8:28:", "s.yaml:8:37:", "s.yaml:9:19:",
    ]  # fmt: skip


def test_hosts_and_sets_are_checked_as_documents_are() -> None:
    found = problems(GOOD.replace("64Gi, cpus: 16}\n  b", "64G, cpus: 16}\n  b"))
    assert len(found) == 1
    assert found[0].startswith("s.yaml:4:3: spec.hosts[0].capacity.memory:")


def test_broken_yaml_and_two_documents() -> None:
    assert problems("hosts: [a\n")
    assert "one scenario in one file" in problems(GOOD + "---\n" + GOOD)[0]


def test_the_page_on_scenarios_names_every_word() -> None:
    page = Path("docs/scenarios.md").read_text(encoding="utf-8")
    words = [*ACTIONS, *expect.ORDER_COUNTS, *expect.STATE_COUNTS, *expect.SET_FIELDS]
    words += [*expect.VM_FIELDS, *expect.HOST_FIELDS]
    assert [word for word in words if f"`{word}`" not in page] == []


def test_a_fleet_from_files_beside_it() -> None:
    hosts = "[{name: a, capacity: {memory: 64Gi, cpus: 16}}]"
    fleet = (
        "apiVersion: frota.dev/v1alpha1\nkind: HostGroup\nmetadata: {name: plant}\n"
        f"spec: {{provider: twin, hosts: {hosts}}}\n---\n"
        "apiVersion: frota.dev/v1alpha1\nkind: Cluster\nmetadata: {name: east}\n"
        "spec: {provider: twin, hostGroup: plant,\n"
        "  controlPlane: {count: 1, vmSize: {memory: 2Gi, cpus: 1}}}\n"
    )
    text = "scenario: s\ntitle: t\nfleet: plant.yaml\ntimeline: [{at: 1m, drain: a}]\n"
    scenario, found = parse("s.yaml", text, {"plant.yaml": fleet}.__getitem__)
    assert not found
    assert scenario is not None
    assert len(scenario.documents) == 2


@pytest.mark.parametrize("seed", range(5))
def test_a_drawn_schedule_is_a_scenario_file(seed: int) -> None:
    mapping = draw(seed)
    text = scenario_text(mapping, ["I1 at 0:00:01.0: an example"])
    scenario, found = parse("drawn.yaml", text)
    assert not found
    drawn = from_mapping("drawn", mapping)
    assert scenario is not None
    assert scenario.events == drawn.events
    assert scenario.end == drawn.end
    assert scenario.chances == drawn.chances


def test_a_drawn_schedule_plays_as_its_file_does() -> None:
    from frota.simulation.fuzz import IDLE_TICKS
    from frota.simulation.play import play

    mapping = draw(4)
    scenario, _ = parse("drawn.yaml", scenario_text(mapping, ()))
    assert scenario is not None
    assert play(scenario, idle_ticks=IDLE_TICKS).trace == try_schedule(mapping).trace

"""Compiling again with what is known of the last time: the same, and only what changed is new."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from frota.compile.kubernetes import Memo, compile_fleet, compile_site, sites
from frota.model.objects import Object
from tests.compile.fleets import EVERYTHING, documents

BEFORE = list(documents(EVERYTHING))


class Compiler:
    """Compiles again and again, with what it remembers."""

    def __init__(self) -> None:
        self._reading = Memo()
        self._clusters: dict[str, Memo] = {}

    def compile(self, documents: list[dict[str, Any]]) -> dict[str, tuple[Object, ...]]:
        found = sites(documents, self._reading)
        self._reading.turn()
        self._clusters = {s.cluster: self._clusters.get(s.cluster, Memo()) for s in found}
        objects = {s.cluster: compile_site(s, self._clusters[s.cluster]) for s in found}
        for memo in self._clusters.values():
            memo.turn()
        return objects


def changed(document: dict[str, Any]) -> dict[str, Any]:
    """Another document of the same name, with something of it other where that is easy."""
    fresh = deepcopy(document)
    match document["kind"]:
        case "InferenceService":
            fresh["spec"]["runtime"]["args"] = ["--other"]
        case "TrainingJob":
            fresh["spec"]["args"] = ["--other"]
        case "Cluster":
            fresh["spec"]["telemetry"] = {"namespace": "elsewhere"}
            fresh["spec"]["environment"] = "staging"
        case "Team":
            fresh["spec"]["members"]["viewers"] = ["others"]
    return fresh


@given(st.sets(st.integers(0, len(BEFORE) - 1)), st.sets(st.integers(0, len(BEFORE) - 1)))
def test_it_is_the_same_as_without(first: set[int], second: set[int]) -> None:
    compiler = Compiler()
    for places in (set[int](), first, second):
        now = [changed(d) if place in places else d for place, d in enumerate(BEFORE)]
        assert compiler.compile(now) == compile_fleet(now)


def test_only_what_rests_on_a_change_is_made_anew() -> None:
    compiler = Compiler()
    before = compiler.compile(BEFORE)
    services = [place for place, d in enumerate(BEFORE) if d["kind"] == "InferenceService"]
    now = [changed(d) if place == services[0] else d for place, d in enumerate(BEFORE)]
    after = compiler.compile(now)
    name = BEFORE[services[0]]["metadata"]["name"]
    for cluster, objects in after.items():
        kept = {id(item) for item in before[cluster]}
        for item in objects:
            owner = item["metadata"]["labels"].get("frota.dev/service")
            if owner is not None:
                assert (id(item) in kept) == (owner != name)


def test_what_a_team_may_do_leaves_its_workloads_as_they_are() -> None:
    compiler = Compiler()
    before = compiler.compile(BEFORE)
    now = [changed(d) if d["kind"] == "Team" else d for d in BEFORE]
    for cluster, objects in compiler.compile(now).items():
        kept = {id(item) for item in before[cluster]}
        bindings = [item for item in objects if item["kind"] == "RoleBinding"]
        services = [i for i in objects if "frota.dev/service" in i["metadata"]["labels"]]
        assert all(id(item) in kept for item in services)
        assert any(id(item) not in kept for item in bindings)


def test_what_is_gone_is_forgotten() -> None:
    compiler = Compiler()
    compiler.compile(BEFORE)
    rest = [d for d in BEFORE if d["kind"] not in ("InferenceService", "TrainingJob")]
    assert compiler.compile(rest) == compile_fleet(rest)
    assert compiler.compile(BEFORE) == compile_fleet(BEFORE)

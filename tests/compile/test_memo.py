"""Compiling again with what is known of the last time: the same, and only what changed is new."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from frota.compile.kubernetes import Memo, compile_fleet
from tests.compile.fleets import EVERYTHING, documents

BEFORE = list(documents(EVERYTHING))


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
        case "Team":
            fresh["spec"]["members"]["viewers"] = ["others"]
    return fresh


@given(st.sets(st.integers(0, len(BEFORE) - 1)), st.sets(st.integers(0, len(BEFORE) - 1)))
def test_it_is_the_same_as_without(first: set[int], second: set[int]) -> None:
    memo = Memo()
    for places in (set[int](), first, second):
        now = [changed(d) if place in places else d for place, d in enumerate(BEFORE)]
        assert compile_fleet(now, memo) == compile_fleet(now)


def test_only_what_rests_on_a_change_is_made_anew() -> None:
    memo = Memo()
    before = compile_fleet(BEFORE, memo)
    services = [place for place, d in enumerate(BEFORE) if d["kind"] == "InferenceService"]
    now = [changed(d) if place == services[0] else d for place, d in enumerate(BEFORE)]
    after = compile_fleet(now, memo)
    name = BEFORE[services[0]]["metadata"]["name"]
    for cluster, objects in after.items():
        kept = {id(item) for item in before[cluster]}
        for item in objects:
            owner = item["metadata"]["labels"].get("frota.dev/service")
            if owner is not None:
                assert (id(item) in kept) == (owner != name)


def test_what_is_gone_is_forgotten() -> None:
    memo = Memo()
    compile_fleet(BEFORE, memo)
    rest = [d for d in BEFORE if d["kind"] not in ("InferenceService", "TrainingJob")]
    assert compile_fleet(rest, memo) == compile_fleet(rest)
    assert compile_fleet(BEFORE, memo) == compile_fleet(BEFORE)

"""What is stored keeps what it stands on, or the files are refused, with every workload named."""

from __future__ import annotations

from typing import Any

import pytest

from tests.resources.members import Doc, fleet, job, member, pair, service, team
from tests.resources.test_plant_rules import messages, stored, together, warnings

CPU_POOL = [{"name": "cpu", "count": 1}]
OTHER_POOL = [{"name": "other", "count": 4, "gpu": {"model": "A100", "count": 8}}]
H100 = [{"name": "gpu", "count": 4, "gpu": {"model": "H100", "count": 8}}]
FIRST = (*pair(), member("t", function="training"), service(pool="gpu"), job())
NEEDS = "metadata.name: expected what {} needs in {}: {}"


def refused(*files: Doc, known: tuple[Doc, ...] = FIRST) -> list[str]:
    return messages(together(*files, known=stored(*known)))


def test_a_pool_that_goes() -> None:
    said = refused(member("b", "west", nodePools=OTHER_POOL))
    expected = "a pool of each cluster: one of gpu, other"
    assert said == [
        "0.json: "
        + NEEDS.format("InferenceService chat", "spec.pool", expected)
        + '; found "gpu", '
        "which is not in b (or declare InferenceService chat anew beside it)"
    ]


def test_a_model_that_nobody_has_any_more_is_said_of_every_workload_at_once() -> None:
    files = [member("a", nodePools=H100), member("b", "west", nodePools=H100)]
    files.append(member("t", function="training", nodePools=H100))
    said = refused(*files, known=(*FIRST[:-2], service(), service("code"), job()))
    path = "spec.resources.gpu.model"
    workloads = ("InferenceService chat", "InferenceService code", "TrainingJob sft")
    assert [line.partition("; ")[0].partition(": ")[2] for line in said] == [
        NEEDS.format(workload, path, "H100") for workload in workloads
    ]


@pytest.mark.parametrize("elsewhere", [{"environment": "dev"}, {"function": "experimentation"}])
def test_a_cluster_that_is_named_and_is_for_something_else(elsewhere: Doc) -> None:
    placement = {"clusters": ["a"], "environments": ["prod"]}
    (said,) = refused(member("a", **elsewhere), known=(*pair(), service(placement=placement)))
    assert "what InferenceService chat needs in spec.placement.clusters[0]" in said


def test_a_second_cluster_for_a_job_that_is_one_run() -> None:
    (said,) = refused(member("t2", function="training"))
    assert NEEDS.format("TrainingJob sft", "spec.placement", "one cluster of prod") in said
    assert "found t, t2" in said


def test_a_region_that_a_fleet_takes_away() -> None:
    known = (fleet(), member("a"), team(), service(placement={"regions": ["west", "east"]}))
    (said,) = refused(fleet(regions=[{"name": "east"}]), known=known)
    assert "what InferenceService chat needs in spec.placement.regions[0]" in said


def test_where_it_still_runs_it_is_a_warning() -> None:
    known = stored(*pair(), service())
    said = warnings(together(member("b", "west", nodePools=CPU_POOL), known=known))
    assert said == [
        NEEDS.format(
            "InferenceService chat",
            "spec.resources.gpu",
            "GPUs in every cluster that it is placed in",
        )
        + "; found none that fit in b (it waits there)"
    ]
    known = stored(fleet(), member("a"), team(), service())
    (line,) = warnings(together(member("a", function="experimentation"), known=known))
    assert "what InferenceService chat needs in spec.placement: a cluster for inference" in line


@pytest.mark.parametrize(
    "files",
    [
        [member("a")],  # as it is stored
        [
            member("b", "west", nodePools=OTHER_POOL),
            member("a", nodePools=OTHER_POOL),
            service(pool="other"),
        ],
        [member("c", "west")],
    ],
)
def test_what_harms_nothing_says_nothing(files: list[dict[str, Any]]) -> None:
    result = together(*files, known=stored(*FIRST))
    assert messages(result) == []
    assert warnings(result) == []


def test_what_was_wrong_before_is_not_said_again() -> None:
    known = stored(*pair(), service())
    known[-1]["spec"]["pool"] = "gone"
    assert messages(together(member("c", "west"), known=known)) == []

"""What the control plane believes of an agent that holds deletions back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from frota.model.bundle import STATUS_MOST, AgentStatus, Progress
from frota.model.clusterstatus import ClusterCondition, ConditionType, Truth
from frota.model.deliveryplan import PruneApproval
from frota.model.release import HELD_MOST, Drift, HeldPrune
from frota.planners.agentstatus import read_status, write_status
from frota.planners.delivery.pruning import held_name
from frota.planners.pulled import held_back, looked, pulled_conditions, used_up
from tests.pull.doubles import well

DIGEST = "d" * 64
REVISION = f"0.3 {DIGEST}"
WAITS = (ConditionType.SYNCED, Truth.FALSE, "PruneHeld", "2 deletions wait")
SET = "applyset-acme"


def held(names: Iterable[str] = ("ConfigMap t/a", "ConfigMap t/b"), plan: str = "") -> HeldPrune:
    found = tuple(names)
    uids = frozenset(f"uid-{number}" for number in range(len(found)))
    plan = plan or held_name("east", SET, found, uids)
    return HeldPrune(PruneApproval(plan, uids), found, len(found), ("more than 1",))


def believed(found: HeldPrune, *wanted: str) -> tuple[HeldPrune | None, str]:
    return held_back(well(REVISION, WAITS, held=found), "east", SET, wanted)


def test_what_fits_together_can_be_approved() -> None:
    assert believed(held()) == (held(), "")


@pytest.mark.parametrize(
    ("lie", "wanted"),
    [
        (held(plan=held(["PersistentVolumeClaim t/data"]).approval.plan), ()),
        (replace(held(), objects=("ConfigMap t/a",)), ()),
        (replace(held(), objects=("ConfigMap t/a", "ConfigMap t/other")), ()),
        (replace(held(), approval=PruneApproval(held().approval.plan, frozenset({"uid-9"}))), ()),
        (held(), ("ConfigMap t/a",)),
    ],
    ids=["another's hash", "fewer names", "other names", "other uids", "declared objects"],
)
def test_what_does_not_fit_together_cannot(lie: HeldPrune, wanted: tuple[str, ...]) -> None:
    found, doubt = believed(lie, *wanted)
    assert found is None
    assert "does not fit together" in doubt


def test_names_that_a_person_was_shown_are_those_that_are_deleted() -> None:
    """Who writes the status shows harmless names under a hash of their own: the agent, which
    holds other objects, has another hash for them."""
    shown, _ = believed(held(["ConfigMap t/harmless"]))
    assert shown is not None
    real = held_name("east", SET, ["PersistentVolumeClaim t/data"], shown.approval.uids)
    assert shown.approval.plan != real


def test_too_many_are_counted_and_not_approved() -> None:
    many = [f"ConfigMap t/{number}" for number in range(HELD_MOST + 1)]
    whole = held(many)
    cut = replace(whole, objects=whole.objects[:HELD_MOST])
    text = write_status(said(well(REVISION, WAITS, held=cut)))
    assert len(text) < STATUS_MOST
    progress = read_status(text, "acme", "east").progress
    assert progress is not None
    assert progress.held is not None
    assert not progress.held.approval.uids
    found, doubt = held_back(progress, "east", SET, ())
    assert found is None
    assert f"{HELD_MOST + 1} deletions are held" in doubt


def test_only_what_is_said_of_the_published_bundle_counts() -> None:
    progress = well(REVISION, WAITS, held=held())
    assert looked(said(progress), DIGEST) == progress
    assert looked(said(progress), "e" * 64) is None
    assert looked(said(well("0.2 " + "e" * 64)), DIGEST) is None
    assert looked(said(Progress(REVISION)), DIGEST) is None
    assert held_back(well(REVISION, held=held()), "east", SET, ()) == (None, "")


def said(progress: Progress | None, **parts: Any) -> AgentStatus:
    return AgentStatus("acme", "east", 100, "1", 0, 3, DIGEST, progress, **parts)


@pytest.mark.parametrize(
    ("progress", "used"),
    [
        (well(REVISION), True),
        (well(REVISION, WAITS, held=held()), False),
        (well(REVISION, WAITS, held=held(["ConfigMap t/c"])), True),
        (well(REVISION, (ConditionType.SYNCED, Truth.UNKNOWN, "NotSeen", "")), False),
        (None, False),
    ],
)
def test_when_an_approval_is_used_up(progress: Progress | None, used: bool) -> None:
    assert used_up(progress, held().approval) is used


def conditions(status: AgentStatus | None, now: float = 101.0) -> dict[str, str]:
    found = pulled_conditions(status, DIGEST, (), now, 3)
    return {one.type: f"{one.status} {one.reason}" for one in found}


def test_the_conditions_are_those_of_the_agents_own_controller() -> None:
    stuck = (ConditionType.SYNCED, Truth.FALSE, "Conflict", "helm holds .spec")
    slow = (ConditionType.DEGRADED, Truth.FALSE, "Progressing", "0 of 3 ready")
    assert conditions(said(well(REVISION, stuck, slow))) == {
        "Reachable": "True Heard",
        "Synced": "False Conflict",
        "Drifted": "False AsDelivered",
        "Degraded": "False Progressing",
        "Stale": "False UpToDate",
    }


@pytest.mark.parametrize(
    ("status", "now", "synced", "reachable"),
    [
        (None, 101.0, "Unknown NotHeard", "Unknown NeverHeard"),
        (said(None), 101.0, "False Progressing", "True Heard"),
        (said(well("0.2 x")), 101.0, "False Progressing", "True Heard"),
        (said(well(REVISION), refusal="Old", refused="x"), 101.0, "False BundleRefused",
         "True Heard"),
        (said(well(REVISION)), 1000.0, "Unknown NotHeard", "False Unreachable"),
        (said(well(REVISION, (ConditionType.REACHABLE, Truth.FALSE, "Unreachable", "x"))), 101.0,
         "Unknown NotHeard", "False Unreachable"),
    ],
)  # fmt: skip
def test_what_is_not_known_is_unknown(
    status: AgentStatus | None, now: float, synced: str, reachable: str
) -> None:
    found = conditions(status, now)
    assert (found["Synced"], found["Reachable"]) == (synced, reachable)


def test_hostile_words_are_bounded() -> None:
    long = "\x1b[2J" + "x\n" * 5000
    hostile = Progress(
        revision=long,
        conditions=(ClusterCondition(ConditionType.SYNCED, Truth.TRUE, long, long, 1.0, 1),) * 99,
        drifts=(Drift(long, long, long, (long,) * 99),) * 999,
        problems=(long,) * 999,
        held=HeldPrune(PruneApproval(long, frozenset({long})), (long,) * 9999, 9999, (long,) * 999),
        trouble=long,
    )
    raw = msgspec.json.encode(
        said(
            replace(
                hostile,
                conditions=hostile.conditions[:9],
                drifts=(),
                held=None,
                problems=(long,) * 9,
            )
        )
    )
    for text in (raw, write_status(said(hostile))):
        progress = read_status(text, "acme", "east").progress
        assert progress is not None
        whole = msgspec.json.encode(progress).decode()
        assert whole.isprintable()
        assert len(whole) < STATUS_MOST
        assert progress.conditions[0].reason == "NotTold"


def test_numbers_are_bounded() -> None:
    text = msgspec.json.encode(said(well(REVISION, held=replace(held(), count=10**400))))
    with pytest.raises(ValueError, match="numbers that no agent writes"):
        read_status(text, "acme", "east")

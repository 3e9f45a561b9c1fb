"""Control plane, object store, agent and a simulated cluster: what the agent holds back and
meets is shown, and what a person decides is carried to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest

from frota.app.memberdelivery import MemberDelivery, SayingObserver
from frota.app.members import Members
from frota.app.twin import WorldAlarm
from frota.compile.kubernetes.labels import APPLY, ONCE, TTL_AFTER_FINISHED
from frota.controllers.pull import Identity, Pace, PullAgent, Surroundings
from frota.controllers.pulledcluster import Containers
from frota.model.clusterstatus import ConditionType
from frota.model.deliveryplan import PruneApproval
from frota.model.objects import ObjectKey
from frota.ports.clusters import ClusterAddress
from frota.runtime.alarm import PipeAlarm
from frota.runtime.clock import SystemClock
from frota.store.memory import MemoryStore
from frota.twin import TwinClock, World
from frota.twin.clusters import ClusterFleet, TwinClusters
from tests.pull.doubles import MemoryAnchor, MemoryBlobs, signer
from tests.pull.hub import Hub, contents, made

_DEADLINE_S = 30.0
_SPEED = 20.0


class Stage:
    """The control plane's passes and the agent's steps are taken by the test."""

    def __init__(self) -> None:
        self.clock = SystemClock()
        self.bundles, self.told = MemoryBlobs(), MemoryBlobs()
        self.hub = Hub(Containers(self.bundles, self.told), signer())
        self.world = World(7)
        self.members = ClusterFleet(self.world)
        self.server = self.members.add("east").server
        self.lines: list[str] = []
        self.anchor = MemoryAnchor()
        self.delivery: MemberDelivery | None = None

    def start(self) -> None:
        """The agent begins, with nothing on its disk."""
        theirs = TwinClock(self.world, 0.0)
        clusters = TwinClusters(self.members, theirs)
        alarm = WorldAlarm(self.world, self.clock, _SPEED)

        def close() -> None:
            clusters.close()
            alarm.close()

        self.delivery = MemberDelivery(
            ClusterAddress("east"),
            MemoryStore(),
            Members(clusters, theirs, alarm, close),
            SayingObserver(self.lines.append),
        )
        around = Surroundings(
            source=self.bundles,
            status=self.told,
            local=MemoryBlobs(),
            anchor=self.anchor,
            reconciler=self.delivery,
            keys=lambda: (signer().public,),
            clock=self.clock,
            wall=self.clock.now,
            rng=Random(7),
        )
        pace = Pace(poll=0.01, watch=0.01)
        self.agent = PullAgent(Identity("acme", "east", "1"), around, pace)

    def lose(self) -> None:
        """The agent's pod goes, with its disk."""
        assert self.delivery is not None
        self.delivery.close()
        self.delivery = None

    def until(self, what: Callable[[], Any]) -> Any:
        end, alarm = self.clock.now() + _DEADLINE_S, PipeAlarm()
        while not (found := what()) and self.clock.now() < end:
            self.hub.step()
            self.agent.step()
            alarm.wait(0.01)
        alarm.close()
        assert found, (self.hub.status(), self.lines)
        return found

    def has(self, name: str) -> bool:
        return ObjectKey("", "ConfigMap", "team-a", name) in self.server.objects


@pytest.fixture
def stage() -> Iterator[Stage]:
    made = Stage()
    yield made
    if made.delivery is not None:
        made.delivery.close()


def braked(stage: Stage) -> PruneApproval:
    """Three objects are not declared any more, and held: the approval of that."""
    stage.hub.release(contents("a", "b", "c", "d"))
    stage.until(lambda: stage.hub.well and stage.has("d"))
    stage.hub.release(contents("a"))
    approval: PruneApproval = stage.until(lambda: stage.hub.held).approval
    return approval


def test_held_deletions_are_shown_approved_and_used_up(stage: Stage) -> None:
    stage.start()
    approval, hub = braked(stage), stage.hub
    assert hub.condition() == "False PruneHeld"
    assert hub.condition(ConditionType.DRIFTED) == "False AsDelivered"
    assert hub.held is not None
    assert hub.held.objects == tuple(f"ConfigMap team-a/{name}" for name in "bcd")
    assert "more than 1" in hub.held.reasons[0]
    assert stage.has("b")
    told = [line for line in hub.store.journal() if line.reason == "PruneHeld"]
    assert approval.plan in told[-1].message
    before = hub.number
    hub.approve(approval)
    stage.until(lambda: hub.well)
    assert not stage.has("b")
    assert stage.has("a")
    stage.until(lambda: not hub.approvals)
    for _ in range(5):
        hub.step()
    assert hub.number == before + 1, "that an approval was used up was published"
    again = braked(stage)  # the same names: another approval is needed
    assert again.plan != approval.plan
    assert stage.has("b")


def test_a_kind_that_goes_while_the_agent_and_its_disk_are_lost(stage: Stage) -> None:
    service = made("Service", "s", spec={"ports": [{"port": 80}]})
    stage.start()
    stage.hub.release([*contents("a"), service])
    stage.until(lambda: stage.hub.well)
    key = ObjectKey("", "Service", "team-a", "s")
    assert key in stage.server.objects
    stage.lose()
    stage.hub.release(contents("a"))
    stage.start()
    stage.until(lambda: stage.hub.well and key not in stage.server.objects)
    kinds = {"ConfigMap", "Namespace"}
    stage.until(lambda: {kind.kind for kind in stage.anchor.kept.kinds} == kinds)


def test_a_job_that_ended_does_not_run_again_when_agent_and_disk_are_lost(stage: Stage) -> None:
    job = made("Job", "tune", spec={"template": {"spec": {}}})
    job["apiVersion"] = "batch/v1"
    job["metadata"]["annotations"] = {APPLY: ONCE, TTL_AFTER_FINISHED: "1"}
    key = ObjectKey("batch", "Job", "team-a", "tune")
    stage.start()
    stage.hub.release([*contents("a"), job])
    stage.until(lambda: key in stage.server.objects)
    ended = {"type": "Complete", "status": "True", "lastTransitionTime": "1970-01-01T00:00:00Z"}
    done = {"conditions": [ended]}
    stage.server.update(
        key, "kube-controller-manager", lambda item: item.update(status=done), "status"
    )
    stage.until(lambda: key not in stage.server.objects and stage.anchor.kept.ran)
    stage.lose()
    stage.start()
    stage.hub.release([*contents("a", "b"), job])
    stage.until(lambda: stage.has("b") and stage.hub.well)
    assert key not in stage.server.objects


def test_an_approval_of_something_else_deletes_nothing(stage: Stage) -> None:
    stage.start()
    approval = braked(stage)
    stage.hub.approve(PruneApproval("0" * 32, approval.uids))  # the very uids, another hash
    stage.until(lambda: not stage.hub.approvals)
    assert stage.has("b")
    assert stage.hub.condition() == "False PruneHeld"


def test_a_conflict_names_the_other_manager_and_is_taken_over(stage: Stage) -> None:
    foreign = made("ConfigMap", "a", data={"of": "helm"})
    del foreign["metadata"]["labels"]
    stage.server.apply(made("Namespace", "team-a", ""), "kubectl", force=True)
    stage.server.apply(foreign, "helm", force=True)
    stage.start()
    stage.hub.release(contents("a", "b"))
    stage.until(lambda: stage.hub.condition() == "False Conflict")
    status = stage.hub.status()
    assert status is not None
    (problem,) = status.problems
    assert problem.startswith("ConfigMap team-a/a: Conflict: ")
    assert "held by helm" in problem
    mine = ObjectKey("", "ConfigMap", "team-a", "a")
    stage.hub.take_over(mine, ("", "ConfigMap", "other", "not-of-the-bundle"))
    stage.until(lambda: stage.hub.well)
    assert stage.server.objects[mine].item["data"] == {"of": "a"}

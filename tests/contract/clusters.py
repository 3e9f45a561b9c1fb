"""What every implementation of ``frota.ports.clusters.Clusters`` must do.

Subclass ``ClustersContract`` and give a ``stage`` fixture. A test that a stage cannot play
must not be left out silently: make the stage able to play it. Only ConfigMaps, Namespaces
and Deployments are used, in namespaces that the tests make and nobody else uses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any, Protocol

import pytest

from frota.model.delivery import (
    Change,
    ChangeResult,
    ClusterView,
    Delivery,
    DeliveryOutcome,
    Verdict,
    WatchedKind,
)
from frota.model.objects import MEMBERSHIP_LABEL, Object, ObjectKey, key_of
from frota.ports.clusters import ClusterAddress, Clusters

_NUMBERS = count(1)  # an id is ordered once
_TURNS_MOST = 20
SET = "applyset-contract-v1"
SPACE = "contract"
KINDS = frozenset(
    {
        WatchedKind("", "v1", "Namespace"),
        WatchedKind("", "v1", "ConfigMap"),
        WatchedKind("apps", "v1", "Deployment"),
    }
)
MISSING = WatchedKind("nobody.example", "v1", "Nothing")


class ClustersStage(Protocol):
    """One cluster, attached to with ``KINDS``; ways to hurt it; and a second writer.

    ``within`` of ``wait_until`` is in seconds of the stage's own clock, real or virtual.
    """

    @property
    def port(self) -> Clusters:
        """The port under test, attached to ``cluster``."""
        ...

    @property
    def cluster(self) -> str:
        """The name of the cluster."""
        ...

    @property
    def address(self) -> ClusterAddress:
        """The address it was attached with."""
        ...

    def now(self) -> float:
        """The clock that ``last_seen`` is of."""
        ...

    def wait_until(self, condition: Callable[[], bool], within: float) -> None:
        """Let time pass until the condition holds; fail the test when it does not."""
        ...

    def settle(self, seconds: float) -> None:
        """Let this much time pass."""
        ...

    def reopen(self) -> None:
        """The process died and started anew: another port, attached again."""
        ...

    # The cluster itself, beside the port

    def get(self, key: ObjectKey) -> Object | None:
        """The object as the API server has it."""
        ...

    def apply_as(self, manager: str, item: Object, *, force: bool = False) -> None:
        """A server-side apply by another manager."""
        ...

    def remove(self, key: ObjectKey) -> None:
        """A delete by somebody else."""
        ...

    def kill(self) -> None:
        """The API server is gone; its storage stays."""
        ...

    def hang(self) -> None:
        """The API server takes connections and answers nothing."""
        ...

    def revive(self) -> None:
        """The API server answers again, from the same storage."""
        ...

    def wipe(self) -> None:
        """The storage is lost, and the API server answers again, empty."""
        ...

    def expire_watches(self) -> None:
        """The history that watches go on from is compacted (410)."""
        ...

    def revoke(self) -> None:
        """Frota's identity may write nothing any more."""
        ...


def space(name: str = SPACE) -> dict[str, Any]:
    """A namespace of the set."""
    return _made("v1", "Namespace", {"name": name})


def settings(name: str, data: Mapping[str, str], namespace: str = SPACE) -> dict[str, Any]:
    """A ConfigMap of the set."""
    made = _made("v1", "ConfigMap", {"name": name, "namespace": namespace})
    return {**made, "data": dict(data)}


def workload(name: str, replicas: int = 1, cpu: str = "1000m") -> dict[str, Any]:
    """A Deployment of the set, with a quantity in another form than it is kept in."""
    made = _made("apps/v1", "Deployment", {"name": name, "namespace": SPACE})
    container = {
        "name": "main",
        "image": "registry.example/app:1",
        "ports": [{"containerPort": 8080}],
        "resources": {"requests": {"cpu": cpu, "memory": "64Mi"}},
    }
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}}
    selector = {"matchLabels": {"app": name}}
    return {**made, "spec": {"replicas": replicas, "selector": selector, "template": template}}


def _made(version: str, kind: str, metadata: dict[str, Any]) -> dict[str, Any]:
    labels = {MEMBERSHIP_LABEL: SET}
    return {"apiVersion": version, "kind": kind, "metadata": {**metadata, "labels": labels}}


def without_label(item: Mapping[str, Any]) -> dict[str, Any]:
    """The object as somebody else would make it."""
    metadata = {k: v for k, v in item["metadata"].items() if k != "labels"}
    return {**item, "metadata": metadata}


class ClustersContract:
    """Everything is of one cluster; that clusters do not disturb one another is for tests
    with several of them."""

    SOON = 20.0  # seconds within which what must happen has happened
    NOTICE = 3.0  # after which a server that does not answer is known not to

    @pytest.fixture
    def stage(self) -> ClustersStage:
        raise NotImplementedError

    # Ways to say things briefly

    def seen(self, stage: ClustersStage) -> ClusterView:
        return stage.port.view(stage.cluster)

    def ready(self, stage: ClustersStage) -> None:
        stage.wait_until(lambda: self.seen(stage).answers and self.seen(stage).complete, self.SOON)

    def order(
        self,
        stage: ClustersStage,
        *batches: Sequence[Change],
        name: str = "d1",
        dry_run: bool = False,
    ) -> DeliveryOutcome:
        """Deliver, wait for the end, and settle it."""
        given = tuple(tuple(batch) for batch in batches)
        stage.port.order(Delivery(name, stage.cluster, given, dry_run))
        return self.ended(stage, name)

    def ended(self, stage: ClustersStage, name: str) -> DeliveryOutcome:
        def found() -> list[DeliveryOutcome]:
            return [x for x in stage.port.outcomes() if x.delivery == name]

        stage.wait_until(lambda: bool(found()), self.SOON)
        outcome = found()[0]
        assert outcome.cluster == stage.cluster
        stage.port.settle(name)
        assert not found()
        return outcome

    def change(self, item: Mapping[str, Any], **more: Any) -> Change:
        return Change(key_of(item), item, **more)

    def one(self, outcome: DeliveryOutcome) -> ChangeResult:
        assert len(outcome.results) == 1
        return outcome.results[0]

    def prepared(self, stage: ClustersStage, *items: Mapping[str, Any]) -> None:
        """Deliver the namespace and these objects."""
        self.ready(stage)
        given = [[self.change(space())], [self.change(item) for item in items]]
        outcome = self.order(
            stage, *[batch for batch in given if batch], name=f"prepared-{next(_NUMBERS)}"
        )
        assert {r.verdict for r in outcome.results} <= {Verdict.APPLIED, Verdict.UNCHANGED}
        keys = {key_of(item) for item in items}
        stage.wait_until(lambda: keys <= self.seen(stage).objects.keys(), self.SOON)

    # Sight

    def test_a_cluster_nobody_attached_does_not_answer(self, stage: ClustersStage) -> None:
        view = stage.port.view("nobody")
        assert not view.answers
        assert not view.complete
        assert not view.objects
        stage.port.detach("nobody")
        stage.port.cancel("nothing")
        stage.port.settle("nothing")

    def test_a_cluster_answers_and_is_seen_whole(self, stage: ClustersStage) -> None:
        self.ready(stage)
        view = self.seen(stage)
        assert view.cluster == stage.cluster
        assert view.version
        assert not view.error
        assert 0 <= stage.now() - view.last_seen < 5

    def test_attaching_again_changes_nothing(self, stage: ClustersStage) -> None:
        self.prepared(stage, settings("a", {"x": "1"}))
        before = self.seen(stage).objects.keys()
        stage.port.attach(stage.address, KINDS)
        assert self.seen(stage).complete
        assert self.seen(stage).objects.keys() == before

    def test_a_kind_that_is_not_served_is_named(self, stage: ClustersStage) -> None:
        self.ready(stage)
        stage.port.attach(stage.address, KINDS | {MISSING})
        stage.wait_until(
            lambda: self.seen(stage).complete and MISSING in self.seen(stage).absent, self.SOON
        )
        assert self.seen(stage).absent == {MISSING}

    def test_only_objects_with_the_label_are_seen(self, stage: ClustersStage) -> None:
        self.prepared(stage, settings("ours", {}))
        stage.apply_as("somebody", without_label(settings("theirs", {"x": "1"})))
        stage.settle(2)
        names = {key.name for key in self.seen(stage).objects}
        assert "ours" in names
        assert "theirs" not in names

    def test_what_others_change_is_seen_with_who_did_it(self, stage: ClustersStage) -> None:
        item = settings("a", {"x": "1"})
        self.prepared(stage, item)
        serial = self.seen(stage).serial
        changed = {**without_label(item), "data": {"x": "2"}}
        stage.apply_as("somebody", changed, force=True)
        key = key_of(item)
        stage.wait_until(lambda: self.seen(stage).objects[key]["data"] == {"x": "2"}, self.SOON)
        view = self.seen(stage)
        assert view.serial > serial
        managers = {e["manager"] for e in view.objects[key]["metadata"]["managedFields"]}
        assert managers >= {"frota", "somebody"}

    def test_what_others_delete_is_gone(self, stage: ClustersStage) -> None:
        item = settings("a", {})
        self.prepared(stage, item)
        stage.remove(key_of(item))
        stage.wait_until(lambda: key_of(item) not in self.seen(stage).objects, self.SOON)

    def test_a_change_wakes(self, stage: ClustersStage) -> None:
        self.prepared(stage)
        woken: list[str] = []
        stage.port.on_change(woken.append)
        stage.apply_as("somebody", settings("a", {"x": "1"}))
        stage.wait_until(lambda: stage.cluster in woken, self.SOON)

    def test_detached_is_not_seen(self, stage: ClustersStage) -> None:
        self.ready(stage)
        stage.port.detach(stage.cluster)
        assert not self.seen(stage).answers

    # Writing

    def test_create_change_and_no_change(self, stage: ClustersStage) -> None:
        self.prepared(stage)
        item = workload("w", replicas=1)
        made = self.one(self.order(stage, [self.change(item)], name="1"))
        assert made.verdict is Verdict.APPLIED
        assert made.after is not None
        assert made.after["metadata"]["uid"]
        for turn in range(_TURNS_MOST):  # until its controllers have written their statuses
            again = self.one(self.order(stage, [self.change(item)], name=f"again-{turn}"))
            if again.verdict is Verdict.UNCHANGED:
                break
        assert again.verdict is Verdict.UNCHANGED
        more = self.one(self.order(stage, [self.change(workload("w", replicas=2))], name="3"))
        assert more.verdict is Verdict.APPLIED
        there = stage.get(key_of(item))
        assert there is not None
        assert there["spec"]["replicas"] == 2

    def test_batches_run_one_after_the_other(self, stage: ClustersStage) -> None:
        self.ready(stage)
        item = settings("a", {"x": "1"})
        outcome = self.order(stage, [self.change(space())], [self.change(item)])
        assert [r.key for r in outcome.results] == [key_of(space()), key_of(item)]
        assert outcome.results[1].verdict is Verdict.APPLIED

    def test_after_a_failure_the_rest_is_not_begun(self, stage: ClustersStage) -> None:
        self.prepared(stage)
        wrong = settings("a", {}, namespace="is-not-there")
        outcome = self.order(stage, [self.change(wrong)], [self.change(settings("b", {}))])
        assert outcome.results[0].verdict is Verdict.FAILED
        assert outcome.results[0].message
        assert outcome.results[1].verdict is Verdict.SKIPPED
        assert stage.get(key_of(settings("b", {}))) is None

    def test_the_same_order_again_does_nothing(self, stage: ClustersStage) -> None:
        self.prepared(stage)
        item = settings("a", {"x": "1"})
        self.order(stage, [self.change(item)], name="same")
        stage.remove(key_of(item))
        stage.port.order(Delivery("same", stage.cluster, ((self.change(item),),)))
        stage.settle(2)
        assert stage.get(key_of(item)) is None
        assert not stage.port.outcomes()

    def test_a_dry_run_keeps_nothing(self, stage: ClustersStage) -> None:
        self.prepared(stage, settings("kept", {"x": "1"}))
        fresh, kept = settings("fresh", {"x": "1"}), settings("kept", {"x": "2"})
        outcome = self.order(stage, [self.change(fresh), self.change(kept)], dry_run=True)
        assert [r.verdict for r in outcome.results] == [Verdict.APPLIED, Verdict.APPLIED]
        assert outcome.results[1].after is not None
        assert outcome.results[1].after["data"] == {"x": "2"}
        assert stage.get(key_of(fresh)) is None
        there = stage.get(key_of(kept))
        assert there is not None
        assert there["data"] == {"x": "1"}

    def test_a_conflict_names_the_manager_and_changes_nothing(self, stage: ClustersStage) -> None:
        self.prepared(stage)
        item = settings("a", {"x": "theirs"})
        stage.apply_as("somebody", without_label(item))
        ours = self.change(settings("a", {"x": "ours"}))
        result = self.one(self.order(stage, [ours], name="1"))
        assert result.verdict is Verdict.CONFLICT
        assert result.managers == (("somebody", ".data.x"),)
        there = stage.get(key_of(item))
        assert there is not None
        assert there["data"] == {"x": "theirs"}
        taken = self.change(settings("a", {"x": "ours"}), take_over=True)
        result = self.one(self.order(stage, [taken], name="2"))
        assert result.verdict is Verdict.APPLIED
        there = stage.get(key_of(item))
        assert there is not None
        assert there["data"] == {"x": "ours"}

    def test_delete_and_delete_again(self, stage: ClustersStage) -> None:
        item = settings("a", {})
        self.prepared(stage, item)
        for name in ("1", "2"):
            result = self.one(self.order(stage, [Change(key_of(item), None)], name=name))
            assert result.verdict is Verdict.DELETED
        assert stage.get(key_of(item)) is None
        stage.wait_until(lambda: key_of(item) not in self.seen(stage).objects, self.SOON)

    def test_another_object_of_the_name_is_left_alone(self, stage: ClustersStage) -> None:
        item = settings("a", {"x": "1"})
        self.prepared(stage, item)
        key = key_of(item)
        uid = self.seen(stage).objects[key]["metadata"]["uid"]
        stage.remove(key)
        stage.apply_as("somebody", item)
        result = self.one(self.order(stage, [Change(key, None, uid=uid)], name="1"))
        assert result.verdict is Verdict.MOVED
        changed = Change(key, settings("a", {"x": "2"}), uid=uid, take_over=True)
        result = self.one(self.order(stage, [changed], name="2"))
        assert result.verdict is Verdict.MOVED
        there = stage.get(key)
        assert there is not None
        assert there["data"] == {"x": "1"}

    def test_what_was_written_since_is_left_alone(self, stage: ClustersStage) -> None:
        item = settings("a", {"x": "1"})
        self.prepared(stage, item)
        key = key_of(item)
        metadata = self.seen(stage).objects[key]["metadata"]
        more = {**without_label(item), "data": {"y": "1"}}
        stage.apply_as("somebody", more)
        old = Change(key, None, uid=metadata["uid"], revision=metadata["resourceVersion"])
        assert self.one(self.order(stage, [old])).verdict is Verdict.MOVED
        assert stage.get(key) is not None

    def test_rights_that_were_revoked_refuse(self, stage: ClustersStage) -> None:
        self.prepared(stage)
        stage.revoke()
        item = settings("a", {})
        result = self.one(self.order(stage, [self.change(item)]))
        assert result.verdict is Verdict.REFUSED
        assert result.message
        assert stage.get(key_of(item)) is None

    def test_an_order_to_a_cluster_nobody_attached_fails(self, stage: ClustersStage) -> None:
        change = self.change(settings("a", {}))
        stage.port.order(Delivery("lost", "nobody", ((change,),)))
        stage.wait_until(lambda: bool(stage.port.outcomes()), self.SOON)
        assert stage.port.outcomes()[0].results[0].verdict is Verdict.FAILED

    # Faults

    @pytest.mark.parametrize("how", ["kill", "hang"])
    def test_a_server_that_is_away_is_known_to_be(self, stage: ClustersStage, how: str) -> None:
        item = settings("a", {"x": "1"})
        self.prepared(stage, item)
        getattr(stage, how)()
        stage.wait_until(lambda: not self.seen(stage).answers, self.NOTICE + 0.5)
        view = self.seen(stage)
        assert view.error
        assert key_of(item) in view.objects, "what was seen last stays"
        stage.revive()
        self.ready(stage)
        assert key_of(item) in self.seen(stage).objects
        assert not self.seen(stage).error

    @pytest.mark.parametrize("how", ["kill", "hang"])
    def test_a_delivery_to_a_server_that_is_away_ends(self, stage: ClustersStage, how: str) -> None:
        self.prepared(stage)
        getattr(stage, how)()
        stage.port.order(Delivery("d1", stage.cluster, ((self.change(settings("a", {})),),)))
        outcome = self.ended(stage, "d1")
        assert self.one(outcome).verdict in (Verdict.FAILED, Verdict.UNKNOWN)
        stage.revive()
        self.ready(stage)
        outcome = self.order(stage, [self.change(settings("a", {}))], name="d2")
        assert self.one(outcome).verdict in (Verdict.APPLIED, Verdict.UNCHANGED)

    def test_what_changed_while_it_was_away_is_seen(self, stage: ClustersStage) -> None:
        gone, kept = settings("gone", {}), settings("kept", {"x": "1"})
        self.prepared(stage, gone, kept)
        stage.remove(key_of(gone))
        stage.kill()
        stage.revive()
        stage.apply_as("somebody", {**without_label(kept), "data": {"y": "2"}})
        stage.expire_watches()
        stage.wait_until(
            lambda: (
                self.seen(stage).complete
                and key_of(gone) not in self.seen(stage).objects
                and self.seen(stage).objects[key_of(kept)]["data"].get("y") == "2"
            ),
            self.SOON,
        )

    def test_watches_that_expired_list_anew(self, stage: ClustersStage) -> None:
        item = settings("a", {"x": "1"})
        self.prepared(stage, item)
        stage.expire_watches()
        stage.apply_as("somebody", settings("b", {"x": "1"}))
        key = key_of(settings("b", {}))
        stage.wait_until(lambda: key in self.seen(stage).objects, self.SOON)
        assert key_of(item) in self.seen(stage).objects

    def test_storage_that_was_lost_is_seen_as_empty(self, stage: ClustersStage) -> None:
        self.prepared(stage, settings("a", {"x": "1"}))
        before = self.seen(stage).identity
        stage.wipe()
        stage.wait_until(
            lambda: (
                self.seen(stage).complete
                and not any(key.namespace == SPACE for key in self.seen(stage).objects)
            ),
            self.SOON,
        )
        assert self.seen(stage).identity not in ("", before)
        self.prepared(stage, settings("a", {"x": "1"}))

    def test_a_delivery_that_is_cancelled_says_what_was_done(self, stage: ClustersStage) -> None:
        self.prepared(stage)
        batches = tuple((self.change(settings(f"s{n}", {})),) for n in range(50))
        stage.port.order(Delivery("long", stage.cluster, batches))
        stage.port.cancel("long")
        outcome = self.ended(stage, "long")
        skipped = [r for r in outcome.results if r.verdict is Verdict.SKIPPED]
        assert skipped
        for result in outcome.results:
            there = stage.get(result.key) is not None
            if result.verdict is Verdict.APPLIED:
                assert there
            elif result.verdict is Verdict.SKIPPED:
                assert not there

    def test_a_new_process_sees_the_same(self, stage: ClustersStage) -> None:
        item = settings("a", {"x": "1"})
        self.prepared(stage, item)
        stage.reopen()
        self.ready(stage)
        assert key_of(item) in self.seen(stage).objects
        result = self.one(self.order(stage, [self.change(item)]))
        assert result.verdict is Verdict.UNCHANGED

"""Delivery as it is planned, on a real API server: whatever the server makes of what is
sent, a second plan finds nothing to do; and what others change is found and put right."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from random import Random
from typing import Any

import pytest

from frota.compile.kubernetes import membership
from frota.drivers.devfleet.api import Api
from frota.drivers.devfleet.cluster import Cluster
from frota.drivers.devfleet.definitions import load, read
from frota.drivers.kubernetes.clusters import KubernetesClusters
from frota.model.delivery import ClusterView, Delivery, DeliveryOutcome, Verdict, WatchedKind
from frota.model.deliveryplan import DeliveryPlan, DeliveryPolicy
from frota.model.objects import Object
from frota.planners.delivery import Wanted, plan_delivery, prepare
from frota.ports.clusters import ClusterAddress
from frota.runtime.backoff import Backoff
from frota.runtime.clock import SystemClock
from tests.compile.fleets import EVERYTHING, ROOT, compiled
from tests.real.fleet.stage import fleet_of_tests, require_fleet
from tests.waiting import until

pytestmark = pytest.mark.fleet

_DEFINITIONS = ROOT.parent / "shared" / "data" / "crds"
_EXTENSIONS = ("kueue", "jobset", "lws", "prometheus-operator")
_RUN = (
    "Deployment",
    "Job",
    "PodDisruptionBudget",
    "ResourceQuota",
    "HorizontalPodAutoscaler",
    "ValidatingAdmissionPolicy",  # its expressions are checked, and that is its status
)
_CLUSTERS = sorted(compiled(EVERYTHING))
_FLEET = compiled(EVERYTHING)[_CLUSTERS[0]][0]["metadata"]["labels"]["frota.dev/fleet"]
_SET = membership(_FLEET)
_POLICY = DeliveryPolicy(_SET)


class Kept:
    """One real cluster, watched and delivered to as a controller would."""

    def __init__(self, cluster: Cluster, objects: tuple[Object, ...]) -> None:
        self.api: Api = cluster.api()
        self.name = cluster.name
        self.objects = objects
        self.clock = SystemClock()
        self.port = KubernetesClusters(self.clock, Random(7), Backoff().delay)
        self._ids = count(1)
        kinds = set()
        for item in objects:
            group, _, version = str(item["apiVersion"]).rpartition("/")
            kinds.add(WatchedKind(group, version, item["kind"]))
        self.port.attach(ClusterAddress(self.name, str(cluster.kubeconfig)), frozenset(kinds))
        until(lambda: self.view.complete, "the cluster to be seen whole")

    @property
    def view(self) -> ClusterView:
        return self.port.view(self.name)

    @property
    def wanted(self) -> Wanted:
        return prepare(self.objects, _SET)

    def plan(self) -> DeliveryPlan:
        return plan_delivery(self.wanted, self.view, _POLICY)

    def deliver(self, plan: DeliveryPlan) -> DeliveryOutcome:
        delivery = Delivery(f"d{next(self._ids)}", self.name, plan.batches)
        self.port.order(delivery)
        until(lambda: bool(self.port.outcomes()), "the delivery to end")
        outcome = self.port.outcomes()[0]
        self.port.settle(delivery.id)
        return outcome


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A cluster of its own: what is delivered to it is no other test's business."""
    require_fleet()
    with fleet_of_tests(1) as clusters:
        for name in _EXTENSIONS:
            if (_DEFINITIONS / name).is_dir():
                load(clusters[0].api(), read(_DEFINITIONS / name))
        yield clusters[0]


@pytest.fixture(scope="module", params=_CLUSTERS[:1])
def kept(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Kept]:
    kept = Kept(cluster, compiled(EVERYTHING)[request.param])
    outcome = kept.deliver(kept.plan())
    bad = [r for r in outcome.results if r.verdict is not Verdict.APPLIED]
    assert not bad, bad
    yield kept
    kept.port.close()


def at_rest(kept: Kept) -> bool:
    """Nothing to do, and nothing that is left undone, but for kinds that are not served."""
    items = [item for item in kept.plan().items if item.reason != "KindNotServed"]
    return kept.plan().empty and not items


def test_a_second_plan_finds_nothing_to_do(kept: Kept) -> None:
    until(lambda: at_rest(kept), f"rest: {kept.plan().items}")


def test_a_cluster_that_is_delivered_anew_changes_nothing(kept: Kept) -> None:
    until(lambda: at_rest(kept), "rest")
    before = {key: _version(item) for key, item in kept.view.objects.items()}
    absent = kept.view.absent
    blank = ClusterView(kept.name, answers=True, last_seen=0.0, complete=True, absent=absent)
    outcome = kept.deliver(plan_delivery(kept.wanted, blank, _POLICY))
    moved = [str(r.key) for r in outcome.results if r.verdict is not Verdict.UNCHANGED]
    until(lambda: at_rest(kept), "rest again")
    written = [str(key) for key, item in kept.view.objects.items() if before[key] != _version(item)]
    # What controllers write to meanwhile (statuses) is another version without our doing.
    strange = [name for name in (*moved, *written) if not name.startswith(_RUN)]
    assert not strange, [result for result in outcome.results if str(result.key) in strange]


def _version(item: Object) -> str:
    return str(item["metadata"]["resourceVersion"])


def _edits() -> list[Any]:
    """Strategic merge patches, as ``kubectl edit`` sends them."""
    found = []
    for item in compiled(EVERYTHING)[_CLUSTERS[0]]:
        metadata, kind = item["metadata"], item["kind"]
        namespace, name = metadata.get("namespace", ""), metadata["name"]
        if kind == "Deployment":
            place = f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}"
            container = item["spec"]["template"]["spec"]["containers"][0]["name"]
            pod: dict[str, Any] = {"containers": [{"name": container, "image": "evil.example/a:1"}]}
            found.append(pytest.param(place, _pod(pod), id="image"))
            pod = {"automountServiceAccountToken": None}
            found.append(pytest.param(place, _pod(pod), id="taken away"))
            labels = {"labels": {"frota.dev/cluster": "another"}}
            found.append(pytest.param(place, {"metadata": labels}, id="label"))
            break
    for item in compiled(EVERYTHING)[_CLUSTERS[0]]:
        metadata, kind = item["metadata"], item["kind"]
        namespace, name = metadata.get("namespace", ""), metadata["name"]
        if kind == "NetworkPolicy":
            place = f"/apis/networking.k8s.io/v1/namespaces/{namespace}/networkpolicies/{name}"
            found.append(pytest.param(place, {"spec": {"policyTypes": []}}, id="policy"))
            break
    return found


def _pod(spec: dict[str, Any]) -> dict[str, Any]:
    return {"spec": {"template": {"spec": spec}}}


@pytest.mark.parametrize(("place", "patch"), _edits())
def test_what_somebody_changed_is_put_right(kept: Kept, place: str, patch: Any) -> None:
    until(lambda: at_rest(kept), "rest")
    form = "application/strategic-merge-patch+json"
    kept.api.call("PATCH", f"{place}?fieldManager=kubectl-edit", patch, form=form).demand()
    until(lambda: bool(kept.plan().drifts), "the drift to be seen")
    plan = kept.plan()
    assert [item.reason for item in plan.drifts] == ["Drifted"]
    writers = {diff.manager for diff in plan.drifts[0].diffs}
    assert writers <= {"kubectl-edit", ""}
    outcome = kept.deliver(plan)
    assert {r.verdict for r in outcome.results} == {Verdict.APPLIED}
    until(lambda: at_rest(kept), f"rest again: {kept.plan().items}")

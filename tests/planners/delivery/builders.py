"""Objects, views and policies for tests of delivery, and a simulated cluster to deliver to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from typing import Any

from frota.model.delivery import ClusterView, Delivery, DeliveryOutcome, WatchedKind
from frota.model.deliveryplan import (
    DeliveryMemory,
    DeliveryPlan,
    DeliveryPolicy,
    Item,
)
from frota.model.objects import MEMBERSHIP_LABEL, Object, ObjectKey, key_of
from frota.planners.delivery import Wanted, learn, plan_delivery, prepare, remember
from frota.ports.clusters import ClusterAddress
from frota.twin import TwinClock, World
from frota.twin.clusters import ClusterFleet, TwinClusters

OURS = "applyset-ours-v1"
POLICY = DeliveryPolicy(OURS)
SPACE = "team"
KINDS = frozenset(
    WatchedKind(group, version, kind)
    for group, version, kind in (
        ("", "v1", "Namespace"),
        ("", "v1", "ConfigMap"),
        ("", "v1", "Secret"),
        ("", "v1", "Service"),
        ("", "v1", "PersistentVolumeClaim"),
        ("", "v1", "ResourceQuota"),
        ("apps", "v1", "Deployment"),
        ("batch", "v1", "Job"),
        ("rbac.authorization.k8s.io", "v1", "Role"),
        ("networking.k8s.io", "v1", "NetworkPolicy"),
        ("apiextensions.k8s.io", "v1", "CustomResourceDefinition"),
        ("example.org", "v1", "Widget"),
    )
)


def made(
    kind: str, name: str, namespace: str = SPACE, version: str = "v1", **body: Any
) -> dict[str, Any]:
    """An object of the set ``OURS``."""
    metadata: dict[str, Any] = {"name": name, "labels": {MEMBERSHIP_LABEL: OURS}}
    if namespace:
        metadata["namespace"] = namespace
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **body}


def space(name: str = SPACE) -> dict[str, Any]:
    return made("Namespace", name, "")


def settings(name: str, **data: str) -> dict[str, Any]:
    return made("ConfigMap", name, data=data)


def claim(name: str, namespace: str = SPACE) -> dict[str, Any]:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return made("PersistentVolumeClaim", name, namespace, spec=spec)


def workload(name: str, image: str = "app:1", cpu: str = "1000m", **spec: Any) -> dict[str, Any]:
    container = {
        "name": "main",
        "image": image,
        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
        "ports": [{"containerPort": 8080}],
        "resources": {"limits": {"cpu": cpu}, "requests": {"cpu": cpu}},
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 - in a pod
    }
    pod = {
        "automountServiceAccountToken": False,
        "containers": [container],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
        "tolerations": [{"key": "gpu", "operator": "Exists"}],
    }
    labels = {"app": name}
    body = {
        "replicas": 1,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    return made("Deployment", name, version="apps/v1", spec={**body, **spec})


def service(name: str) -> dict[str, Any]:
    return made("Service", name, spec={"selector": {"app": name}, "ports": [{"port": 80}]})


def definition(kind: str = "Widget", group: str = "example.org") -> dict[str, Any]:
    return made(
        "CustomResourceDefinition",
        f"{kind.lower()}s.{group}",
        "",
        "apiextensions.k8s.io/v1",
        spec={"group": group, "names": {"kind": kind}},
    )


def labelled(item: Mapping[str, Any], membership: str | None) -> dict[str, Any]:
    """The object as a member of another set, or of none."""
    labels = {MEMBERSHIP_LABEL: membership} if membership else {}
    return {**item, "metadata": {**item["metadata"], "labels": labels}}


class Cluster:
    """One simulated cluster, a session with it, and the loop of a controller in small."""

    def __init__(self, seed: int = 1) -> None:
        self.world = World(seed)
        self.fleet = ClusterFleet(self.world)
        self.member = self.fleet.add("east")
        self.server = self.member.server
        self.memory = DeliveryMemory()
        self._ids = count(1)
        self.policy = POLICY
        self.session: TwinClusters
        self.open()

    def open(self) -> None:
        """A new process: nothing is remembered."""
        self.memory = DeliveryMemory()
        self.clock = TwinClock(self.world)
        self.session = TwinClusters(self.fleet, self.clock)
        self.session.attach(ClusterAddress("east"), KINDS)
        self.run(1.0)

    def run(self, seconds: float = 5.0) -> None:
        self.world.run_until(self.world.now + seconds)

    @property
    def view(self) -> ClusterView:
        return self.session.view("east")

    def plan(self, objects: Iterable[Object], *, blank: bool = False) -> DeliveryPlan:
        """Plan; ``blank`` without memory, so that everything is compared."""
        wanted = wanted_of(objects)
        memory = DeliveryMemory() if blank else self.memory
        plan = plan_delivery(wanted, self.view, self.policy, memory, self.clock.now())
        if not blank:
            self.memory = remember(self.memory, plan)
        return plan

    def deliver(self, plan: DeliveryPlan) -> DeliveryOutcome:
        """Carry a plan out, and learn from its end."""
        delivery = Delivery(f"d{next(self._ids)}", "east", plan.batches)
        self.session.order(delivery)
        for _ in range(1000):
            ended = [o for o in self.session.outcomes() if o.delivery == delivery.id]
            if ended:
                self.session.settle(delivery.id)
                self.memory = learn(self.memory, plan, ended[0], self.policy, self.clock.now())
                self.run(1.0)
                return ended[0]
            self.run(0.1)
        raise AssertionError("the delivery did not end")

    def bring(self, *objects: Object) -> DeliveryPlan:
        """Plan, deliver, and look again; returns the first plan."""
        plan = self.plan(objects)
        self.deliver(plan)
        return plan


def wanted_of(objects: Iterable[Object]) -> Wanted:
    return prepare(list(objects), OURS)


def item_of(plan: DeliveryPlan, obj: Object) -> Item | None:
    key = key_of(obj)
    return next((item for item in plan.items if item.key == key), None)


def reasons(plan: DeliveryPlan) -> dict[str, str]:
    """What was said of each object, by name."""
    return {item.key.name: item.reason for item in plan.items}


def view_of(objects: Sequence[Object], **more: Any) -> ClusterView:
    by_key: dict[ObjectKey, Object] = {key_of(item): item for item in objects}
    return ClusterView("east", answers=True, last_seen=0.0, complete=True, objects=by_key, **more)

"""The rights of a pull agent on a real API server: enough for its objects, not for more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from frota.compile.agent.deployment import AgentPod, agent_manifests
from frota.compile.agent.rights import guards, plural
from frota.drivers.devfleet.api import Answer, Api
from frota.drivers.devfleet.cluster import Cluster
from frota.drivers.kubernetes.anchor import ConfigMapAnchor
from frota.model.bundle import Position, Remembered
from frota.model.delivery import WatchedKind
from frota.model.objects import Object, ObjectKey, key_of
from frota.ports.clusters import ClusterAddress
from frota.ports.member import AnchorError
from tests.compile.fleets import ROOT, compiled
from tests.real.fleet.stage import fleet_of_tests, require_fleet

pytestmark = pytest.mark.fleet

_SPACE = "frota-agent"
_POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "p"},
    "spec": {"containers": [{"name": "c", "image": "i"}]},
}


@dataclass(frozen=True, slots=True)
class Stage:
    """A cluster to which the manifests were applied, and the way in that the agent has."""

    cluster: Cluster
    objects: tuple[Object, ...]
    admin: Api
    agent: Api
    token: str

    def as_agent(self, method: str, path: str, body: Any = None, form: str = "") -> Answer:
        form = form or "application/json"
        return self.agent.call(method, path, body, form=form, token=self.token)


def path(item: Object) -> str:
    key = key_of(item)
    version = item["apiVersion"]
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    within = f"/namespaces/{key.namespace}" if key.namespace else ""
    return f"{root}{within}/{plural(key.kind)}/{key.name}"


def applied(item: Object) -> str:
    return f"{path(item)}?fieldManager=frota&fieldValidation=Strict"


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """A cluster of its own: an inference cluster of an example, without what an API server
    alone does not know."""
    require_fleet()
    with fleet_of_tests(1) as clusters:
        admin = clusters[0].api()
        fleet = compiled(ROOT / "examples" / "active-active")
        objects = tuple(
            item for item in next(iter(fleet.values())) if "monitoring" not in item["apiVersion"]
        )
        pod = AgentPod("acme", "east", "az://acme/frota", f"i@sha256:{'0' * 64}", "KEYS\n")
        for item in agent_manifests(pod, objects):
            admin.call("PATCH", applied(item), item, form="application/apply-patch+yaml").demand()
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        issued = admin.call(
            "POST", f"/api/v1/namespaces/{_SPACE}/serviceaccounts/frota-agent/token", request
        ).demand()
        token = issued["status"]["token"]
        yield Stage(clusters[0], objects, admin, clusters[0].anonymous(), token)


def test_the_agent_applies_all_that_is_its_own_twice_and_deletes_it(stage: Stage) -> None:
    fixed = {key_of(item) for item in guards(stage.objects)}
    own = [item for item in stage.objects if key_of(item) not in fixed]
    assert len(own) > 10
    form = "application/apply-patch+yaml"
    refused = [
        (str(key_of(item)), answer.body)
        for _ in range(2)
        for item in own
        if not (answer := stage.as_agent("PATCH", applied(item), item, form)).ok
    ]
    assert refused == []
    for item in own:
        collection = path(item).rpartition("/")[0]
        kind = collection.rpartition("/")[2]
        root = path(item).partition("/namespaces/")[0] if "/namespaces/" in path(item) else ""
        assert stage.as_agent("GET", f"{root}/{kind}" if root else collection).ok
    for item in own:
        answer = stage.as_agent("DELETE", path(item))
        assert answer.ok, (str(key_of(item)), answer.body)


def test_what_fences_it_in_it_can_look_at_but_not_change(stage: Stage) -> None:
    for item in guards(stage.objects):
        assert stage.as_agent("GET", path(item).rpartition("/")[0]).ok
        changed = {**item, "metadata": {**item["metadata"], "annotations": {"mine": "now"}}}
        form = "application/apply-patch+yaml"
        assert stage.as_agent("PATCH", f"{applied(item)}&force=true", changed, form).status == 403
        assert stage.as_agent("DELETE", path(item)).status == 403


def test_a_lost_agent_gets_nowhere(stage: Stage) -> None:
    space = next(key_of(item).namespace for item in stage.objects if item["kind"] == "Deployment")
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    admin_of = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "mine", "namespace": space},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": "admin",
        },
        "subjects": [{"kind": "ServiceAccount", "name": "frota-agent", "namespace": _SPACE}],
    }
    note = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}
    merge = "application/merge-patch+json"
    attempts: list[tuple[str, str, Any, str]] = [
        ("GET", "/api/v1/secrets", None, ""),
        ("GET", f"/api/v1/namespaces/{space}/secrets", None, ""),
        ("GET", f"/api/v1/namespaces/{_SPACE}/secrets/frota-agent-store", None, ""),
        ("POST", "/api/v1/namespaces/kube-system/pods", _POD, ""),
        ("POST", f"/api/v1/namespaces/{space}/pods", _POD, ""),
        ("POST", "/api/v1/namespaces/default/configmaps", note, ""),
        ("POST", f"/api/v1/namespaces/{_SPACE}/configmaps", note, ""),
        ("PATCH", f"/api/v1/namespaces/{_SPACE}/configmaps/frota-agent-trust", {"data": {}}, merge),
        ("POST", "/api/v1/namespaces", {"metadata": {"name": "mine"}}, ""),
        ("POST", f"{rbac}/namespaces/{space}/rolebindings", admin_of, ""),
        ("POST", f"{rbac}/clusterrolebindings", {**admin_of, "kind": "ClusterRoleBinding"}, ""),
        ("POST", f"/api/v1/namespaces/{space}/serviceaccounts/default/token", {}, ""),
        ("GET", "/api/v1/nodes", None, ""),
    ]
    for method, where, body, form in attempts:
        assert stage.as_agent(method, where, body, form).status == 403, (method, where)


def test_its_memory_is_in_the_cluster(stage: Stage, tmp_path: Path) -> None:
    """With the agent's own token, as in its pod."""
    document = yaml.safe_load(stage.cluster.kubeconfig.read_text())
    document["users"][0]["user"] = {"token": stage.token}
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(json.dumps(document))
    address = ClusterAddress("east", str(kubeconfig))
    anchor = ConfigMapAnchor(address, _SPACE, "frota-agent-state")
    assert anchor.load() == Remembered()
    kinds = {WatchedKind("", "v1", "ConfigMap"), WatchedKind("apps", "v1", "Deployment")}
    job = ObjectKey("batch", "Job", "team-a", "tune.v2")
    kept = Remembered(Position(1, 7), "d" * 64, frozenset(kinds), ((job, "e" * 32),))
    anchor.save(kept)
    anchor.save(Remembered(Position(0, 900)))
    assert anchor.load() == kept

    pod = AgentPod("acme", "east", "az://acme/frota", f"i@sha256:{'0' * 64}", "KEYS\n")
    for item in agent_manifests(pod, stage.objects):  # applied again
        stage.admin.call("PATCH", applied(item), item, form="application/apply-patch+yaml").demand()
    assert anchor.load() == kept

    place = f"/api/v1/namespaces/{_SPACE}/configmaps/frota-agent-state"
    for bad in ({"kinds": "all of them"}, {"ran": "all of them"}, {"order": "x"}):
        merge = "application/merge-patch+json"
        stage.admin.call("PATCH", place, {"data": bad}, form=merge).demand()
        with pytest.raises(AnchorError, match="somebody else wrote it"):
            anchor.load()
    stage.admin.call("DELETE", place).demand()
    with pytest.raises(AnchorError, match="it is not there; apply what"):
        anchor.load()
    document["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    kubeconfig.write_text(json.dumps(document))
    with pytest.raises(AnchorError, match="cannot connect"):
        ConfigMapAnchor(address, _SPACE, "frota-agent-state").load()

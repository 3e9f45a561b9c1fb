"""Compiled objects on a real API server: every one of them is taken, strictly; what they
forbid is refused; and what they start runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings

from frota.compile.kubernetes import batches, compile_site, extension_of
from frota.compile.kubernetes.site import Site
from frota.drivers.devfleet.api import Answer, Api
from frota.drivers.devfleet.cluster import Cluster
from frota.drivers.devfleet.definitions import load, read
from frota.model.objects import Object, key_of
from tests.compile.fleets import EVERYTHING, EXAMPLES, ROOT, compiled, of_kind
from tests.compile.strategies import sites
from tests.conftest import NOT_PART_OF_IT
from tests.real.fleet.stage import fleet_of_tests, require_fleet

pytestmark = pytest.mark.real

# The definitions of what Kubernetes itself does not know; no part of this project.
_DEFINITIONS = ROOT.parent / "shared" / "data" / "crds"
_EXTENSIONS = ("kueue", "jobset", "lws", "prometheus-operator")
_DEADLINE_S = 60.0
_FLEETS = (EVERYTHING, *(ROOT / "examples" / name for name in EXAMPLES))


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A cluster of its own: what is defined in it is no other test's business."""
    require_fleet()
    with fleet_of_tests(1) as clusters:
        api = clusters[0].api()
        for name in _EXTENSIONS:
            if (_DEFINITIONS / name).is_dir():
                load(api, read(_DEFINITIONS / name))
        yield clusters[0]


@cache
def _places(api: Api, version: str) -> dict[str, tuple[str, bool]]:
    """Of each kind of an API version, its path and whether it lives in namespaces."""
    prefix = f"/apis/{version}" if "/" in version else f"/api/{version}"
    answer = api.call("GET", prefix)
    found = answer.demand()["resources"] if answer.ok else []
    return {
        item["kind"]: (f"{prefix}/{{}}{item['name']}", item["namespaced"])
        for item in found
        if "/" not in item["name"]
    }


def _path(api: Api, item: Object) -> str | None:
    known = _places(api, item["apiVersion"]).get(item["kind"])
    if known is None:
        return None
    form, namespaced = known
    within = f"namespaces/{item['metadata']['namespace']}/" if namespaced else ""
    return f"{form.format(within)}/{item['metadata']['name']}"


def _send(api: Api, item: Object, *, dry: bool) -> Answer | None:
    path = _path(api, item)
    if path is None:
        return None
    query = "fieldManager=frota&fieldValidation=Strict" + ("&dryRun=All" if dry else "")
    return api.call("PATCH", f"{path}?{query}", item, form="application/apply-patch+yaml")


@pytest.mark.parametrize("place", _FLEETS, ids=lambda place: str(place.stem))
def test_every_object_is_taken_strictly(cluster: Cluster, place: Path) -> None:
    api, left_out, wrong = cluster.api(), set(), []
    for objects in compiled(place).values():
        for space in of_kind(objects, "Namespace").values():
            answer = _send(api, space, dry=False)
            assert answer is not None
            answer.demand()
        for item in objects:
            answer = _send(api, item, dry=True)
            if answer is None:
                left_out.add(extension_of(key_of(item).group))
            elif not answer.ok:
                wrong.append(f"{key_of(item)}: {answer.body}")
    assert wrong == []
    assert "" not in left_out
    if left_out:
        kinds = ", ".join(sorted(left_out))
        if not _DEFINITIONS.exists():
            pytest.skip(f"{NOT_PART_OF_IT} in {_DEFINITIONS}, so these were not checked: {kinds}")
        pytest.fail(f"no definitions in {_DEFINITIONS}: {kinds}")


@settings(max_examples=12, deadline=None, derandomize=True, phases=[Phase.generate])
@given(site=sites())
def test_whatever_the_fleet_its_objects_are_taken(cluster: Cluster, site: Site) -> None:
    api = cluster.api()
    objects = compile_site(site)
    for space in of_kind(objects, "Namespace").values():
        answer = _send(api, space, dry=False)
        assert answer is not None
        answer.demand()
    refused = []
    for item in objects:
        answer = _send(api, item, dry=True)
        if answer is not None and not answer.ok:
            refused.append(f"{key_of(item)}: {answer.body['message']}")
    assert refused == []


def _run(api: Api, objects: tuple[Object, ...]) -> None:
    for batch in batches(objects):
        for item in batch:
            answer = _send(api, item, dry=False)
            assert answer is None or answer.ok, (key_of(item), answer)


def _until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline, f"not within {_DEADLINE_S:.0f} s: {what}"
        time.sleep(0.2)


def _mark_nodes(api: Api) -> None:
    """Make the nodes into the pools that the fleet declares."""
    taints = [{"key": "sku", "value": "gpu", "effect": "NoSchedule"}]
    nodes = sorted(item["metadata"]["name"] for item in api.get("/api/v1/nodes")["items"])
    for name, pool in zip(nodes, ("gpu-a", "gpu-b"), strict=False):
        labels = {"agentpool": pool, "topology.kubernetes.io/zone": pool}
        body = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name, "labels": labels},
            "spec": {"taints": taints},
        }
        api.apply(f"/api/v1/nodes/{name}", body, "test", force=True).demand()


@pytest.fixture(scope="module")
def prod(cluster: Cluster) -> Api:
    """The production inference cluster, really applied."""
    api = cluster.api()
    _mark_nodes(api)
    _run(api, compiled()["infer-east"])
    return api


def test_servers_run_in_their_pools_under_everything_that_is_forbidden(prod: Api) -> None:
    def pods() -> list[Any]:
        query = "labelSelector=frota.dev%2Fservice%3Dchat"
        found: list[Any] = prod.get(f"/api/v1/namespaces/ml-inference/pods?{query}")["items"]
        return found

    def running() -> bool:
        found = pods()
        return bool(found) and all(pod["status"].get("phase") == "Running" for pod in found)

    _until(running, "every pod of chat runs")
    for pod in pods():
        assert pod["spec"]["nodeName"]
        assert pod["spec"]["serviceAccountName"] == "serve-chat"


def test_the_api_server_finds_no_fault_in_any_expression(prod: Api) -> None:
    """The controller manager checks the types of policies' expressions, and tells in status."""
    path = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
    for name in of_kind(compiled()["infer-east"], "ValidatingAdmissionPolicy"):
        _until(partial(_judged, prod, f"{path}/{name}"), "types are checked")
        assert _status(prod, f"{path}/{name}")["typeChecking"] == {}


def _judged(api: Api, path: str) -> bool:
    return "typeChecking" in _status(api, path)


def _status(api: Api, path: str) -> dict[str, Any]:
    found: dict[str, Any] = api.get(path).get("status") or {}
    return found


def _pod(**changes: Any) -> dict[str, Any]:
    """A pod that is let in, changed."""
    security = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "runAsUser": 1000,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    pod: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "tried", "namespace": "ml-inference"},
        "spec": {
            "containers": [{"name": "a", "image": "a.example/b:1", "securityContext": security}]
        },
    }
    container = pod["spec"]["containers"][0]
    for key, value in changes.items():
        match key:
            case "image" | "resources":
                container[key] = value
            case "security":
                container["securityContext"] = {**security, **value}
            case "labels" | "annotations":
                pod["metadata"][key] = value
            case _:
                pod["spec"][key] = value
    return pod


def _try(api: Api, pod: dict[str, Any]) -> Answer:
    namespace = pod["metadata"]["namespace"]
    return api.call("POST", f"/api/v1/namespaces/{namespace}/pods?dryRun=All", pod)


_GPUS = {"limits": {"nvidia.com/gpu": "1"}, "requests": {"nvidia.com/gpu": "1"}}
_SERVES = {"frota.dev/model": "llama-8b"}
_OTHER_TERMS = [{"matchExpressions": [{"key": "agentpool", "operator": "In", "values": ["x"]}]}]
_RIGHT_TERMS = [
    {"matchExpressions": [{"key": "agentpool", "operator": "In", "values": [name]}]}
    for name in ("gpu-a", "gpu-b")
]


def _affinity(terms: list[Any]) -> dict[str, Any]:
    key = "requiredDuringSchedulingIgnoredDuringExecution"
    return {"nodeAffinity": {key: {"nodeSelectorTerms": terms}}}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ""),
        ({"image": "a.example/b:latest"}, "tag latest"),
        ({"image": "a.example:5000/b"}, "tag latest"),
        ({"image": "a.example/b@sha256:" + "0" * 64}, ""),
        ({"labels": _SERVES}, "needs the annotation"),
        ({"labels": _SERVES, "annotations": {"frota.dev/model-digest": "v1"}}, "needs the"),
        (
            {"labels": _SERVES, "annotations": {"frota.dev/model-digest": "sha256:" + "0" * 64}},
            "",
        ),
        ({"resources": _GPUS}, "GPU pool"),
        ({"resources": _GPUS, "nodeSelector": {"agentpool": "cpu"}}, "GPU pool"),
        ({"resources": _GPUS, "nodeSelector": {"agentpool": "gpu-a"}}, ""),
        ({"resources": _GPUS, "affinity": _affinity(_RIGHT_TERMS)}, ""),
        ({"resources": _GPUS, "affinity": _affinity(_RIGHT_TERMS + _OTHER_TERMS)}, "GPU pool"),
        ({"security": {"privileged": True, "allowPrivilegeEscalation": True}}, "PodSecurity"),
    ],
)
def test_what_is_forbidden_in_prod_is_refused(
    prod: Api, changes: dict[str, Any], words: str
) -> None:
    _until(lambda: not _try(prod, _pod(image="x:latest")).ok, "policies are in force")
    answer = _try(prod, _pod(**changes))
    if not words:
        assert answer.ok, answer
    else:
        assert not answer.ok
        assert words in answer.body["message"]


@pytest.mark.parametrize(
    ("identity", "taken"),
    [
        ({"azure.workload.identity/client-id": "11111111-2222-3333-4444-555555555555"}, True),
        ({"azure.workload.identity/client-id": "99999999-2222-3333-4444-555555555555"}, False),
        ({"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/other"}, False),
        ({"note": "anything else"}, True),
    ],
)
def test_accounts_carry_only_the_identity_of_their_cluster(
    prod: Api, identity: dict[str, str], taken: bool
) -> None:
    _until(lambda: not _try(prod, _pod(image="x:latest")).ok, "policies are in force")
    body = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "tried", "annotations": identity},
    }
    path = "/api/v1/namespaces/ml-inference/serviceaccounts?dryRun=All"
    answer = prod.call("POST", path, body)
    assert answer.ok is taken, answer


def test_personas_can_do_their_work_and_no_more(prod: Api) -> None:
    def may(group: str, verb: str, resource: str, namespace: str = "ml-inference") -> bool:
        kind, _, part = resource.partition("/")
        group_of, _, name = kind.rpartition(".")
        spec = {
            "user": "somebody",
            "groups": [group, "system:authenticated"],
            "resourceAttributes": {
                "verb": verb,
                "resource": name,
                "subresource": part,
                "group": group_of.replace("-", "."),
                "namespace": namespace,
            },
        }
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": spec,
        }
        path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
        allowed: bool = prod.call("POST", path, body).demand()["status"]["allowed"]
        return allowed

    assert may("ml-guests", "get", "pods/log")
    assert may("ml-guests", "list", "apps.deployments")
    assert not may("ml-guests", "delete", "pods")
    assert not may("ml-guests", "get", "secrets")
    assert not may("ml-guests", "get", "pods", "search-serving")
    assert not may("ml-guests", "list", "pods", "")
    assert may("ml-oncall", "delete", "pods")
    assert may("ml-oncall", "create", "pods/eviction")
    assert not may("ml-oncall", "create", "pods")
    assert may("ml", "get", "pods/log")
    assert not may("ml", "create", "pods")
    assert not may("ml", "create", "pods/exec")
    assert not may("ml", "patch", "networking-k8s-io.networkpolicies")


def test_what_is_tried_out_must_end(cluster: Cluster) -> None:
    """Also in dev, where the other policies only write to the audit log."""
    api = cluster.api()
    objects = compiled()["lab"]
    _run(api, tuple(item for item in objects if item["kind"] == "Namespace"))
    for item in objects:
        if item["kind"].startswith("ValidatingAdmission") and "lifetimes" in str(item["metadata"]):
            _run(api, (item,))
    pod = _pod()
    pod["metadata"]["namespace"] = "ml-experimentation"
    _until(lambda: not _try(api, pod).ok, "the policy is in force")
    assert "activeDeadlineSeconds" in _try(api, pod).body["message"]
    pod["spec"]["activeDeadlineSeconds"] = 72 * 3600 + 1
    assert not _try(api, pod).ok
    pod["spec"]["activeDeadlineSeconds"] = 72 * 3600
    assert _try(api, pod).ok
    elsewhere = _pod()
    elsewhere["metadata"]["namespace"] = "search-experimentation"  # its team named no end
    assert _try(api, elsewhere).ok

"""Who runs where, under which overrides."""

from __future__ import annotations

from typing import Any

from frota.compile.kubernetes import compile_fleet, extension_of
from frota.compile.kubernetes.reading import sites
from frota.model.objects import key_of
from tests.compile.fleets import EVERYTHING, compiled, documents, of_kind, pod_templates, site
from tests.resources import members as fleets
from tests.resources.test_plant_rules import together


def _spec(cluster: str, kind: str, name: str) -> Any:
    return of_kind(compiled()[cluster], kind)[name]["spec"]


def test_every_member_of_a_fleet_has_its_objects() -> None:
    expected = ["infer-east", "infer-staging", "infer-west", "lab", "train-east"]
    assert list(compiled()) == expected
    alone = [one for one in documents(EVERYTHING) if one["kind"] != "Cluster"]
    assert compile_fleet(alone) == {}


def test_workloads_are_where_their_placement_says() -> None:
    assert [service.name for service in site("infer-east").services] == ["chat", "giant", "rank"]
    assert [service.name for service in site("infer-west").services] == ["chat", "giant"]
    assert [service.name for service in site("infer-staging").services] == ["chat"]
    assert [job.name for job in site("train-east").jobs] == ["pretrain", "tune"]
    assert site("lab").services == ()


def test_teams_have_namespaces_where_they_work_or_try_out() -> None:
    assert [item.namespace for item in site("infer-east").tenancies] == [
        "ml-inference",
        "search-serving",
    ]
    assert [item.namespace for item in site("train-east").tenancies] == ["ml-training"]
    assert [item.namespace for item in site("lab").tenancies] == [
        "ml-experimentation",
        "search-experimentation",
    ]


def test_overrides_hold_in_their_environment_only() -> None:
    assert _spec("infer-staging", "Deployment", "ml-inference/chat")["replicas"] == 1
    assert "ml-inference/chat" not in of_kind(
        compiled()["infer-staging"], "HorizontalPodAutoscaler"
    )
    assert "replicas" not in _spec("infer-east", "Deployment", "ml-inference/chat")
    scaler = _spec("infer-east", "HorizontalPodAutoscaler", "ml-inference/chat")
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (2, 8)


def test_who_stands_by_has_fewer_replicas() -> None:
    scaler = _spec("infer-west", "HorizontalPodAutoscaler", "ml-inference/chat")
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (1, 8)


def test_nobody_stands_by_where_no_primary_answers() -> None:
    """Of each environment: what answers in prod answers nobody in staging."""
    fleet = [fleets.fleet(), fleets.team()]
    fleet += [fleets.member("a"), fleets.member("b", "west")]
    fleet += [fleets.member("s", "west", environment="staging")]
    traffic = {"mode": "active-passive", "primary": "east", "standbyReplicas": 0}
    loaded = together(*fleet, fleets.service(traffic=traffic, replicas=3))
    found = sites(resource.document for resource in loaded.resources)
    replicas = {site.cluster: site.services[0].replicas for site in found}
    assert replicas == {"a": 3, "b": 0, "s": 3}


def test_gpu_pods_go_to_their_pools_and_spot_only_when_they_said_so() -> None:
    east = _spec("infer-east", "Deployment", "ml-inference/chat")["template"]["spec"]
    (key, terms), *_ = east["affinity"]["nodeAffinity"].items()
    assert key == "requiredDuringSchedulingIgnoredDuringExecution"
    pools = [term["matchExpressions"][0]["values"] for term in terms["nodeSelectorTerms"]]
    assert pools == [["gpu-a"], ["gpu-b"]]
    objects = of_kind(compiled()["train-east"], "JobSet")["ml-training/pretrain"]
    spot = pod_templates(objects)[0]["spec"]
    taints = {item["key"] for item in spot["tolerations"]}
    assert taints == {"kubernetes.azure.com/scalesetpriority", "sku"}
    tune = _spec("train-east", "Job", "ml-training/tune")["template"]["spec"]
    assert tune["nodeSelector"] == {"agentpool": "gpu"}
    assert {item["key"] for item in tune["tolerations"]} == {"sku"}
    west = _spec("infer-west", "Deployment", "ml-inference/chat")["template"]["spec"]
    assert "nodeSelector" not in west  # nothing marks the nodes of its pool
    assert "affinity" not in west


def test_quotas_are_those_that_fit_first() -> None:
    hard = _spec("train-east", "ResourceQuota", "ml-training/frota")["hard"]
    assert hard["requests.nvidia.com/gpu"] == "64"
    hard = _spec("lab", "ResourceQuota", "ml-experimentation/frota")["hard"]
    assert hard["requests.nvidia.com/mig-1g.10gb"] == "2"
    assert hard["pods"] == "20"


def test_what_needs_more_than_kubernetes_is_known() -> None:
    groups = {key_of(item).group for objects in compiled().values() for item in objects}
    assert {extension_of(group) for group in groups} == {
        "",
        "JobSet",
        "Kueue",
        "LeaderWorkerSet",
        "Prometheus Operator",
    }


def test_effects_grow_with_the_environment() -> None:
    for cluster, actions in {
        "infer-east": ["Deny"],
        "infer-staging": ["Warn", "Audit"],
        "lab": ["Audit"],
    }.items():
        bindings = of_kind(compiled()[cluster], "ValidatingAdmissionPolicyBinding")
        assert bindings["frota-acme-images"]["spec"]["validationActions"] == actions
    ends = of_kind(compiled()["lab"], "ValidatingAdmissionPolicyBinding")["frota-acme-lifetimes"]
    assert ends["spec"]["validationActions"] == ["Deny"]


def test_levels_of_pod_security() -> None:
    def level(cluster: str, namespace: str) -> str:
        space = of_kind(compiled()[cluster], "Namespace")[namespace]
        found: str = space["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
        return found

    assert level("infer-east", "ml-inference") == "restricted"
    assert level("train-east", "ml-training") == "restricted"
    assert level("lab", "ml-experimentation") == "baseline"
    assert level("infer-east", "frota-gpu") == "privileged"
    assert level("infer-east", "frota-system") == "restricted"

"""What an administrator applies for a pull agent: as few rights as its objects need."""

from __future__ import annotations

from typing import Any

import pytest

from frota.compile.agent.deployment import AgentPod, agent_manifests
from frota.compile.agent.rights import guards, plural, rights
from frota.compile.kubernetes import batches
from frota.model.objects import Object, key_of
from tests.compile.fleets import EVERYTHING, EXAMPLES, ROOT, compiled, of_kind, pod_templates
from tests.compile.restricted import breaches

IMAGE = "registry.example/frota@sha256:" + "0" * 64
FLEETS = (EVERYTHING, *(ROOT / "examples" / name for name in EXAMPLES))
CASES = [(name, objects) for place in FLEETS for name, objects in compiled(place).items()]


def pod(**parts: Any) -> AgentPod:
    given = {"fleet": "acme", "cluster": "east", "store": "az://acme/frota", "image": IMAGE}
    return AgentPod(**{**given, "keys": "KEYS\n", **parts})


def rules(items: tuple[Object, ...]) -> list[tuple[str, dict[str, Any]]]:
    """Every rule with the namespace that it holds in; empty: in all."""
    return [
        (item["metadata"].get("namespace", ""), rule)
        for item in items
        if item["kind"] in ("Role", "ClusterRole")
        for rule in item["rules"]
    ]


@pytest.mark.parametrize(("cluster", "objects"), CASES, ids=[name for name, _ in CASES])
def test_no_right_is_without_need(cluster: str, objects: tuple[Object, ...]) -> None:
    kinds = {(key_of(item).group, plural(item["kind"])) for item in objects}
    for namespace, rule in rules(tuple(rights(objects))):
        assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]
        assert not {"secrets", "roles", "namespaces"} & set(rule["resources"]) or not (
            set(rule["verbs"]) - {"list", "watch"}
        )
        assert not {"escalate", "impersonate", "update", "deletecollection"} & set(rule["verbs"])
        if "bind" in rule["verbs"] or namespace == "frota-agent":
            assert rule["resourceNames"]
            continue
        found = {(group, name) for group in rule["apiGroups"] for name in rule["resources"]}
        assert found <= kinds
        if not namespace and set(rule["verbs"]) - {"list", "watch"}:
            assert rule["resourceNames"]  # in the whole cluster only by name


@pytest.mark.parametrize(("cluster", "objects"), CASES, ids=[name for name, _ in CASES])
def test_every_object_is_the_agents_or_the_administrators(
    cluster: str, objects: tuple[Object, ...]
) -> None:
    fixed = {key_of(item) for item in guards(objects)}
    granted = rules(tuple(rights(objects)))
    for item in objects:
        key = key_of(item)
        may = [
            rule
            for namespace, rule in granted
            if namespace in ("", key.namespace)
            and key.group in rule["apiGroups"]
            and plural(key.kind) in rule["resources"]
            and "patch" in rule["verbs"]
            and key.name in rule.get("resourceNames", [key.name])
        ]
        assert bool(may) is (key not in fixed), key


def test_what_fences_the_agent_in_is_not_its_own() -> None:
    for _, objects in CASES:
        kinds = {item["kind"] for item in guards(objects)}
        assert {"Namespace", "ClusterRole", "ValidatingAdmissionPolicy"} <= kinds


def test_a_secret_is_no_part_of_a_bundle() -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "n"}}
    with pytest.raises(ValueError, match="a Secret cannot be delivered"):
        agent_manifests(pod(), [secret])


@pytest.mark.parametrize("client_id", ["", "11111111-2222-3333-4444-555555555555"])
def test_the_agents_pod_is_restricted(client_id: str) -> None:
    items = agent_manifests(pod(client_id=client_id), CASES[0][1])
    deployment = of_kind(items, "Deployment")["frota-agent/frota-agent"]
    (template,) = pod_templates(deployment)
    assert list(breaches(template["spec"])) == []
    (container,) = template["spec"]["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["resources"]["limits"]["memory"]
    assert ("--bundles-sas" in container["args"]) is not bool(client_id)
    assert not container.get("env")
    namespace = of_kind(items, "Namespace")["frota-agent"]
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_nobody_reaches_the_agent_and_it_reaches_no_metadata() -> None:
    policy = of_kind(agent_manifests(pod(), CASES[0][1]), "NetworkPolicy")[
        "frota-agent/frota-agent"
    ]
    spec = policy["spec"]
    assert set(spec["policyTypes"]) == {"Ingress", "Egress"}
    assert "ingress" not in spec
    blocks = [to["ipBlock"] for rule in spec["egress"] for to in rule["to"] if "ipBlock" in to]
    assert all("169.254.0.0/16" in b["except"] for b in blocks if b["cidr"] == "0.0.0.0/0")


def test_applying_again_never_sets_the_memory_back() -> None:
    state = of_kind(agent_manifests(pod(), CASES[0][1]), "ConfigMap")[
        "frota-agent/frota-agent-state"
    ]
    assert "data" not in state


def test_the_manifests_are_in_an_order_that_can_be_applied() -> None:
    items = agent_manifests(pod(), CASES[0][1])
    spaces: set[str] = set()
    for item in items:
        key = key_of(item)
        if key.kind == "Namespace":
            spaces.add(key.name)
        assert key.namespace in spaces | {""}
    assert len({key_of(item) for item in items}) == len(items)


def test_plurals() -> None:
    known = {
        "NetworkPolicy": "networkpolicies",
        "PriorityClass": "priorityclasses",
        "ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings",
        "Endpoints": "endpoints",
        "LocalQueue": "localqueues",
        "Gateway": "gateways",
        "PodDisruptionBudget": "poddisruptionbudgets",
        "Ingress": "ingresses",
    }
    assert {kind: plural(kind) for kind in known} == known


def test_batches_hold_all() -> None:
    """``guards`` sorts as delivery does."""
    for _, objects in CASES:
        fixed = guards(objects)
        assert fixed == [item for batch in batches(fixed) for item in batch]

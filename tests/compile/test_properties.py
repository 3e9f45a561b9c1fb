"""What holds for the objects of every cluster, whatever the fleet."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from typing import Any

from hypothesis import given, settings

from frota.compile.kubernetes import PART_OF, batches, compile_site, membership
from frota.compile.kubernetes.labels import CLUSTER, ENVIRONMENT, FLEET, FUNCTION, MANAGED_BY
from frota.compile.kubernetes.site import Site
from frota.model.objects import Object, key_of
from tests.compile.fleets import of_kind, pod_templates
from tests.compile.restricted import breaches
from tests.compile.strategies import sites

_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_OFFICE = {"ClusterRole", "Namespace", "PriorityClass", "ResourceFlavor", "ClusterQueue"}
_OFFICE |= {"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}
_METADATA = ip_address("169.254.169.254")


@settings(max_examples=25, deadline=None)
@given(sites())
def test_every_object_is_named_labelled_and_there_once(site: Site) -> None:
    objects = compile_site(site)
    keys = [key_of(item) for item in objects]
    assert len(set(keys)) == len(keys)
    for item, key in zip(objects, keys, strict=True):
        assert len(key.name) <= 63, key
        assert _NAME.fullmatch(key.name), key
        assert (key.namespace == "") == (key.kind in _OFFICE), key
        labels = item["metadata"]["labels"]
        assert labels[PART_OF] == membership(site.fleet)
        assert {FLEET, CLUSTER, ENVIRONMENT, FUNCTION, MANAGED_BY} <= set(labels)
        for place in (item["metadata"], *(it["metadata"] for it in pod_templates(item))):
            for value in place["labels"].values():
                assert len(value) <= 63
                assert _LABEL_VALUE.fullmatch(value), (key, value)


@settings(max_examples=25, deadline=None)
@given(sites())
def test_the_same_site_gives_the_same_bytes(site: Site) -> None:
    first, second = compile_site(site), compile_site(site)
    assert json.dumps(first) == json.dumps(second)


@settings(max_examples=25, deadline=None)
@given(sites())
def test_every_pod_is_restricted_and_has_no_token(site: Site) -> None:
    objects = compile_site(site)
    accounts = of_kind(objects, "ServiceAccount")
    for item in objects:
        for template in pod_templates(item):
            pod = template["spec"]
            assert list(breaches(pod)) == []
            assert pod["automountServiceAccountToken"] is False
            account = accounts[f"{item['metadata']['namespace']}/{pod['serviceAccountName']}"]
            assert account["automountServiceAccountToken"] is False
            for container in (*pod["containers"], *pod.get("initContainers", [])):
                assert "@sha256:" in container["image"]
                assert container["resources"]["limits"]["memory"]


@settings(max_examples=25, deadline=None)
@given(sites())
def test_every_namespace_denies_both_ways(site: Site) -> None:
    objects = compile_site(site)
    policies = of_kind(objects, "NetworkPolicy")
    for name in of_kind(objects, "Namespace"):
        assert policies[f"{name}/deny"]["spec"] == {
            "podSelector": {},
            "policyTypes": ["Ingress", "Egress"],
        }


@settings(max_examples=25, deadline=None)
@given(sites())
def test_the_metadata_address_is_open_only_where_it_was_named(site: Site) -> None:
    named = any(
        flow.cidr == "169.254.169.254/32"
        for egress in (*(it.egress for it in site.services), *(it.egress for it in site.jobs))
        for flow in egress
    )
    for policy in of_kind(compile_site(site), "NetworkPolicy").values():
        for rule in policy["spec"].get("egress", []):
            assert rule.get("to"), "an egress rule without peers is open to all"
            for block in (peer["ipBlock"] for peer in rule["to"] if "ipBlock" in peer):
                assert _METADATA not in ip_network(block["cidr"]) or named or _cut_out(block)


def _cut_out(block: dict[str, Any]) -> bool:
    return any(_METADATA in ip_network(part) for part in block.get("except", []))


@settings(max_examples=25, deadline=None)
@given(sites())
def test_nobody_is_given_everything(site: Site) -> None:
    for item in compile_site(site):
        for rule in item.get("rules", []):
            for words in (rule["apiGroups"], rule["resources"], rule["verbs"]):
                assert "*" not in "".join(words)
            assert not set(rule["verbs"]) & {"bind", "escalate", "impersonate"}
            if "secrets" in rule["resources"]:
                assert not set(rule["verbs"]) & {"get", "list", "watch"}
        assert item["kind"] != "ClusterRoleBinding"
        if item["kind"] == "RoleBinding":
            assert item["roleRef"]["name"] != "cluster-admin"


@settings(max_examples=25, deadline=None)
@given(sites())
def test_what_is_needed_comes_first(site: Site) -> None:
    seen: set[tuple[str, str, str]] = set()
    for batch in batches(compile_site(site)):
        for item in batch:
            for needed in _needs(item):
                assert needed in seen, (key_of(item), needed)
        seen |= {
            (it["kind"], it["metadata"].get("namespace", ""), it["metadata"]["name"])
            for it in batch
        }


def _needs(item: Object) -> Iterator[tuple[str, str, str]]:
    namespace = item["metadata"].get("namespace", "")
    if namespace:
        yield ("Namespace", "", namespace)
    if item["kind"] == "RoleBinding":
        yield (item["roleRef"]["kind"], "", item["roleRef"]["name"])
    for template in pod_templates(item):
        yield ("ServiceAccount", namespace, template["spec"]["serviceAccountName"])
        yield ("PriorityClass", "", template["spec"]["priorityClassName"])
        yield ("NetworkPolicy", namespace, "deny")
        yield ("ResourceQuota", namespace, "frota")

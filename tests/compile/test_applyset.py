"""Membership, as KEP-3659 and kubectl have it."""

from __future__ import annotations

from frota.compile.kubernetes import PART_OF, batches, membership
from frota.compile.kubernetes.applyset import GROUP_KINDS, ID, NAMESPACES, identifier
from frota.model.objects import ObjectKey, key_of
from tests.compile.fleets import compiled


def test_the_identifier_is_that_of_kubectl() -> None:
    """The value stands in kubectl's own tests, for a Secret my-set in the namespace test."""
    found = identifier(ObjectKey("", "Secret", "test", "my-set"))
    assert found == "applyset-0eFHV8ySqp7XoShsGvyWFQD3s96yqwHmzc4e0HR1dsY-v1"


def test_the_parent_names_kinds_and_namespaces_of_its_members() -> None:
    for objects in compiled().values():
        parents = [item for item in objects if ID in item["metadata"]["labels"]]
        assert len(parents) == 1
        parent = parents[0]
        assert parent["metadata"]["labels"][ID] == membership("acme")
        keys = [key_of(item) for item in objects]
        kinds = {f"{key.kind}.{key.group}".rstrip(".") for key in keys}
        spaces = {key.namespace for key in keys} - {"", parent["metadata"]["namespace"]}
        annotations = parent["metadata"]["annotations"]
        assert annotations[GROUP_KINDS] == ",".join(sorted(kinds))
        assert annotations[NAMESPACES] == ",".join(sorted(spaces))
        assert {item["metadata"]["labels"][PART_OF] for item in objects} == {membership("acme")}


def test_the_parent_comes_before_all_that_needs_no_less() -> None:
    for objects in compiled().values():
        kinds = [{item["kind"] for item in batch} for batch in batches(objects)]
        assert kinds[:2] == [{"Namespace"}, {"ConfigMap"}]
        before = set().union(*kinds[:-1])
        assert before.isdisjoint({"Deployment", "Job", "JobSet", "LeaderWorkerSet"})


def test_order_does_not_hang_on_the_order_given() -> None:
    objects = compiled()["infer-east"]
    assert batches(reversed(objects)) == batches(objects)
    assert tuple(item for batch in batches(objects) for item in batch) == objects

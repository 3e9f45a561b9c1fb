"""What can be wrong with a fleet, its clusters and its teams, in the words people read."""

from __future__ import annotations

from typing import Any

import pytest

from frota.resources.documents import filled, load
from tests.resources.members import Doc, fleet, member, pair, service, team
from tests.resources.test_plant_rules import cluster, group, messages, stored, together, warnings

CLIENT = "11111111-2222-3333-4444-555555555555"
CONFIG = {"path": "/etc/frota/kubeconfig", "context": "a"}


def kube(name: str, region: str = "east", **spec: Any) -> Doc:
    config = {"path": "/etc/frota/kubeconfig", "context": name}
    return member(name, region, **({"provider": "kubeconfig", "kubeconfig": config} | spec))


def without(document: Doc, field: str) -> Doc:
    spec = {key: value for key, value in document["spec"].items() if key != field}
    return document | {"spec": spec}


def staged(*waves: list[str], name: str = "prod") -> Doc:
    return fleet(environments=[{"name": name, "waves": list(waves)}])


def test_a_small_fleet_is_right() -> None:
    result = together(*pair(), kube("c", identity={"clientId": CLIENT}), service())
    assert messages(result) == []
    assert warnings(result) == []


def test_waves_and_pull_are_right() -> None:
    assert not together(staged(["a"], ["b"]), member("a"), member("b", "west")).problems
    bundles = {"store": "file:///srv/frota/bundles"}
    pulled = member("a", provider="kubeconfig", delivery="pull")
    assert not together(fleet(bundles=bundles), pulled).problems


CASES: dict[str, tuple[list[Doc], list[str]]] = {
    "unknown fleet": (
        [fleet("acme"), member("a", fleet="acne")],
        ['1.json: spec.fleet: expected acme; found "acne" (did you mean acme?)'],
    ),
    "no fleet at all": (
        [team()],
        ['0.json: spec.fleet: expected the name of a Fleet; there is none yet; found "acme"'],
    ),
    "unknown region": (
        [fleet(), member("a", "eats")],
        ['1.json: spec.region: expected one of east, west; found "eats" (did you mean east?)'],
    ),
    "no region": (
        [fleet(), without(member("a"), "region")],
        ["1.json: spec.region: expected one of east, west; found nothing (acme has some)"],
    ),
    "a region where there are none": (
        [fleet(regions=[]), member("a")],
        [
            (
                "1.json: spec.region: expected a region that Fleet acme lists; there is none yet; "
                'found "east"'
            )
        ],
    ),
    "an environment that the fleet has not": (
        [fleet(environments=[{"name": "dev"}]), member("a")],
        ['1.json: spec.environment: expected dev, the environments of Fleet acme; found "prod"'],
    ),
    "no function, no environment": (
        [fleet(), without(without(member("a"), "function"), "environment")],
        [
            (
                "1.json: spec.environment: expected one of dev, staging, prod; found nothing "
                "(a member of a fleet must say it)"
            ),
            (
                "1.json: spec.function: expected one of training, inference, experimentation; "
                "found nothing (a member of a fleet must say it)"
            ),
        ],
    ),
    "a wave names a cluster of another environment": (
        [staged(["a"], ["d"]), member("a"), member("d", "west", environment="dev")],
        [
            (
                "0.json: spec.environments[0].waves[1][0]: expected a cluster of prod; "
                'found "d", which is of dev'
            ),
            '2.json: spec.environment: expected prod, the environments of Fleet acme; found "dev"',
        ],
    ),
    "a wave leaves a cluster out": (
        [staged(["a"]), member("a"), member("b", "west")],
        [
            (
                "0.json: spec.environments[0].waves: expected every cluster of prod; "
                "found none for b (add them, or leave waves out)"
            )
        ],
    ),
    "a wave names nobody": (
        [staged(["a"], ["bb"]), member("a")],
        ['0.json: spec.environments[0].waves[1][0]: expected a; found "bb"'],
    ),
    "a cluster in two waves": (
        [staged(["a"], ["a"]), member("a")],
        ['0.json: spec.environments[0].waves[1][0]: expected each cluster once; found "a" again'],
    ),
    "two regions of one wave stand in for each other": (
        [staged(["a", "b"]), member("a"), member("b", "west")],
        [
            (
                "0.json: spec.environments[0].waves[0][1]: expected another wave than a: west and "
                'east stand in for each other; found "b" in the same'
            )
        ],
    ),
    "a region stands in for itself": (
        [fleet(regions=[{"name": "east", "standsInFor": ["east"]}, {"name": "west"}])],
        ['0.json: spec.regions[0].standsInFor[0]: expected west; found "east", which is itself'],
    ),
    "an environment twice": (
        [fleet(environments=[{"name": "dev"}, {"name": "dev"}])],
        ['0.json: spec.environments[1].name: expected each environment once; found "dev" again'],
    ),
    "one kubeconfig for two": (
        [fleet(), kube("a"), kube("b", kubeconfig=CONFIG)],
        [
            (
                "2.json: spec.kubeconfig: expected a kubeconfig and context of its own; "
                "found that of cluster a"
            )
        ],
    ),
    "one identity for two": (
        [
            fleet(),
            member("a", identity={"clientId": CLIENT}),
            member("b", "west", identity={"clientId": CLIENT}),
        ],
        [
            (
                "2.json: spec.identity.clientId: expected an identity of its own; "
                "found that of cluster a"
            )
        ],
    ),
    "kubeconfig without one": (
        [fleet(), member("a", provider="kubeconfig")],
        [
            (
                "1.json: spec.kubeconfig: expected how its API server is reached; found nothing "
                "(such as kubeconfig: {path: /etc/frota/kubeconfig, context: east})"
            )
        ],
    ),
    "kubeconfig with VMs": (
        [fleet(), kube("a", controlPlane={"count": 1, "vmSize": {"memory": "4Gi", "cpus": 2}})],
        [
            (
                "1.json: spec.controlPlane: expected no such field with kubeconfig; found "
                "controlPlane (take it away, or name the hostGroup that runs VMs, with libvirt or "
                "twin)"
            )
        ],
    ),
    "a pool with VMs that nobody runs": (
        [fleet(), member("a", nodePools=[{"name": "p", "vmSize": {"memory": "4Gi", "cpus": 2}}])],
        [
            f"1.json: spec.nodePools[0].{field}: expected no such field without hostGroup; found "
            f"{field} (take it away, or name the hostGroup that runs VMs, with libvirt or twin)"
            for field in ("availabilitySet", "mobility", "priority", "vmSize")
        ],
    ),
    "a kubeconfig on the twin": (
        [fleet(), member("a", kubeconfig=CONFIG)],
        [
            (
                "1.json: spec.kubeconfig: expected no such field on the twin; found kubeconfig "
                "(a twin is simulated; take it away, or set provider: kubeconfig)"
            )
        ],
    ),
    "a twin of nothing": (
        [without(without(without(member("a"), "fleet"), "region"), "nodePools")],
        [
            (
                "0.json: spec.hostGroup: expected the HostGroup that runs its VMs, or the fleet in "
                "which it is an API server; found neither hostGroup nor fleet"
            )
        ],
    ),
    "VMs without a control plane": (
        [group(), without(cluster(nodePools=[{"name": "web"}]), "controlPlane")],
        [
            (
                "1.json: spec.controlPlane: expected the VMs of the control plane: a mapping with "
                "count, vmSize; found nothing (a hostGroup runs them)"
            ),
            (
                "1.json: spec.nodePools[0].count: expected how many VMs; found nothing "
                "(the field is required where nodes are VMs)"
            ),
            (
                "1.json: spec.nodePools[0].vmSize: expected what each VM gets; found nothing "
                "(the field is required where nodes are VMs)"
            ),
        ],
    ),
    "libvirt without hosts": (
        [without(cluster(provider="libvirt", template={"image": "/i"}), "hostGroup")],
        [
            (
                "0.json: spec.hostGroup: expected the HostGroup whose hosts run its VMs; "
                "found nothing (libvirt needs it)"
            )
        ],
    ),
    "pull without a store": (
        [fleet(), member("a", delivery="pull")],
        ['1.json: spec.delivery: expected push, or bundles.store in Fleet acme; found "pull"'],
    ),
    "pull with a credential": (
        [fleet(bundles={"store": "file:///b"}), kube("a", delivery="pull")],
        [
            (
                "1.json: spec.kubeconfig: expected no kubeconfig with delivery pull; found one "
                "(with pull nobody but the cluster holds its credentials: take it away)"
            )
        ],
    ),
    "a store with a signature": (
        [fleet(bundles={"store": "https://acme.blob.example/b?sv=1&sig=abc"})],
        [
            (
                "0.json: spec.bundles.store: expected a store without credentials; found one with "
                "credentials (Frota's own identity opens it)"
            )
        ],
    ),
    "two teams with one namespace": (
        [fleet(), team("a"), team("b", namespaces={"training": "a-inference"})],
        [
            (
                "2.json: spec.namespaces.training: expected a namespace of its own; found "
                '"a-inference", which is that of team a'
            )
        ],
    ),
    "a team whose namespaces are too long": (
        [fleet(), team("t" * 50)],
        [
            (
                "1.json: metadata.name: expected a name that leaves its namespaces at most 63 "
                f"characters; found {'t' * 20}…-experimentation, 66 characters (shorten it, or "
                "name the namespaces in spec.namespaces)"
            )
        ],
    ),
    "a namespace of Kubernetes": (
        [fleet(), team("ml", namespaces={"training": "kube-system"})],
        [
            (
                "1.json: spec.namespaces.training: expected a namespace that is not of Kubernetes "
                'or of Frota itself; found "kube-system"'
            )
        ],
    ),
    "quotas": (
        [
            fleet(),
            member("a"),
            team(quotas=[{"cluster": "aa", "gpus": 1}, {"environment": "dev"}, {"gpus": 2}]),
        ],
        [
            '2.json: spec.quotas[0].cluster: expected a; found "aa" (did you mean a?)',
            (
                "2.json: spec.quotas[1]: expected one of gpus, cpus, memory, pods, volumes; found "
                "no limit (take the item away)"
            ),
        ],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_problems(name: str) -> None:
    documents, says = CASES[name]
    assert sorted(messages(together(*documents))) == sorted(says)


def test_a_hidden_quota() -> None:
    quotas = [
        {"environment": "prod", "gpus": 1},
        {"environment": "prod", "function": "training", "gpus": 2},
    ]
    assert messages(together(fleet(), team(quotas=quotas))) == [
        (
            "1.json: spec.quotas[1]: expected what spec.quotas[0] does not fit: the first that "
            "fits counts; found a quota that never counts (put it before that one)"
        )
    ]


def test_what_is_stored_counts() -> None:
    known = stored(*pair())
    assert not together(service(), known=known).problems
    assert messages(together(fleet(regions=[{"name": "west"}]), known=known)) == [
        '0.json: spec.regions: expected "east" too, where cluster a is; found west'
    ]
    waves = stored(staged(["a"]), member("a"))
    assert messages(together(member("b"), known=waves)) == [
        (
            "0.json: spec.fleet: expected a place in the waves of prod in Fleet acme; found none "
            "(apply that Fleet with it)"
        )
    ]


def test_a_cluster_may_leave_its_fleet_but_not_its_hosts() -> None:
    both = cluster(fleet="acme", function="inference", environment="prod", region="east")
    known = stored(group(), fleet(), both)
    assert not together(cluster(), known=known).problems
    assert sorted(messages(together(without(both, "hostGroup"), known=known))) == [
        (
            "0.json: spec.controlPlane: expected no such field without hostGroup; found "
            "controlPlane (take it away, or name the hostGroup that runs VMs, with libvirt or twin)"
        ),
        (
            "0.json: spec.hostGroup: expected g, as it is; found nothing "
            "(make a new one under another name)"
        ),
    ]
    moved = member("a", fleet="other", region="east")
    others = (*stored(*pair()), *stored(fleet("other")))
    assert messages(together(moved, known=others)) == [
        (
            '0.json: spec.fleet: expected acme, as it is; found "other" '
            "(make a new one under another name)"
        )
    ]


def test_documents_stored_before_there_were_fleets() -> None:
    """As an earlier version wrote them: without any of the new fields."""
    old = stored(group(), cluster("c", {"name": "web", "count": 2, "vmSize": {"memory": "4Gi",
                                        "cpus": 2}, "gpu": {"model": "A100"}}, provider="twin")
                 | {"spec": cluster()["spec"]})[1]  # fmt: skip
    for field in ("delivery", "telemetry", "dns"):
        del old["spec"][field]
    new = filled(old)
    assert new["spec"]["delivery"] == "push"
    assert new["spec"]["dns"] == {"namespace": "kube-system", "labels": {"k8s-app": "kube-dns"}}
    assert filled(new) == new
    assert not load([], [old]).problems
    assert not together(group(), known=(old,)).problems
    broken = {"kind": "Cluster", "spec": {}}
    assert filled(broken) == broken
    assert filled({"kind": "Other"}) == {"kind": "Other"}

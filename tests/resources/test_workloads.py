"""What can be wrong with services and jobs, in the words people read."""

from __future__ import annotations

from typing import Any

import pytest

from tests.resources.members import DIGEST, IMAGE, Doc, fleet, job, member, pair, service, team
from tests.resources.test_plant_rules import messages, together, warnings

GPU = {"cpus": 8, "memory": "64Gi"}
TRAIN = (*pair(), member("t", function="training"))
PASSIVE = {"mode": "active-passive", "primary": "east"}


def asking(**gpu: Any) -> Doc:
    return {**GPU, "gpu": gpu}


def test_right_ones() -> None:
    both = service(traffic=PASSIVE | {"standbyReplicas": 1}, pool="gpu", scaling={"max": 4})
    result = together(*TRAIN, both, job(spot=True, checkpoint={"size": "1Gi"}, queue="q"))
    assert messages(result) == []
    assert warnings(result) == []


def test_defaults_that_follow_from_others() -> None:
    made = together(*TRAIN, service(scaling={"max": 4, "metric": "kv-cache"}), job(queue="q"))
    chat, sft = (resource.document["spec"] for resource in made.resources[-2:])
    assert chat["scaling"] == {"min": 1, "max": 4, "metric": "kv-cache", "target": 80}
    assert chat["placement"]["function"] == "inference"
    assert "metricsPort" not in chat["runtime"]
    assert sft["suspend"] is True
    assert together(*TRAIN, job()).resources[-1].document["spec"]["suspend"] is False


SERVICES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "an image without digest": (
        {"runtime": {"image": "registry.example/vllm:latest"}},
        [
            ("spec.runtime.image: expected an image by its digest, registry.example/name@sha256: "
            'and 64 digits 0-9, a-f; found "registry.example/vllm:latest"')
        ],
    ),
    "a model without digest": (
        {"model": {"name": "m", "version": "1", "source": "az://acme/models/m.tar"}},
        [
            ("spec.model.digest: expected a digest: sha256: and 64 digits 0-9, a-f; "
            "found nothing (the field is required)")
        ],
    ),
    "a source that is not carried": (
        {"model": {"name": "m", "version": "1", "digest": DIGEST, "source": "oci://hub/m:1"}},
        [
            (
                "spec.model.source: expected a place to fetch from (https, http, az, abfss, s3, "
                'gs, hf, pvc): az://acme/m.tar; found "oci://hub/m:1"'
            )
        ],
    ),
    "a source with a signature": (
        {
            "model": {
                "name": "m",
                "version": "1",
                "digest": DIGEST,
                "source": "https://acme.blob.example/m?sig=x",
            }
        },
        [
            ("spec.model.source: expected a source without credentials; found one with "
            "credentials (the cluster's workload identity opens the store)")
        ],
    ),
    "a secret": (
        {"runtime": {"image": IMAGE, "env": {"HF_TOKEN": "x", "MAX_TOKENS": "1"}}},
        [
            ("spec.runtime.env.HF_TOKEN: expected no secret in a document; found one, by its name "
            "(use the cluster's workload identity)")
        ],
    ),
    "an unknown team": (
        {"team": "mls"},
        ['spec.team: expected ml; found "mls" (did you mean ml?)'],
    ),
    "an unknown region": (
        {"placement": {"regions": ["est"]}},
        [
            ('spec.placement.regions[0]: expected one of east, west; found "est" '
            "(did you mean east?)")
        ],
    ),
    "an unknown cluster": (
        {"placement": {"clusters": ["c"]}},
        ['spec.placement.clusters[0]: expected one of a, b; found "c"'],
    ),
    "a cluster of another function": (
        {"placement": {"clusters": ["a"], "function": "training"}},
        [
            ("spec.placement.clusters[0]: expected a cluster for training; "
            'found "a", which is for inference')
        ],
    ),
    "a cluster of another region": (
        {"placement": {"clusters": ["a"], "regions": ["west"]}},
        [
            ("spec.placement.clusters[0]: expected a cluster of the environments and regions "
            'beside it; found "a"')
        ],
    ),
    "a GPU that nobody has": (
        {"resources": asking(model="H100")},
        ['spec.resources.gpu.model: expected A100; found "H100" (did you mean A100?)'],
    ),
    "more GPUs than a node has": (
        {"resources": asking(model="A100", count=16)},
        [
            ("spec.resources.gpu: expected what a node in a, b has: 8 A100; "
            "found 16 A100 for one pod")
        ],
    ),
    "a GPU that nobody has in prod": (
        {"byEnvironment": {"prod": {"resources": asking(model="A10")}}},
        [
            ("spec.byEnvironment.prod.resources.gpu.model: expected A100; "
            'found "A10" (did you mean A100?)')
        ],
    ),
    "an unknown pool": (
        {"pool": "cpu"},
        [
            (
                'spec.pool: expected a pool of each cluster: gpu; found "cpu", which is not in a, '
                "b (did you mean gpu?)"
            )
        ],
    ),
    "active-passive without primary": (
        {"traffic": {"mode": "active-passive"}},
        [
            ("spec.traffic.primary: expected the region that answers while it can; found nothing "
            "(active-passive needs it)")
        ],
    ),
    "a primary that is not placed": (
        {"traffic": PASSIVE, "placement": {"regions": ["west"]}},
        [
            ("spec.traffic.mode: expected active-passive in two regions or more of one "
            "environment; found placed in b"),
            'spec.traffic.primary: expected a region that it is placed in: west; found "east"',
        ],
    ),
    "a primary that plays no part": (
        {"traffic": {"primary": "east"}},
        [
            ("spec.traffic.primary: expected no primary with single; found primary "
            "(take it away, or set mode: active-passive)")
        ],
    ),
    "weights": (
        {"traffic": {"mode": "active-active", "weights": {"north": 0}}},
        [
            "spec.traffic.weights: expected a region with a weight above 0; found none",
            'spec.traffic.weights.north: expected one of east, west; found "north"',
        ],
    ),
    "scaling": (
        {"scaling": {"min": 3, "max": 2}, "byEnvironment": {"dev": {"scaling": {"min": 2,
                                                                                "max": 1}}}},
        [
            "spec.byEnvironment.dev.scaling.max: expected at least min, 2; found 1",
            "spec.scaling.max: expected at least min, 3; found 2",
        ],
    ),
    "flows": (
        {
            "egress": [
                {"name": "a", "port": 1},
                {"name": "a", "port": 1, "cidr": "10.0.0.1/24"},
                {"name": "b", "port": 1, "cidr": "10.0.0.0/24", "namespace": "n"},
            ]
        },
        [
            "spec.egress[0]: expected either cidr or namespace; found neither",
            ("spec.egress[1].cidr: expected a network such as 10.1.2.0/24; "
            'found "10.0.0.1/24" (write 10.0.0.0/24)'),
            'spec.egress[1].name: expected each flow once; found "a" again',
            "spec.egress[2]: expected either cidr or namespace; found both",
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SERVICES)
def test_services(name: str) -> None:
    spec, says = SERVICES[name]
    result = together(*pair(), service(**spec))
    assert sorted(line.removeprefix("4.json: ") for line in messages(result)) == sorted(says)


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (
            service("s" * 46),
            (
                "metadata.name: expected at most 45 characters, so that names of pods fit 63; "
                "found 46 (shorten it)"
            ),
        ),
        (
            job("j" * 41),
            (
                "metadata.name: expected at most 40 characters, so that names of pods fit 63; "
                "found 41 (shorten it)"
            ),
        ),
        (
            service("1st"),
            (
                "metadata.name: expected a name that begins with a letter, as Services must; "
                'found "1st"'
            ),
        ),
    ],
)
def test_names(made: Doc, says: str) -> None:
    assert messages(together(*TRAIN, made)) == [f"5.json: {says}"]


def test_a_job_is_one_run() -> None:
    more = member("u", "west", function="training")
    assert messages(together(*TRAIN, more, job())) == [
        (
            "6.json: spec.placement: expected one cluster of prod; found t, u "
            "(name one in placement.clusters)"
        )
    ]
    assert not together(*TRAIN, more, job(placement={"clusters": ["u"]})).problems
    staging = member("v", function="training", environment="staging")
    assert not together(*TRAIN, staging, job()).problems


def test_a_service_and_a_job_of_one_name() -> None:
    same = job("chat", placement={"function": "inference", "clusters": ["a"]})
    assert messages(together(*pair(), service(), same)) == [
        (
            '5.json: metadata.name: expected a name of its own; found "chat", which a '
            "InferenceService in ml-inference has too"
        )
    ]


def test_pools_that_are_not_declared_are_not_judged() -> None:
    bare = member("a", nodePools=[])
    assert not together(fleet(), bare, team(), service(pool="any")).problems


def test_warnings() -> None:
    lab = service(placement={"function": "experimentation"})
    assert warnings(together(*pair(), lab)) == [
        (
            "spec.placement: expected a cluster for experimentation that fits, in the fleet; found "
            "none (it runs nowhere until there is one)"
        )
    ]
    other = member("b", "west", nodePools=[{"name": "cpu"}])
    assert warnings(together(fleet(), member("a"), other, team(), service())) == [
        (
            "spec.resources.gpu: expected GPUs in every cluster that it is placed in; "
            "found none that fit in b (it waits there)"
        )
    ]
    assert warnings(together(*TRAIN, job(spot=True))) == [
        "spec.spot: expected a checkpoint, or all is lost whenever a node is taken away; found none"
    ]


def test_quotas_that_hold_too_little() -> None:
    small = team(quotas=[{"gpus": 1, "cpus": 64, "memory": "100Gi"}])
    says = [
        "expected a quota of 2 gpus, which its workloads ask for in a; found 1",
        "expected a quota of 128Gi, which its workloads ask for in a; found 100Gi",
    ]
    clusters = (fleet(), member("a"), member("b", "west"))
    assert warnings(together(*clusters, small, service())) == [
        f"spec.quotas[0].{field}: {text} (the rest waits)"
        for field, text in zip(("gpus", "memory"), says, strict=True)
    ]
    known = tuple(r.document for r in together(*clusters, small).resources)
    found = warnings(together(service(), known=known))
    assert found == [f"spec.team: {text} (the rest waits)" for text in says]
    scaled = service(scaling={"max": 2, "min": 0}, byEnvironment={"prod": {"replicas": 1}})
    assert warnings(together(*clusters, team(quotas=[{"gpus": 2}]), scaled)) == []
    fixed = service(scaling={"max": 8}, byEnvironment={"prod": {"replicas": 2}})
    assert warnings(together(*clusters, team(quotas=[{"gpus": 2}]), fixed)) == []
    train = (*clusters, member("t", function="training"))
    assert warnings(together(*train, team(quotas=[{"gpus": 8}]), job())) == [
        (
            "spec.quotas[0].gpus: expected a quota of 16 gpus, which its workloads ask for in t; "
            "found 8 (the rest waits)"
        )
    ]

"""Rules across documents and against what is stored."""

from __future__ import annotations

import json
from typing import Any

import pytest

from frota.resources.documents import Loaded, load


def host(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "capacity": {"memory": "64Gi", "cpus": 16}, **more}


def group(name: str = "g", **spec: Any) -> dict[str, Any]:
    base = {"provider": "twin", "hosts": [host("a"), host("b")]}
    return {
        "apiVersion": "frota.dev/v1alpha1",
        "kind": "HostGroup",
        "metadata": {"name": name},
        "spec": base | spec,
    }


def role(**more: Any) -> dict[str, Any]:
    return {"count": 1, "vmSize": {"memory": "4Gi", "cpus": 2}, **more}


def cluster(name: str = "c", *pools: dict[str, Any], **spec: Any) -> dict[str, Any]:
    base = {"provider": "twin", "hostGroup": "g", "controlPlane": role(), "nodePools": list(pools)}
    return {
        "apiVersion": "frota.dev/v1alpha1",
        "kind": "Cluster",
        "metadata": {"name": name},
        "spec": base | spec,
    }


def together(*documents: dict[str, Any], known: tuple[dict[str, Any], ...] = ()) -> Loaded:
    """Each document as a file of its own, in JSON, which is YAML too."""
    files = [(f"{n}.json", json.dumps(document)) for n, document in enumerate(documents)]
    return load(files, known)


def messages(result: Loaded) -> list[str]:
    """Problems without line and column."""
    assert not (result.problems and result.resources)
    return [f"{p.file}: {p.path}: {p.message}" for p in result.problems]


def warnings(result: Loaded) -> list[str]:
    assert not result.problems
    return [f"{p.path}: {p.message}" for p in result.warnings]


def stored(*documents: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    return tuple(resource.document for resource in together(*documents).resources)


def test_all_right() -> None:
    result = together(group(), cluster("c", role(name="web", count=4)))
    assert [(r.kind, r.name, r.file) for r in result.resources] == [
        ("HostGroup", "g", "0.json"),
        ("Cluster", "c", "1.json"),
    ]
    assert warnings(result) == []


def test_order_of_files_does_not_matter() -> None:
    assert not together(cluster(), group()).problems


PROBLEMS: list[tuple[list[dict[str, Any]], str]] = [
    (
        [group(), group()],
        '1.json: metadata.name: expected each HostGroup once; found "g" again, first at 0.json:1',
    ),
    (
        [group(), cluster(hostGroup="gg")],
        '1.json: spec.hostGroup: expected g; found "gg" (did you mean g?)',
    ),
    (
        [cluster()],
        ("0.json: spec.hostGroup: expected the name of a HostGroup; there is none yet; "
        'found "g"'),
    ),
    (
        [group(), cluster(provider="libvirt", template={"image": "/i"})],
        '1.json: spec.provider: expected twin, the provider of g; found "libvirt"',
    ),
    (
        [group(), cluster("c", role(name="big", vmSize={"memory": "65Gi", "cpus": 2}))],
        ("1.json: spec.nodePools[0].vmSize: expected a VM that fits a host of g; the largest "
        "gives 64Gi, 16 CPUs; found 65Gi, 2 CPUs"),
    ),
    (
        [
            group(hosts=[host("a", reserve={"memory": "4Gi", "cpus": 2})], overcommit={"cpus": 2}),
            cluster("c", role(name="big", vmSize={"memory": "8Gi", "cpus": 29})),
        ],
        ("1.json: spec.nodePools[0].vmSize: expected a VM that fits a host of g; the largest "
        "gives 60Gi, 28 CPUs; found 8Gi, 29 CPUs"),
    ),
    (
        [group(), cluster("c", role(name="gpu", gpu={"model": "A100"}))],
        ("1.json: spec.nodePools[0].gpu.model: expected no GPU: no host of g has any; "
        'found "A100"'),
    ),
    (
        [
            group(hosts=[host("a", capacity={"memory": "64Gi", "cpus": 16,
                                             "gpus": [{"model": "A100", "count": 4}]})]),
            cluster("c", role(name="gpu", gpu={"model": "A10", "count": 1})),
        ],
        '1.json: spec.nodePools[0].gpu.model: expected A100; found "A10" (did you mean A100?)',
    ),
    (
        [
            group(hosts=[host("a", capacity={"memory": "64Gi", "cpus": 16,
                                             "gpus": [{"model": "A100", "count": 4}]})]),
            cluster("c", role(name="gpu", gpu={"model": "A100", "count": 8})),
        ],
        ("1.json: spec.nodePools[0].gpu: expected a VM that fits one host of g with its GPUs; "
        "found 4Gi, 2 CPUs, 8 A100"),
    ),
    (
        [group(), cluster("a", role(name="b-c")), cluster("a-b", role(name="c"))],
        ("2.json: spec.nodePools[0].name: expected set and VM names of its own; "
        'found "a-b-c", which cluster a has too'),
    ),
    (
        [group(), cluster("a", role(name="b-cp")), cluster("a-b")],
        ("2.json: metadata.name: expected set and VM names of its own; "
        'found "a-b-cp", which cluster a has too'),
    ),
    (
        [group(), group("h", provider="libvirt", hosts=[
            {"name": "x", "uri": "qemu+tls://x/system"}]),
         group("i", provider="libvirt", hosts=[{"name": "y", "uri": "qemu+tls://X/system/"}])],
        ("2.json: spec.hosts[0].uri: expected each libvirt once; "
        "found the URI of host x of h"),
    ),
    (
        [group("h", provider="libvirt", hosts=[{"name": "x", "uri": "qemu+tls://x/system"}]),
         cluster(hostGroup="h", provider="libvirt", template={"image": "/i"})],
        ("1.json: spec.template.image: expected storage.disks in HostGroup h, where the VMs' "
        "disks would be; found none"),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("documents", "message"), PROBLEMS)
def test_refused(documents: list[dict[str, Any]], message: str) -> None:
    assert messages(together(*documents)) == [message]


def test_an_unreadable_file_hides_what_it_may_hold() -> None:
    result = load([("g.yaml", "kind: HostGroup\n  x: 1\n"), ("c.yaml", _text(cluster()))])
    assert [problem.file for problem in result.problems] == ["g.yaml"]


def test_a_wrong_host_group_is_still_there() -> None:
    result = together(group(admission="maybe"), cluster())
    assert [problem.path for problem in result.problems] == ["spec.admission"]


def test_stored_documents_count() -> None:
    known = stored(group(), cluster("a", role(name="b-c")))
    assert not together(cluster(), known=known).problems
    assert messages(together(cluster("a-b", role(name="c")), known=known)) == [
        (
            "0.json: spec.nodePools[0].name: expected set and VM names of its own; "
            'found "a-b-c", which cluster a has too'
        )
    ]
    big = together(group(hosts=[host("a")]), cluster(), known=known)
    assert not big.problems, "a document of the files hides the stored one"


def test_what_never_changes() -> None:
    known = stored(group(), group("h"), cluster())
    assert messages(together(cluster(hostGroup="h"), known=known)) == [
        (
            '0.json: spec.hostGroup: expected g, as it is; found "h" '
            "(make a new one under another name)"
        )
    ]
    changed = group(provider="libvirt", hosts=[{"name": "a", "uri": "qemu:///system"}])
    assert messages(together(changed, known=known)) == [
        (
            '0.json: spec.provider: expected twin, as it is; found "libvirt" '
            "(make a new one under another name)"
        )
    ]


def test_what_waits_for_a_redeploy() -> None:
    before = cluster("c", role(name="web"))
    after = cluster("c", role(name="web", vmSize={"memory": "8Gi", "cpus": 2},
                              availabilitySet={"levels": ["rack", "host"]}))  # fmt: skip
    said = warnings(together(after, known=stored(group(), before)))
    assert sorted(said) == [
        (
            "spec.nodePools[0].availabilitySet.levels: expected [host], as it is; found "
            "[rack, host] (nothing changes until you say: frota redeploy c-web)"
        ),
        (
            "spec.nodePools[0].vmSize: expected 4Gi, 2 CPUs, as its VMs are; found 8Gi, 2 CPUs "
            "(nothing changes until you say: frota redeploy c-web)"
        ),
    ]


def test_more_than_there_is_room_for_is_a_warning() -> None:
    pools = role(name="big", count=3, vmSize={"memory": "40Gi", "cpus": 2})
    assert warnings(together(group(), cluster("c", pools))) == [
        (
            "spec.nodePools[0].count: expected at most 2, which is what empty hosts of g take; "
            "found 3 (the rest waits)"
        ),
    ]
    known = stored(group(), cluster("a", role(name="p", count=12)))
    crowd = together(cluster("b", role(name="q", count=20)), known=known)
    assert warnings(crowd) == [
        (
            "spec.hostGroup: expected at most 128Gi memory for all clusters of g; found 136Gi "
            "(the rest waits)"
        ),
        "spec.hostGroup: expected at most 32 CPUs for all clusters of g; found 68 (the rest waits)",
        (
            "spec.nodePools[0].count: expected at most 16, which is what empty hosts of g take; "
            "found 20 (the rest waits)"
        ),
    ]


def test_real_hosts_that_declare_nothing_may_have_anything() -> None:
    real = group("h", provider="libvirt", storage={"disks": "/d"}, hosts=[
        {"name": "x", "uri": "qemu+tls://x/system"}])  # fmt: skip
    asked = cluster(
        "c", role(name="gpu", gpu={"model": "A100", "count": 8}),
        hostGroup="h", provider="libvirt", template={"image": "/i"},
    )  # fmt: skip
    assert not together(real, asked).problems
    declared = real["spec"]["hosts"][0] | {"capacity": {"memory": "8Gi", "cpus": 4}}
    small = group("h", provider="libvirt", storage={"disks": "/d"}, hosts=[declared])
    assert not together(small, asked).problems, "its GPUs are as found"
    asked["spec"]["nodePools"][0]["vmSize"]["memory"] = "16Gi"
    assert [p.path for p in together(small, asked).problems] == ["spec.nodePools[0].vmSize"]


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document)

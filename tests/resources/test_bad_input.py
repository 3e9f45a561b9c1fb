"""What people get wrong in one document: the exact line that they read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from frota.resources.documents import Loaded, load

GROUP = """\
apiVersion: frota.dev/v1alpha1
kind: HostGroup
metadata: {name: g}
spec:
  provider: twin
  racks: [{name: r1}, {name: r2}]
  hosts:
    - {name: a, rack: r1, capacity: {memory: 64Gi, cpus: 16}}
    - {name: b, rack: r2, capacity: {memory: 64Gi, cpus: 16}}
"""
REAL = """\
apiVersion: frota.dev/v1alpha1
kind: HostGroup
metadata: {name: g}
spec:
  provider: libvirt
  fencing: {lease: {path: /leases}}
  hosts:
    - {name: a, uri: "qemu+tls://a/system"}
    - {name: b, uri: "qemu+tls://b/system"}
"""
CLUSTER = """\
apiVersion: frota.dev/v1alpha1
kind: Cluster
metadata: {name: c}
spec:
  provider: twin
  hostGroup: g
  controlPlane: {count: 3, vmSize: {memory: 4Gi, cpus: 2}}
  nodePools:
    - {name: web, count: 2, vmSize: {memory: 4Gi, cpus: 2}}
"""


def loaded(text: str, *more: str) -> Loaded:
    return load([("f", text), *((f"f{number}", part) for number, part in enumerate(more))])


def fenced(method: str) -> str:
    """Real hosts of which the first has this fence agent."""
    return REAL.replace("{name: a,", f"{{name: a, fence: [{method}],", 1)


def lines(text: str, *more: str) -> list[str]:
    result = loaded(text, *more)
    assert not (result.problems and result.resources), "nothing is partly applied"
    return [str(problem).removeprefix("f:") for problem in result.problems]


CASES: dict[str, list[dict[str, Any]]] = yaml.safe_load(
    Path(__file__).with_name("bad_input.yaml").read_text(encoding="utf-8")
)


def changed(document: str, case: dict[str, Any]) -> str:
    assert case["change"] in document
    return document.replace(case["change"], case["to"], 1)


@pytest.mark.parametrize("case", CASES["group"], ids=lambda case: case["to"])
def test_host_group(case: dict[str, Any]) -> None:
    assert lines(changed(GROUP, case)) == case["says"]


@pytest.mark.parametrize("case", CASES["real_hosts"], ids=lambda case: case["to"])
def test_real_hosts(case: dict[str, Any]) -> None:
    assert lines(changed(REAL, case)) == case["says"]


@pytest.mark.parametrize("case", CASES["fence"], ids=lambda case: case["method"])
def test_fence_agents(case: dict[str, Any]) -> None:
    assert [line.split(": ", 1)[1] for line in lines(fenced(case["method"]))] == case["says"]


@pytest.mark.parametrize("case", CASES["cluster"], ids=lambda case: case["to"])
def test_cluster(case: dict[str, Any]) -> None:
    assert lines(changed(CLUSTER, case), GROUP) == case["says"]


def test_hosts_without_fence_or_lease_bring_a_warning() -> None:
    result = loaded(REAL.replace("  fencing: {lease: {path: /leases}}\n", ""))
    assert len(result.resources) == 1
    (warning,) = result.warnings
    assert str(warning) == (
        "f:6:3: spec.hosts: expected a fence agent for each host, or leases for the group; "
        "found neither for a, b (without them a person must declare a silent host dead)"
    )


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("- a", "1:1: expected a mapping with apiVersion, kind, metadata and spec; found a list"),
        ("a", '1:1: expected a mapping with apiVersion, kind, metadata and spec; found "a"'),
        (
            "kind: [a]",
            (
                "1:7: kind: expected one of HostGroup, Fleet, Cluster, Team, InferenceService, "
                "TrainingJob; found a list"
            ),
        ),
    ],
)
def test_no_document(text: str, line: str) -> None:
    assert lines(text) == [line]


def test_status_may_stay_in_an_edited_document() -> None:
    result = loaded(GROUP + "status: {anything: [1]}\n")
    assert not result.problems
    assert "status" not in result.resources[0].document


def test_every_default_is_filled_in_and_stays() -> None:
    first = load([("g", GROUP), ("c", CLUSTER)])
    again = load([(r.kind, yaml.safe_dump(r.document)) for r in first.resources])
    assert not again.problems
    assert [r.document for r in again.resources] == [r.document for r in first.resources]
    assert [r.model for r in again.resources] == [r.model for r in first.resources]


def test_isolation_grace_follows_the_preset() -> None:
    for timers, grace in [("{}", "30s"), ("{preset: wsfc}", "4m"),
                          ("{preset: wsfc, isolationGrace: 90000ms}", "90s")]:  # fmt: skip
        result = loaded(GROUP + f"  timers: {timers}\n")
        assert result.resources[0].document["spec"]["timers"]["isolationGrace"] == grace


# Any damage to a good document: one value or key of it replaced by another.
ODD: list[Any] = [
    None,
    True,
    -1,
    1.5,
    "",
    "x",
    "1:30",
    [],
    {},
    [None],
    {"a": 1},
    [{}],
    "host" * 400,
]


def _places(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(_places(part) for part in inner)


def _damaged(value: Any, place: int, odd: Any) -> Any:
    if place == 0:
        return odd
    place -= 1
    if isinstance(value, dict):
        result: dict[str, Any] = {}
        for key, part in value.items():
            inside = 0 <= place < _places(part)
            result[key] = _damaged(part, place, odd) if inside else part
            place -= _places(part)
        return result
    items = []
    for part in value:
        inside = 0 <= place < _places(part)
        items.append(_damaged(part, place, odd) if inside else part)
        place -= _places(part)
    return items


WHOLE = [yaml.safe_load(GROUP), yaml.safe_load(REAL), yaml.safe_load(CLUSTER)]


@given(st.sampled_from(WHOLE), st.data())
def test_no_damage_raises(document: Any, data: st.DataObject) -> None:
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, _places(document) - 1))
        document = _damaged(document, place, data.draw(st.sampled_from(ODD)))
        if not isinstance(document, dict):
            break
    result = loaded(yaml.safe_dump(document), GROUP.replace("name: g", "name: h"))
    assert bool(result.problems) != bool(result.resources)
    assert all(str(problem).isprintable() for problem in result.problems)


@given(
    st.sampled_from(["options", "secrets", "option", "capacity"]),
    st.sampled_from(
        [
            "{password: SECRET}",
            "{password: {file: SECRET}}",
            "{password: [SECRET]}",
            "{passwd: {env: SECRET}}",
            "{token: {file: /a, env: SECRET}}",
        ]
    ),
    st.sampled_from(["hunter2", "1:30", "0777", "'x y'", ".inf", "&a b c"]),
)
def test_secrets_are_never_shown(field: str, shape: str, secret: str) -> None:
    method = f"{{agent: fence_x, {field}: {shape.replace('SECRET', secret)}}}"
    for line in lines(fenced(method)):
        assert secret.strip("'&a ") not in line.split(": ", 1)[1]

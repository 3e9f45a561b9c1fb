"""100,000 lines take seconds, right or wrong. The time is printed; the limits have slack for
a busy machine (measured alone on one core of 2026: 4 s right, 8 s all wrong)."""

from __future__ import annotations

import json
import resource

import pytest

from frota.resources.documents import load
from frota.resources.errors import report
from tests.resources.members import fleet, member, service, team

HEAD = """\
apiVersion: frota.dev/v1alpha1
kind: HostGroup
metadata: {name: g}
spec:
  provider: libvirt
  fencing: {lease: {path: /leases}}
  hosts:
"""
RIGHT = '  - name: h{n}\n    uri: "qemu+tls://h{n}/system"\n    capacity:\n      memory: 256Gi\n'
WRONG = "  - name: h{n}_\n    rak{n}: r1\n    uri: {n}\n    capacity: {{memory: {n}G, cpus: 0}}\n"
CPU_SECONDS_MOST = 40


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


@pytest.mark.parametrize(
    ("name", "text", "problems"),
    [
        ("right", HEAD + "".join(RIGHT.format(n=n) for n in range(25_000)), 0),
        ("all wrong", HEAD + "".join(WRONG.format(n=n) for n in range(25_000)), 125_000),
        ("one key again and again", "a: yes\n" * 100_000, 200_000),
        ("not YAML", "---\na: @\n" * 50_000, 101),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 40 else "",
)
def test_hundred_thousand_lines(name: str, text: str, problems: int) -> None:
    assert text.count("\n") >= 100_000
    began = cpu_seconds()
    loaded = load([("large.yaml", text)])
    lines = report(loaded.problems)
    spent = cpu_seconds() - began
    print(f"\n100,000 lines, {name}: {spent:.1f} s of CPU, {len(loaded.problems)} problems")
    assert len(loaded.problems) == problems
    assert len(lines) == min(problems, 101)
    assert bool(loaded.resources) == (problems == 0)
    assert spent < CPU_SECONDS_MOST


def test_a_thousand_clusters() -> None:
    """Rules ask once for each sort of cluster (alone on one core of 2026: 2 s)."""
    stages, regions = ("dev", "staging", "prod"), ("east", "west")
    documents = [
        fleet(),
        *(member(f"c{n}", regions[n % 2], environment=stages[n % 3]) for n in range(1000)),
        *(team(f"t{n}", quotas=[{"gpus": 10**6}]) for n in range(50)),
        *(service(f"s{n}", team=f"t{n % 50}") for n in range(1000)),
    ]
    began = cpu_seconds()
    loaded = load([("fleet.yaml", "\n---\n".join(map(json.dumps, documents)))])
    spent = cpu_seconds() - began
    print(f"\n1,000 clusters, 1,000 services: {spent:.1f} s of CPU")
    assert len(loaded.resources) == len(documents)
    assert spent < CPU_SECONDS_MOST / 2

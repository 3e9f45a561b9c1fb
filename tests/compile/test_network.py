"""Who can reach whom in compiled clusters: exactly the declared flows.

Asked of an evaluator of our own, and of Network Config Analyzer (IBM) where it can be had:
two readings of the policies that know nothing of each other or of the compiler.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from ipaddress import AddressValueError, IPv4Address
from pathlib import Path

import pytest
import yaml

from tests.compile.fleets import ROOT, compiled, of_kind, pod_templates
from tests.compile.reachability import Cluster, End, Pod

_ANALYZER = "network-config-analyzer==2.1.0"
_SECONDS_MOST = 300
DNS = Pod("kube-system", "dns", {"k8s-app": "kube-dns"})
OTHER = Pod("kube-system", "other", {"app": "other"})
ENVOY = Pod("gateway", "envoy", {"app": "envoy"})
STRAY = Pod("gateway", "stray", {"app": "stray"})
METRICS = Pod("monitoring", "prometheus", {"app": "prometheus"})
STRANGER = Pod("elsewhere", "stranger", {"frota.dev/service": "chat"})
VECTORS = Pod("vectors", "qdrant", {})
STORE = Pod("models", "store", {})
GPU_EXPORTER = Pod("frota-gpu", "dcgm", {"app.kubernetes.io/name": "dcgm-exporter"})
AROUND = (DNS, OTHER, ENVOY, STRAY, METRICS, STRANGER, VECTORS, STORE, GPU_EXPORTER)
WORLD, METADATA, HOST_AGENT, DATA = (
    "203.0.113.7",
    "169.254.169.254",
    "168.63.129.16",
    "10.30.0.5",
)
OUTSIDE = (WORLD, METADATA, HOST_AGENT, DATA)
PORTS = (53, 80, 443, 6333, 8000, 8080, 8443, 9000, 9400)


def _pods(cluster: str) -> list[Pod]:
    """Two pods of every workload, and one of nobody, in each namespace of a team."""
    found = []
    for item in compiled()[cluster]:
        for number, template in enumerate(pod_templates(item) * 2):
            name = f"{item['metadata']['name']}-{number}"
            found.append(Pod(item["metadata"]["namespace"], name, template["metadata"]["labels"]))
    spaces = {pod.namespace for pod in found}
    return [*found, *(Pod(space, "unknown", {}) for space in sorted(spaces))]


def _namespaces(cluster: str) -> dict[str, dict[str, str]]:
    own = of_kind(compiled()[cluster], "Namespace")
    labels = {name: item["metadata"]["labels"] for name, item in own.items()}
    for pod in AROUND:
        labels.setdefault(pod.namespace, {})
    # The API server sets this label on every namespace.
    return {name: {**of, "kubernetes.io/metadata.name": name} for name, of in labels.items()}


def _cluster(name: str) -> Cluster:
    policies = of_kind(compiled()[name], "NetworkPolicy")
    return Cluster(tuple(policies.values()), _namespaces(name))


def _touching(flows: set[str], namespaces: tuple[str, ...]) -> set[str]:
    """Flows that begin or end in these namespaces; what others do among them is theirs."""
    return {flow for flow in flows if any(f"{name}/" in flow for name in namespaces)}


def _expect(*lines: str) -> set[str]:
    return {line.strip() for block in lines for line in block.strip().splitlines()}


def test_inference_in_prod_has_exactly_the_declared_flows() -> None:
    ends: list[End] = [*_pods("infer-east"), *AROUND, *OUTSIDE]
    flows = _cluster("infer-east").flows(ends, PORTS)
    found = _touching(flows, ("ml-inference", "search-serving", "frota-gpu"))
    servers = _pods("infer-east")
    names = {f"{pod} -> {DNS}:53" for pod in servers}
    chat = {
        line
        for n in (0, 1)
        for line in _expect(f"""
            gateway/envoy -> ml-inference/chat-{n}:8000
            monitoring/prometheus -> ml-inference/chat-{n}:9000
            ml-inference/chat-{n} -> vectors/qdrant:6333
            ml-inference/chat-{n} -> {WORLD}:443
            ml-inference/chat-{n} -> {WORLD}:8443
            ml-inference/chat-{n} -> {DATA}:443
            ml-inference/chat-{n} -> {DATA}:8443
            monitoring/prometheus -> search-serving/rank-{n}:8000
            search-serving/rank-{n} -> models/store:8080
        """)
    }
    giants = [pod for pod in servers if pod.name.startswith("giant")]
    assert len(giants) == 4  # a leader and a worker, twice
    among = {
        f"{one} -> {two}:{port}" for one in giants for two in giants if one != two for port in PORTS
    }
    scraped = {f"monitoring/prometheus -> {pod}:8000" for pod in giants}
    exporter = {"monitoring/prometheus -> frota-gpu/dcgm:9400"}
    assert found == names | chat | among | scraped | exporter


def test_training_speaks_to_itself_its_data_and_its_model() -> None:
    ends: list[End] = [*_pods("train-east"), *AROUND, *OUTSIDE]
    found = _touching(_cluster("train-east").flows(ends, PORTS), ("ml-training",))
    pods = _pods("train-east")
    nodes = [pod for pod in pods if pod.name.startswith("pretrain")]
    assert found == (
        {f"{pod} -> {DNS}:53" for pod in pods}
        | {f"{a} -> {b}:{port}" for a in nodes for b in nodes if a != b for port in PORTS}
        | {f"{node} -> {DATA}:443" for node in nodes}
        | {f"ml-training/tune-{n} -> {end}:443" for n in (0, 1) for end in (WORLD, DATA)}
    )


def test_another_cluster_may_name_another_place_of_metrics() -> None:
    cluster = _cluster("infer-west")
    chat = next(pod for pod in _pods("infer-west") if pod.name == "chat-0")
    assert cluster.open(OTHER, chat, 9000)
    assert not cluster.open(METRICS, chat, 9000)


def test_the_metadata_address_is_closed_everywhere() -> None:
    for name in compiled():
        cluster = _cluster(name)
        for pod in _pods(name):
            for port in (80, 443, 8443):
                assert not cluster.open(pod, METADATA, port), (name, pod, port)
                assert not cluster.open(pod, HOST_AGENT, port), (name, pod, port)


@pytest.mark.parametrize("name", sorted(compiled()))
def test_an_independent_analyzer_agrees(name: str, tmp_path: Path) -> None:
    command = _analyzer()
    if command is None:
        pytest.skip(f"SKIPPED LOUDLY: {_ANALYZER} is not here and could not be fetched")
    pods = [*_pods(name), *AROUND]
    _write(tmp_path / "in.yaml", name, pods)
    words = [*command, "--connectivity", "-r", str(tmp_path), "--output_format", "txt_no_fw_rules"]
    done = subprocess.run(
        [*words, "--return_0"], capture_output=True, text=True, timeout=_SECONDS_MOST, check=True
    )
    rules = [line for line in done.stdout.splitlines() if " => " in line]
    assert rules, done.stdout + done.stderr
    cluster = _cluster(name)
    ends: list[End] = [*pods, *OUTSIDE]
    theirs = {
        f"{source} -> {target}:{port}"
        for left, right, ports in map(_parsed, rules)
        for source, target in _pairs(left, right, ends)
        for port in PORTS
        if ports is None or port in ports
    }
    ours = cluster.flows(ends, PORTS)
    assert theirs == ours


@cache
def _analyzer() -> tuple[str, ...] | None:
    """How the analyzer is called; None when it cannot be had. It lives in an environment of
    its own: what it depends on does not go with what Frota does."""
    if found := shutil.which("nca"):
        return (found,)
    for uv in (shutil.which("uv"), str(ROOT / ".uv" / "bin" / "uv")):
        if uv and Path(uv).exists():
            words = (uv, "tool", "run", "--quiet", "--from", _ANALYZER, "nca")
            tried = subprocess.run(
                [*words, "--version"], capture_output=True, timeout=_SECONDS_MOST, check=False
            )
            if tried.returncode == 0:
                return words
    return None


def _write(file: Path, name: str, pods: list[Pod]) -> None:
    spaces = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space, "labels": labels}}
        for space, labels in _namespaces(name).items()
    ]
    made = [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": p.name, "namespace": p.namespace, "labels": dict(p.labels)},
            "spec": {"containers": [{"name": "a", "image": "a"}]},
        }
        for p in pods
    ]
    policies = of_kind(compiled()[name], "NetworkPolicy").values()
    file.write_text(yaml.safe_dump_all([*spaces, *made, *policies]), encoding="utf-8")


def _parsed(line: str) -> tuple[str, str, set[int] | None]:
    """``a/b[Pod] => 0.0.0.0-1.2.3.4 : {protocols:TCP,dst_ports:443,8443}``."""
    ends, _, what = line.partition(" : ")
    source, _, target = ends.partition(" => ")
    if what == "All connections" or "dst_ports" not in what:
        return source, target, None if "TCP" in what or what == "All connections" else set()
    ports: set[int] = set()
    for part in what.partition("dst_ports:")[2].rstrip("}").split(","):
        first, _, last = part.partition("-")
        ports |= set(range(int(first), int(last or first) + 1))
    return source, target, ports


def _pairs(source: str, target: str, ends: list[End]) -> Iterator[tuple[End, End]]:
    for one in ends:
        for two in ends:
            outside = isinstance(one, str) and isinstance(two, str)
            if one != two and not outside and _means(source, one) and _means(target, two):
                yield one, two


def _means(text: str, end: End) -> bool:
    if isinstance(end, Pod):
        return text == f"{end}[Pod]"
    first, _, last = text.partition("-")
    try:
        return IPv4Address(first) <= IPv4Address(end) <= IPv4Address(last or first)
    except AddressValueError:  # a pod, or addresses of the other family
        return False

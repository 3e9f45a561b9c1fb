"""The meters of clusters on a real Prometheus, and the rules that are compiled for it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from math import inf, isnan
from pathlib import Path

import pytest
import yaml

from frota.compile.kubernetes import compile_fleet
from frota.drivers.prometheus.objectives import PrometheusObjectives
from frota.model.objectives import ServiceKey
from frota.ports.objectives import MeterAddress
from frota.resources.documents import load
from frota.runtime.clock import SystemClock
from tests.contract.objectives import ObjectivesContract
from tests.real.metrics.prometheus import BIN, Exporter, Prometheus
from tests.real.needs import require
from tests.waiting import until

pytestmark = pytest.mark.real
EXAMPLE = Path(__file__).parents[3] / "examples" / "by-environment"
CHAT = ("language-inference", "chat")


@pytest.fixture
def exporter() -> Iterator[Exporter]:
    require()
    exporter = Exporter()
    yield exporter
    exporter.close()


class RealStage:
    def __init__(self, home: Path, exporter: Exporter) -> None:
        self._exporter = exporter
        self._server = Prometheus(home, exporter)
        self._rates: dict[str, Mapping[ServiceKey, float]] = {}
        self._clock = SystemClock()
        self.port = PrometheusObjectives(self._clock)

    def address(self, cluster: str) -> MeterAddress:
        return MeterAddress(cluster, self._server.url, str(self._server.ca))

    def record(self, cluster: str, rates: Mapping[ServiceKey, float]) -> None:
        self._rates[cluster] = rates
        self._exporter.text = "".join(
            f'frota_slo_burn_rate{{cluster="{name}",namespace="{namespace}",service="{service}",'
            f'objective="availability",window="5m"}} {rate}\n'
            for name, found in self._rates.items()
            for (namespace, service), rate in found.items()
        )
        asked = SystemClock()  # until it was scraped the answer is empty
        probe = PrometheusObjectives(asked)

        def scraped() -> bool:
            probe.detach(cluster)
            probe.attach(self.address(cluster))
            until(lambda: bool(_said(probe, cluster)), lambda: "no answer", 20)
            return set(probe.measured(cluster).rates) == set(rates)

        try:
            until(scraped, lambda: str(probe.measured(cluster)), 30)
        finally:
            probe.close()

    def stop(self) -> None:
        self._server.close()

    def now(self) -> float:
        return self._clock.now()

    def until(self, true: Callable[[], bool]) -> None:
        until(true, lambda: str(self.port.measured("east")), 40)

    def close(self) -> None:
        self.port.close()
        self._server.close()


def _said(port: PrometheusObjectives, cluster: str) -> bool:
    measured = port.measured(cluster)
    return measured.at > -inf or bool(measured.error)


class TestRealObjectives(ObjectivesContract):
    @pytest.fixture
    def stage(self, tmp_path: Path, exporter: Exporter) -> Iterator[RealStage]:
        stage = RealStage(tmp_path, exporter)
        yield stage
        stage.close()


def rules(home: Path, cluster: str) -> Path:
    """The rules of a cluster of the example fleet as Prometheus reads them; evaluated every
    second."""
    files = [(str(file), file.read_text()) for file in sorted(EXAMPLE.glob("*.yaml"))]
    compiled = compile_fleet(item.document for item in load(files).resources)
    groups = [
        {**group, "interval": "1s"}
        for item in compiled[cluster]
        if item["kind"] == "PrometheusRule"
        for group in item["spec"]["groups"]
    ]
    file = home / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": groups}))
    return file


def served(requests: int, failed: int) -> str:
    """What vLLM tells of requests that ended."""
    labels = 'cluster="prod",namespace="language-inference",service="chat"'
    name = "vllm:request_success_total"
    ends = (("stop", requests - failed), ("abort", failed))
    counters = [f'{name}{{{labels},finished_reason="{end}"}} {count}' for end, count in ends]
    return "\n".join([f"# TYPE {name} counter", *counters, ""])


def test_compiled_rules_tell_how_fast_an_objective_is_used_up(
    tmp_path: Path, exporter: Exporter
) -> None:
    file = rules(tmp_path, "prod")
    checked = subprocess.run(
        [BIN / "promtool", "check", "rules", file], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    exporter.text = served(1000, 0)
    server = Prometheus(tmp_path, exporter, [file])
    address = MeterAddress("prod", server.url, str(server.ca))
    port = PrometheusObjectives(SystemClock())

    def rate() -> float | None:
        port.detach("prod")
        port.attach(address)
        until(lambda: _said(port, "prod"), lambda: "no answer", 20)
        return port.measured("prod").rates.get(CHAT)

    def shows(true: Callable[[float], bool]) -> None:
        def seen() -> bool:
            found = rate()
            return found is not None and true(found)

        until(seen, lambda: json.dumps(port.measured("prod").error), 60)

    try:
        shows(isnan)  # nobody asked anything
        exporter.text = served(2000, 0)
        shows(lambda found: found == 0.0)
        exporter.text = served(3000, 500)
        shows(lambda found: found > 10.0)  # every fourth failed, one of a thousand may
    finally:
        port.close()
        server.close()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"ca": ""}, "its certificate is not trusted"),
        ({"ca": "/nowhere/ca.pem"}, "No such file"),
        ({"token": "/nowhere/token"}, "No such file"),
        ({"url": "https://127.0.0.1:1"}, "cannot connect"),
    ],
)
def test_what_is_wrong_is_said(
    tmp_path: Path, exporter: Exporter, change: dict[str, str], said: str
) -> None:
    server = Prometheus(tmp_path, exporter)
    port = PrometheusObjectives(SystemClock())
    given = {"url": server.url, "ca": str(server.ca), **change}
    try:
        port.attach(MeterAddress("east", **given))
        until(lambda: said in port.measured("east").error, lambda: "not said", 30)
    finally:
        port.close()
        server.close()

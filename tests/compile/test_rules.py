"""Recording and alert rules: PromQL, and the names that others read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import promql_parser
import pytest

from frota.compile.kubernetes.rules import groups_of
from frota.compile.kubernetes.site import Slo
from tests.compile.fleets import compiled, of_kind, site


def _rules(cluster: str) -> list[dict[str, Any]]:
    found = of_kind(compiled()[cluster], "PrometheusRule").values()
    groups = [group for item in found for group in item["spec"]["groups"]]
    assert len({group["name"] for group in groups}) == len(groups)
    return [rule for group in groups for rule in group["rules"]]


@pytest.mark.parametrize("cluster", sorted(compiled()))
def test_every_expression_is_promql(cluster: str) -> None:
    for rule in _rules(cluster):
        promql_parser.parse(rule["expr"])


def test_names_are_frotas_and_alerts_say_what_is_wrong() -> None:
    for rule in _rules("infer-east"):
        if "record" in rule:
            assert rule["record"].startswith("frota_")
        else:
            assert rule["alert"].startswith("Frota")
            assert rule["annotations"]["summary"]
            assert rule["labels"]["severity"] in ("critical", "warning")


def test_what_alerts_read_is_recorded() -> None:
    rules = _rules("infer-east")
    recorded = {rule["record"] for rule in rules if "record" in rule}
    for rule in rules:
        for word in rule["expr"].replace("{", " ").replace("(", " ").split():
            assert not word.startswith("frota_") or word in recorded, word


@pytest.mark.parametrize(
    ("latency", "bound"), [(0.5, "0.5"), (0.8, "0.75"), (1.0, "1.0"), (0.0005, "0.001")]
)
def test_a_latency_is_held_to_the_next_stricter_bucket(latency: float, bound: str) -> None:
    east = site("infer-east")
    chat = replace(east.services[0], slo=Slo(latency=latency))
    found = str(groups_of(chat))
    assert f'le="{bound}"' in found

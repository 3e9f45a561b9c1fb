"""The evaluator itself, on policies of which the answer is known from the Kubernetes page."""

from __future__ import annotations

from typing import Any

import pytest

from tests.compile.reachability import Cluster, End, Pod

WEB = Pod("shop", "web", {"app": "web"})
DB = Pod("shop", "db", {"app": "db"})
SPY = Pod("other", "spy", {"app": "web"})
WORLD = "203.0.113.7"
NAMESPACES = {"shop": {"team": "shop"}, "other": {"team": "other"}}


def _policy(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "p", "namespace": "shop"}, "spec": {"podSelector": {}, **spec}}


DENY_IN = _policy(policyTypes=["Ingress"])
DENY_OUT = _policy(policyTypes=["Egress"])
WEB_TO_DB = _policy(
    podSelector={"matchLabels": {"app": "db"}},
    ingress=[
        {"from": [{"podSelector": {"matchLabels": {"app": "web"}}}], "ports": [{"port": 5432}]}
    ],
)
ANY_NAMESPACE = _policy(ingress=[{"from": [{"namespaceSelector": {}}]}])
BOTH_MUST_HOLD = _policy(
    ingress=[
        {
            "from": [
                {
                    "namespaceSelector": {"matchLabels": {"team": "other"}},
                    "podSelector": {"matchLabels": {"app": "db"}},
                }
            ]
        }
    ]
)
EITHER_MAY_HOLD = _policy(
    ingress=[
        {
            "from": [
                {"namespaceSelector": {"matchLabels": {"team": "other"}}},
                {"podSelector": {"matchLabels": {"app": "db"}}},
            ]
        }
    ]
)
WORLD_BUT = _policy(
    policyTypes=["Egress"],
    egress=[
        {
            "to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["203.0.113.0/24"]}}],
            "ports": [{"port": 400, "endPort": 500}],
        }
    ],
)
ALLOW_ALL_IN = _policy(ingress=[{}])
NOT_WEB = _policy(
    podSelector={"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]},
    policyTypes=["Ingress"],
)


@pytest.mark.parametrize(
    ("policies", "source", "target", "port", "expected"),
    [
        ([], SPY, DB, 1, True),
        ([DENY_IN], SPY, DB, 1, False),
        ([DENY_IN], WORLD, DB, 1, False),
        ([DENY_IN], DB, WORLD, 1, True),
        ([DENY_OUT], DB, WORLD, 1, False),
        ([DENY_OUT], WORLD, DB, 1, True),
        ([WEB_TO_DB], WEB, DB, 5432, True),
        ([WEB_TO_DB], WEB, DB, 5433, False),
        ([WEB_TO_DB], SPY, DB, 5432, False),
        ([WEB_TO_DB], SPY, WEB, 80, True),
        ([WEB_TO_DB, DENY_OUT], WEB, DB, 5432, False),
        ([ANY_NAMESPACE], SPY, DB, 1, True),
        ([ANY_NAMESPACE], WORLD, DB, 1, False),
        ([BOTH_MUST_HOLD], SPY, DB, 1, False),
        ([EITHER_MAY_HOLD], SPY, DB, 1, True),
        ([EITHER_MAY_HOLD], DB, WEB, 1, True),
        ([WORLD_BUT], DB, WORLD, 443, False),
        ([WORLD_BUT], DB, "198.51.100.1", 443, True),
        ([WORLD_BUT], DB, "198.51.100.1", 501, False),
        ([WORLD_BUT], DB, WEB, 443, False),
        ([DENY_IN, ALLOW_ALL_IN], WORLD, DB, 9, True),
        ([NOT_WEB], SPY, WEB, 1, True),
        ([NOT_WEB], SPY, DB, 1, False),
    ],
)
def test_known_answers(
    policies: list[dict[str, Any]], source: End, target: End, port: int, expected: bool
) -> None:
    assert Cluster(tuple(policies), NAMESPACES).open(source, target, port) is expected

"""What a Prometheus answers to an instant query. It is a stranger's word: bounded, checked,
and never repeated."""

from __future__ import annotations

from math import isinf

import msgspec

from frota.model.objectives import ServiceKey

BODY_MOST = 1024 * 1024  # bytes: some 10,000 services


class _Metric(msgspec.Struct):
    namespace: str = ""
    service: str = ""


class _Series(msgspec.Struct):
    metric: _Metric
    value: tuple[float, str]


class _Data(msgspec.Struct):
    result: list[_Series]


class _Answer(msgspec.Struct):
    data: _Data


_ANSWERS = msgspec.json.Decoder(_Answer)


class NoAnswer(Exception):
    """There is no good answer. The message is shown to people."""


def question(cluster: str) -> str:
    """PromQL for the worst rate of each service. Of NaN and a number ``max`` takes the
    number: an objective may lack requests while another one has them."""
    name = msgspec.json.encode(cluster).decode()
    return f'max by (namespace, service) (frota_slo_burn_rate{{cluster={name}, window="5m"}})'


def rates(body: bytes) -> dict[ServiceKey, float]:
    """The rates by service. Raises NoAnswer."""
    try:
        series = _ANSWERS.decode(body).data.result
        found = {(s.metric.namespace, s.metric.service): float(s.value[1]) for s in series}
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError, ValueError):
        raise NoAnswer("its answer is not what Prometheus says to a query") from None
    if any(isinf(rate) and rate < 0 for rate in found.values()):
        raise NoAnswer("it recorded a burn rate below zero")
    return found

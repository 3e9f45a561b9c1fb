"""Whether the services of a cluster keep within their error budgets."""

from __future__ import annotations

from collections.abc import Collection
from math import isnan, nan

from frota.model.objectives import Measured, ServiceKey

_OLD_S = 120.0  # a measurement that old says nothing: eight questions were missed


def burn(measured: Measured, services: Collection[ServiceKey], now: float) -> tuple[float, str]:
    """The worst burn rate of these services, and of which it is; NaN where one of them is
    not measured, and why. One that nothing was asked of burns nothing."""
    if now - measured.at > _OLD_S:
        return nan, measured.error or "no answer yet"
    worst, of = 0.0, ""
    for service in sorted(services):
        name = "/".join(service)
        rate = measured.rates.get(service)
        if rate is None:
            return nan, f"nothing is recorded of {name}"
        if not isnan(rate) and rate >= worst:
            worst, of = rate, name
    return worst, of

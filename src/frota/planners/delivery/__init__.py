"""Delivery to one member cluster: compare, plan, and say how it stands (docs/delivery.md)."""

from frota.planners.delivery.conditions import Standing, cluster_conditions
from frota.planners.delivery.health import HealthBook, cluster_health, health
from frota.planners.delivery.planner import mark, plan_delivery
from frota.planners.delivery.retries import learn, remember
from frota.planners.delivery.wanted import APPLIED, Wanted, prepare, stamped

__all__ = [
    "APPLIED",
    "HealthBook",
    "Standing",
    "Wanted",
    "cluster_conditions",
    "cluster_health",
    "health",
    "learn",
    "mark",
    "plan_delivery",
    "prepare",
    "remember",
    "stamped",
]

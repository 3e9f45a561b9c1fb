"""Delivery to one member cluster: compare, plan, and say how it stands (docs/delivery.md)."""

from frota.planners.delivery.planner import plan_delivery
from frota.planners.delivery.retries import learn, remember
from frota.planners.delivery.wanted import APPLIED, Wanted, prepare, stamped

__all__ = ["APPLIED", "Wanted", "learn", "plan_delivery", "prepare", "remember", "stamped"]

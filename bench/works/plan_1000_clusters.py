"""One change to a whole fleet: from the documents to the plan of every cluster."""

from __future__ import annotations

import resource
from collections.abc import Iterator

from bench.clock import Limits, best_of
from bench.figures import Figure, Must
from bench.fleets import Fleet, fleet_of
from frota.compile.kubernetes import compile_fleet
from frota.model.deliveryplan import DeliveryMemory, DeliveryPlan
from frota.planners.delivery import Wanted, plan_delivery, prepare, remember

CLUSTERS = 1_000
BAR_S = 10.0
BAR_MIB = 2048


def figures(limits: Limits) -> Iterator[Figure]:
    """Nothing is remembered of earlier passes, so every object of every cluster is compared.

    The views hold whole objects with their managedFields, as the watches give them. The last
    two figures are a controller's next pass, when it remembers what it compared.
    """
    fleet = fleet_of(CLUSTERS)
    whole = best_of(lambda: _planned(fleet, _prepared(fleet)), limits)
    plans = whole.result
    what = f"{fleet.objects:,} objects compiled, compared and planned"
    yield Figure(f"{what}, CPU", whole.cpu, "s", BAR_S)
    yield Figure(f"{what}, wall", whole.wall, "s", BAR_S)
    least = min(sum(len(batch) for batch in plan.batches) for plan in plans)
    yield Figure("changes in the shortest plan", least, "changes", 1, Must.BE_AT_LEAST)
    deletions = sum(c.desired is None for plan in plans for b in plan.batches for c in b)
    yield Figure("deletions in all plans", deletions, "changes", 0)
    wanted = _prepared(fleet)
    timing = best_of(lambda: _planned(fleet, wanted), limits)
    yield Figure("of that, compared and planned, CPU", timing.cpu, "s")
    memories = {plan.cluster: remember(DeliveryMemory(), plan) for plan in timing.result}
    again = best_of(lambda: _planned(fleet, wanted, memories), limits)
    yield Figure("the next pass over all of them, CPU", again.cpu, "s")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    yield Figure("peak resident memory", peak, "MiB", BAR_MIB)


def _prepared(fleet: Fleet) -> dict[str, Wanted]:
    label = fleet.policy.membership
    return {name: prepare(items, label) for name, items in compile_fleet(fleet.after).items()}


def _planned(
    fleet: Fleet, wanted: dict[str, Wanted], memories: dict[str, DeliveryMemory] | None = None
) -> list[DeliveryPlan]:
    known = memories or {}
    return [
        plan_delivery(content, fleet.views[name], fleet.policy, known.get(name))
        for name, content in wanted.items()
    ]

"""The least number of moves that any plan must make, in closed form (section C.1)."""

from __future__ import annotations

from frota.planners.placement.evenness import least_moves
from frota.planners.placement.spreadproblem import SetSpread, SpreadProblem


def closed_form(problem: SpreadProblem) -> int:
    """The sum over sets of the moves that each needs if it were alone.

    Exact for sets of one level as long as no room binds; a lower bound otherwise.
    """
    return sum(_alone(item, problem) for item in problem.sets)


def _alone(item: SetSpread, problem: SpreadProblem) -> int:
    """Moves of one set, over the domains of its coarsest level."""
    hosts = range(len(problem.rack_of))
    domain_of = problem.rack_of if item.rack else hosts
    counts: dict[int, int] = {}
    floors: dict[int, int] = {}
    open_to: set[int] = set()
    for host in hosts:
        inside = item.allowed is None or host in item.allowed
        held = item.current.get(host, 0) + item.fixed.get(host, 0)
        takes = problem.accepts[host] and inside and problem.slots[host] >= 0
        if not held and not takes:
            continue
        domain = domain_of[host]
        counts[domain] = counts.get(domain, 0) + held
        floors[domain] = floors.get(domain, 0) + item.fixed.get(host, 0)
        if takes:
            open_to.add(domain)
    domains = sorted(counts)
    total = sum(counts.values())
    caps = [total if domain in open_to else counts[domain] for domain in domains]
    return least_moves([counts[d] for d in domains], [floors[d] for d in domains], caps)

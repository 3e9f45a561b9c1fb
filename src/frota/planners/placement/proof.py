"""The least number of moves that any plan must make, in closed form (section C.1)."""

from __future__ import annotations

from collections.abc import Mapping

from frota.planners.placement.evenness import least_moves
from frota.planners.placement.spreadproblem import SetSpread, SpreadProblem


def closed_form(problem: SpreadProblem) -> int:
    """The sum over sets of the moves that each needs if it were alone.

    Exact for sets of one level as long as no room binds; a lower bound otherwise.
    """
    alone = _Alone(problem)
    return sum(alone.moves(item) for item in problem.sets)


class _Alone:
    """Each set over the domains of its coarsest level. Work grows with the set's members,
    not with the domains that it is not in."""

    def __init__(self, problem: SpreadProblem) -> None:
        self._rack_of = problem.rack_of
        hosts = range(len(problem.rack_of))
        self._takes = [host for host in hosts if problem.accepts[host] and problem.slots[host] >= 0]
        self._open: dict[tuple[frozenset[int] | None, bool], frozenset[int]] = {}

    def moves(self, item: SetSpread) -> int:
        """The fewest moves that make one set as even as it can be."""
        counts = self._by_domain(item.current, item, {})
        counts = self._by_domain(item.fixed, item, counts)
        open_to = self._open_to(item)
        if item.fixed or not counts.keys() <= open_to:
            return self._bounded(item, counts, open_to)
        if max(counts.values(), default=0) <= 1:
            return 0
        floor, over = divmod(sum(counts.values()), len(open_to))
        ceil = floor + (over > 0)
        leave = sum(count - ceil for count in counts.values() if count > ceil)
        filled = sum(min(count, floor) for count in counts.values())
        return max(leave, floor * len(open_to) - filled)

    def _bounded(self, item: SetSpread, counts: dict[int, int], open_to: frozenset[int]) -> int:
        """With members that cannot leave, or domains that take none."""
        floors = self._by_domain(item.fixed, item, {})
        domains = sorted(open_to | counts.keys())
        held = [counts.get(domain, 0) for domain in domains]
        total = sum(held)
        caps = [
            total if domain in open_to else count
            for domain, count in zip(domains, held, strict=True)
        ]
        return least_moves(held, [floors.get(domain, 0) for domain in domains], caps)

    def _by_domain(
        self, hosts: Mapping[int, int], item: SetSpread, counts: dict[int, int]
    ) -> dict[int, int]:
        """Counts by host added up by domain."""
        for host, count in hosts.items():
            domain = self._rack_of[host] if item.rack else host
            counts[domain] = counts.get(domain, 0) + count
        return counts

    def _open_to(self, item: SetSpread) -> frozenset[int]:
        """The domains that members may move to."""
        key = item.allowed, item.rack
        known = self._open.get(key)
        if known is None:
            hosts = [h for h in self._takes if item.allowed is None or h in item.allowed]
            known = (
                frozenset(self._rack_of[host] for host in hosts) if item.rack else frozenset(hosts)
            )
            self._open[key] = known
        return known

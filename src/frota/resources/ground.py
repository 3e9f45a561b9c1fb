"""The clusters of one fleet, those that are alike taken together.

Rules about workloads ask the same of every cluster. A fleet has hundreds of clusters and a
handful of sorts: what is asked once for each sort stays fast.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from frota.resources.findings import at, entries, text
from frota.resources.placing import fits


@dataclass(frozen=True, slots=True)
class Sort:
    """Clusters that workloads cannot tell from each other, except by name. Of a cluster that
    lists no pools nothing is known about them."""

    environment: str
    region: str
    pools: tuple[Any, ...]
    names: tuple[str, ...]


@dataclass(frozen=True)
class Ground:
    """The clusters of a fleet, by name."""

    clusters: Mapping[str, Any]

    @cached_property
    def sorts(self) -> tuple[tuple[str, ...], ...]:
        """The names of the clusters of each sort."""
        found: dict[tuple[str, ...], list[str]] = {}
        for name, cluster in sorted(self.clusters.items()):
            fields = ("function", "environment", "region")
            key = (*(text(cluster, "spec", field) for field in fields), repr(_pools(cluster)))
            found.setdefault(key, []).append(name)
        return tuple(map(tuple, found.values()))

    def placed(self, workload: Any) -> tuple[Sort, ...]:
        """The sorts of clusters that a workload runs in, each with those of its clusters."""
        named = at(workload, "spec", "placement", "clusters")
        found = []
        for names in self.sorts:
            if isinstance(named, list) and named:
                own = tuple(n for n in names if fits(workload, n, self.clusters[n]))
            else:
                own = names if fits(workload, names[0], self.clusters[names[0]]) else ()
            if own:
                found.append(self._sort(own))
        return tuple(found)

    def told_apart(self, named: frozenset[str]) -> Iterator[str]:
        """A cluster of each sort, and besides all that somebody names."""
        for names in self.sorts:
            yield from (name for name in names if name in named)
            yield from [name for name in names if name not in named][:1]

    def _sort(self, names: tuple[str, ...]) -> Sort:
        cluster = self.clusters[names[0]]
        environment, region = (text(cluster, "spec", f) for f in ("environment", "region"))
        return Sort(environment, region, _pools(cluster), names)


def _pools(cluster: Any) -> tuple[Any, ...]:
    return tuple(pool for _, pool in entries(cluster, "spec", "nodePools"))

"""Which clusters change together: never two whose regions stand in for each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from frota.model.rollout import RolloutFleet, RolloutMember, RolloutStage, Wave


class StandIns:
    """Which regions stand in for which, either way round."""

    def __init__(self, fleet: RolloutFleet) -> None:
        self._regions: dict[str, set[str]] = {}
        for one, other in fleet.stand_ins:
            if one != other:
                self._regions.setdefault(one, set()).add(other)
                self._regions.setdefault(other, set()).add(one)
        self._region_of = {member.cluster: member.region for member in fleet.members}

    def of(self, region: str) -> frozenset[str]:
        """The regions that stand in for one, or that it stands in for."""
        return frozenset(self._regions.get(region, ()))

    def region_of(self, cluster: str) -> str:
        """Where a cluster is; empty for one that is no member."""
        return self._region_of.get(cluster, "")


class UnderWay:
    """Clusters that change, and which of them another one must not change together with."""

    def __init__(self, stand_ins: StandIns, clusters: Iterable[str] = ()) -> None:
        self._stand_ins = stand_ins
        self._first: dict[str, str] = {}  # of each region, by name
        for cluster in clusters:
            self.add(cluster)

    def add(self, cluster: str) -> None:
        """One more."""
        region = self._stand_ins.region_of(cluster)
        self._first[region] = min(cluster, self._first.get(region, cluster))

    def met(self, cluster: str) -> str:
        """The first that must not change together with a cluster; empty if none."""
        near = self._stand_ins.of(self._stand_ins.region_of(cluster))
        return min((self._first[region] for region in near & self._first.keys()), default="")


def waves_of(fleet: RolloutFleet) -> tuple[Wave, ...]:
    """All waves in order. What was declared as one wave and may not be is taken apart;
    clusters that no declared wave names come after them."""
    stand_ins = StandIns(fleet)
    found: list[Wave] = []
    for stage in fleet.stages:
        members = {m.cluster: m for m in fleet.members if m.environment == stage.environment}
        number = 0
        for group in _groups(stage, members):
            for clusters in _apart(group, stand_ins):
                number += 1
                found.append(Wave(stage.environment, number, clusters, stage.gate))
    return tuple(found)


def _groups(
    stage: RolloutStage, members: Mapping[str, RolloutMember]
) -> Iterator[list[RolloutMember]]:
    left = dict(members)
    for wave in stage.waves:
        named = [left.pop(cluster) for cluster in wave if cluster in left]
        if named:
            yield named
    if left:
        yield list(left.values())


def _apart(members: list[RolloutMember], stand_ins: StandIns) -> Iterator[tuple[str, ...]]:
    """Colour the regions greedily, those with most stand-ins first: few waves, and the same
    ones for the same fleet."""
    regions = {member.region for member in members}
    colours: dict[str, int] = {}
    for region in sorted(regions, key=lambda name: (-len(stand_ins.of(name) & regions), name)):
        taken = {colours[other] for other in stand_ins.of(region) if other in colours}
        colours[region] = next(n for n in range(len(regions)) if n not in taken)
    for colour in sorted(set(colours.values())):
        yield tuple(sorted(m.cluster for m in members if colours[m.region] == colour))

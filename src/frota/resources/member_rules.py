"""Rules across a fleet, its clusters and its teams."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from frota.resources.errors import Path, listed, one_of
from frota.resources.findings import Finding, at, entries, text
from frota.resources.fleet_rules import FUNCTIONS
from frota.resources.placing import namespace_of
from frota.resources.together import Draft, Together

Said = Iterator[tuple[Draft, Finding]]
Across = Callable[[Together], Iterable[tuple[Draft, Finding]]]

_REFERENCES: tuple[tuple[str, Path, str], ...] = (
    ("Cluster", ("spec", "fleet"), "Fleet"),
    ("Team", ("spec", "fleet"), "Fleet"),
    ("InferenceService", ("spec", "team"), "Team"),
    ("TrainingJob", ("spec", "team"), "Team"),
)


def dangling(path: Path, word: str, names: Iterable[str], thing: str) -> Finding:
    """A name that nothing has."""
    choices = tuple(sorted(names))
    expected = one_of(choices) if choices else f"{thing}; there is none yet"
    return Finding(path, expected, f'"{word}"', word=word, choices=choices)


def references_exist(together: Together) -> Said:
    """Fleets and teams that are named are there."""
    for kind, path, of in _REFERENCES:
        names = together.every(of)
        for draft in together.drafted(kind):
            word = text(draft.value, *path)
            if word and word not in names and together.complete:
                yield draft, dangling(path, word, names, f"the name of a {of}")


def members_stand_somewhere(together: Together) -> Said:
    """A cluster is in a region and an environment of its fleet."""
    fleets = together.every("Fleet")
    for draft in together.drafted("Cluster"):
        fleet = fleets.get(text(draft.value, "spec", "fleet"))
        if fleet is None:
            continue
        name = text(draft.value, "spec", "fleet")
        regions, region = names_of(fleet, "regions"), text(draft.value, "spec", "region")
        if region and region not in regions:
            thing = f"a region that Fleet {name} lists"
            yield draft, dangling(("spec", "region"), region, regions, thing)
        elif regions and not region:
            yield draft, Finding(("spec", "region"), one_of(regions), "nothing", f"{name} has some")
        stages, stage = names_of(fleet, "environments"), text(draft.value, "spec", "environment")
        if stages and stage and stage not in stages:
            expected = f"{one_of(stages)}, the environments of Fleet {name}"
            yield draft, Finding(("spec", "environment"), expected, f'"{stage}"')


def fleets_keep_their_members(together: Together) -> Said:
    """What stored clusters stand in is not taken from a fleet."""
    drafted = {draft.name for draft in together.drafted("Cluster")}
    stored = {n: one for n, one in together.every("Cluster").items() if n not in drafted}
    for draft in together.drafted("Fleet"):
        for field, own in (("regions", "region"), ("environments", "environment")):
            known = names_of(draft.value, field)
            for name, cluster in stored.items():
                word = text(cluster, "spec", own)
                mine = text(cluster, "spec", "fleet") == draft.name
                if mine and word and word not in known and at(draft.value, "spec", field):
                    expected = f'"{word}" too, where cluster {name} is'
                    found = listed(known) if known else "none"
                    yield draft, Finding(("spec", field), expected, found, at_key=True)
                    break


def waves_take_new_members(together: Together) -> Said:
    """A new cluster has its place in the waves of a stored fleet."""
    drafted = {draft.name for draft in together.drafted("Fleet")}
    fleets = together.every("Fleet")
    for draft in together.drafted("Cluster"):
        name, stage = text(draft.value, "spec", "fleet"), text(draft.value, "spec", "environment")
        if not name or name in drafted:
            continue
        for path, one in entries(fleets.get(name), "spec", "environments"):
            named = {word for _, word in wave_members(path, one)}
            if text(one, "name") == stage and named and draft.name not in named:
                expected = f"a place in the waves of {stage} in Fleet {name}"
                hint = "apply that Fleet with it"
                yield draft, Finding(("spec", "fleet"), expected, "none", hint)


def names_of(fleet: Any, field: str) -> tuple[str, ...]:
    """The names of a fleet's environments or regions, in order. A fleet that was not read
    right may have none."""
    return tuple(name for _, item in entries(fleet, "spec", field) if (name := text(item, "name")))


def waves_are_whole(together: Together) -> Said:
    """Waves name every cluster of their environment, and only these."""
    clusters = together.every("Cluster")
    for draft in together.drafted("Fleet"):
        for path, stage in entries(draft.value, "spec", "environments"):
            if at(stage, "waves"):
                yield from ((draft, f) for f in _waves(draft.name, path, stage, clusters, together))


def _waves(
    fleet: str, path: Path, stage: Any, clusters: dict[str, Any], together: Together
) -> Iterator[Finding]:
    environment = text(stage, "name")
    own = [
        name
        for name, cluster in sorted(clusters.items())
        if text(cluster, "spec", "fleet") == fleet
        and text(cluster, "spec", "environment") == environment
    ]
    named: set[str] = set()
    for place, word in wave_members(path, stage):
        named.add(word)
        if word in own or not together.complete:
            continue
        other = clusters.get(word)
        if other is None:
            yield dangling(place, word, own, f"a cluster of {environment}")
        elif text(other, "spec", "fleet") != fleet:
            yield Finding(place, f"a cluster of Fleet {fleet}", f'"{word}", which is not')
        else:
            where = text(other, "spec", "environment") or "no environment"
            yield Finding(place, f"a cluster of {environment}", f'"{word}", which is of {where}')
    left = [name for name in own if name not in named]
    if left:
        hint = "add them, or leave waves out"
        yield Finding(
            (*path, "waves"), f"every cluster of {environment}", f"none for {listed(left)}", hint
        )


def wave_members(path: Path, stage: Any) -> Iterator[tuple[Path, str]]:
    """The clusters in the waves of an environment, each with its place."""
    waves = at(stage, "waves")
    for row, wave in enumerate(waves if isinstance(waves, list) else ()):
        for column, word in enumerate(wave if isinstance(wave, list) else ()):
            if isinstance(word, str):
                yield (*path, "waves", row, column), word


def waves_keep_a_region(together: Together) -> Said:
    """Regions that stand in for each other are never in one wave."""
    clusters = together.every("Cluster")
    for draft in together.drafted("Fleet"):
        pairs = {
            frozenset((text(region, "name"), other))
            for _, region in entries(draft.value, "spec", "regions")
            for other in (at(region, "standsInFor") or ())
            if isinstance(other, str)
        }
        for path, stage in entries(draft.value, "spec", "environments"):
            seen: dict[tuple[object, str], str] = {}
            for place, word in wave_members(path, stage):
                region = text(clusters.get(word), "spec", "region")
                wave = place[len(path) + 1]
                for (row, other), first in seen.items():
                    if row == wave and frozenset((region, other)) in pairs:
                        expected = f"another wave than {first}: {region} and {other} stand in for"
                        found = f'"{word}" in the same'
                        yield draft, Finding(place, f"{expected} each other", found)
                        break
                seen.setdefault((wave, region), word)


def reached_once(together: Together) -> Said:
    """Two clusters of a fleet are two: neither address nor identity is shared."""
    seen: dict[tuple[str, ...], str] = {}
    drafts = {draft.name: draft for draft in together.drafted("Cluster")}
    for name, cluster in together.every("Cluster").items():
        config = at(cluster, "spec", "kubeconfig")
        keys: list[tuple[tuple[str, ...], Path, str]] = []
        if isinstance(config, dict) and text(config, "path"):
            fleet = text(cluster, "spec", "fleet")
            key: tuple[str, ...] = ("reach", fleet, text(config, "path"), text(config, "context"))
            where: Path = ("spec", "kubeconfig")
            keys.append((key, where, "a kubeconfig and context of its own"))
        client = text(cluster, "spec", "identity", "clientId")
        if client:
            where = ("spec", "identity", "clientId")
            keys.append((("identity", client), where, "an identity of its own"))
        for key, path, expected in keys:
            owner = seen.setdefault(key, name)
            if owner != name and name in drafts:
                yield drafts[name], Finding(path, expected, f"that of cluster {owner}")


def bundles_have_a_store(together: Together) -> Said:
    """A cluster that pulls needs a place to pull from."""
    fleets = together.every("Fleet")
    for draft in together.drafted("Cluster"):
        name = text(draft.value, "spec", "fleet")
        fleet = fleets.get(name)
        pulls = text(draft.value, "spec", "delivery") == "pull"
        if pulls and fleet is not None and not at(fleet, "spec", "bundles"):
            expected = f"push, or bundles.store in Fleet {name}"
            yield draft, Finding(("spec", "delivery"), expected, '"pull"')


def namespaces_once(together: Together) -> Said:
    """No two teams of a fleet have one namespace."""
    owners: dict[tuple[str, str], str] = {}
    drafts = {draft.name: draft for draft in together.drafted("Team")}
    for name, team in together.every("Team").items():
        for function in FUNCTIONS:
            namespace = namespace_of(team, function)
            owner = owners.setdefault((text(team, "spec", "fleet"), namespace), name)
            if owner != name and name in drafts:
                own = bool(text(team, "spec", "namespaces", function))
                path: Path = ("spec", "namespaces", function) if own else ("metadata", "name")
                found = f'"{namespace}", which is that of team {owner}'
                yield drafts[name], Finding(path, "a namespace of its own", found)


def quotas_name_clusters(together: Together) -> Said:
    """A quota is for a cluster, or an environment, that the fleet has."""
    clusters, fleets = together.every("Cluster"), together.every("Fleet")
    for draft in together.drafted("Team"):
        name = text(draft.value, "spec", "fleet")
        stages = names_of(fleets.get(name), "environments")
        members = [key for key, one in clusters.items() if text(one, "spec", "fleet") == name]
        for path, quota in entries(draft.value, "spec", "quotas"):
            word, stage = text(quota, "cluster"), text(quota, "environment")
            if word and word not in members and together.complete:
                thing = f"a cluster of Fleet {name}"
                yield draft, dangling((*path, "cluster"), word, members, thing)
            if stage and stages and stage not in stages:
                expected = f"{one_of(stages)}, the environments of Fleet {name}"
                yield draft, Finding((*path, "environment"), expected, f'"{stage}"')


RULES: tuple[Across, ...] = (
    references_exist,
    members_stand_somewhere,
    fleets_keep_their_members,
    waves_take_new_members,
    waves_are_whole,
    waves_keep_a_region,
    reached_once,
    bundles_have_a_store,
    namespaces_once,
    quotas_name_clusters,
)

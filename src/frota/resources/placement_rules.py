"""Rules across workloads and the clusters that they are placed in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from frota.resources.errors import Path, listed, one_of
from frota.resources.findings import Finding, at, entries, number, size, text
from frota.resources.ground import Ground, Sort
from frota.resources.member_rules import dangling, names_of
from frota.resources.nodepools import GPU_RESOURCE
from frota.resources.placing import (
    WORKLOADS,
    asks_for,
    fits,
    function_of,
    in_environment,
    namespace_of,
    pods_most,
    quota_of,
)
from frota.resources.quantity import format_bytes
from frota.resources.together import Draft, Together

Said = Iterator[tuple[Draft, Finding]]
Across = Callable[[Together], Iterable[tuple[Draft, Finding]]]

_WHERE: Path = ("spec", "placement")


@dataclass(frozen=True, slots=True)
class _Placed:
    """A workload of the files with its fleet, and the clusters it is in by their sorts."""

    draft: Draft
    fleet: Any
    ground: Ground
    sorts: tuple[Sort, ...]

    @property
    def spec(self) -> Any:
        return at(self.draft.value, "spec")

    @property
    def names(self) -> list[str]:
        return _names(self.sorts)


def _names(sorts: Iterable[Sort]) -> list[str]:
    return sorted(name for one in sorts for name in one.names)


_WorkloadRule = Callable[[_Placed, bool], Iterator[Finding]]


def workload_rules(together: Together) -> Said:
    """All rules about workloads whose team and fleet are there, placed once for all."""
    teams, fleets, grounds = together.every("Team"), together.every("Fleet"), _grounds(together)
    for kind in WORKLOADS:
        for draft in together.drafted(kind):
            fleet = text(teams.get(text(draft.value, "spec", "team")), "spec", "fleet")
            if fleet not in fleets:
                continue
            ground = grounds.get(fleet, Ground({}))
            one = _Placed(draft, fleets[fleet], ground, ground.placed(draft.value))
            for rule in _RULES[kind]:
                yield from ((draft, finding) for finding in rule(one, together.complete))


def _grounds(together: Together) -> dict[str, Ground]:
    members: dict[str, dict[str, Any]] = {}
    for name, cluster in together.every("Cluster").items():
        members.setdefault(text(cluster, "spec", "fleet"), {})[name] = cluster
    return {fleet: Ground(clusters) for fleet, clusters in members.items()}


def placement_exists(one: _Placed, complete: bool) -> Iterator[Finding]:
    """What a placement names is there, and something fits it."""
    if not complete:
        return
    found = list(_named(one))
    yield from found
    if not found and not one.sorts:
        expected = f"a cluster for {function_of(one.draft.value)} that fits, in the fleet"
        hint = "it runs nowhere until there is one"
        yield Finding(_WHERE, expected, "none", hint, warning=True)


def _named(one: _Placed) -> Iterator[Finding]:
    fleet = text(one.fleet, "metadata", "name")
    for field in ("environments", "regions"):
        known = names_of(one.fleet, field)
        for path, word in _words((*_WHERE, field), one.draft.value):
            if word not in known and (known or field == "regions"):
                yield dangling(path, word, known, f"one of the {field} of Fleet {fleet}")
    for path, word in _words((*_WHERE, "clusters"), one.draft.value):
        cluster = one.ground.clusters.get(word)
        if cluster is None:
            yield dangling(path, word, one.ground.clusters, f"a cluster of Fleet {fleet}")
        elif not fits(one.draft.value, word, cluster):
            yield Finding(path, *_why_not(one.draft.value, word, cluster))


def _why_not(workload: Any, word: str, cluster: Any) -> tuple[str, str]:
    function, own = function_of(workload), text(cluster, "spec", "function")
    if function != own:
        return f"a cluster for {function}", f'"{word}", which is for {own}'
    return "a cluster of the environments and regions beside it", f'"{word}"'


def _words(path: Path, document: Any) -> Iterator[tuple[Path, str]]:
    words = at(document, *path)
    for index, word in enumerate(words if isinstance(words, list) else ()):
        if isinstance(word, str):
            yield (*path, index), word


def job_runs_once(one: _Placed, _complete: bool) -> Iterator[Finding]:
    """A job runs in one cluster of an environment: it is one run, not one for each."""
    by_stage: dict[str, list[str]] = {}
    for like in one.sorts:
        by_stage.setdefault(like.environment, []).extend(like.names)
    for stage, names in by_stage.items():
        if len(names) > 1:
            hint = "name one in placement.clusters"
            expected = f"one cluster of {stage or 'an environment'}"
            yield Finding(_WHERE, expected, listed(sorted(names)), hint)


def traffic_has_ends(one: _Placed, _complete: bool) -> Iterator[Finding]:
    """Regions that traffic names are placed; what fails over has somewhere to go."""
    if not one.sorts:
        return
    regions = {like.region for like in one.sorts} - {""}
    path: Path = ("spec", "traffic")
    primary, weights = text(one.spec, "traffic", "primary"), at(one.spec, "traffic", "weights")
    weights = weights if isinstance(weights, dict) else {}
    words: list[tuple[Path, str]] = [((*path, "primary"), primary)] if primary else []
    words.extend(((*path, "weights", word), word) for word in weights)
    for place, word in words:
        if word in regions:
            continue
        if regions and word in names_of(one.fleet, "regions"):
            expected = f"a region that it is placed in: {one_of(sorted(regions))}"
            yield Finding(place, expected, f'"{word}"', at_key=place[-1] == word)
        else:
            yield dangling(place, word, regions, "a region that it is placed in")
    mode = text(one.spec, "traffic", "mode")
    if mode in ("active-passive", "active-active") and not _somewhere_to_go(one):
        expected = f"{mode} in two regions or more of one environment"
        yield Finding((*path, "mode"), expected, f"placed in {listed(one.names)}")


def _somewhere_to_go(one: _Placed) -> bool:
    places = {(like.environment, like.region) for like in one.sorts}
    return max(Counter(stage for stage, _ in places).values(), default=0) > 1


def pools_take_it(one: _Placed, _complete: bool) -> Iterator[Finding]:
    """The pool that is named is in every cluster, and somewhere there are the GPUs."""
    pool = text(one.spec, "pool")
    known = [like for like in one.sorts if like.pools]
    without = [like for like in known if pool not in {text(p, "name") for p in like.pools}]
    if pool and without:
        choices = tuple(sorted({text(p, "name") for like in known for p in like.pools}))
        expected = f"a pool of each cluster: {one_of(choices)}"
        found = f'"{pool}", which is not in {listed(_names(without))}'
        yield Finding(("spec", "pool"), expected, found, word=pool, choices=choices)
        return
    wanted: dict[Path, list[Sort]] = {}
    for like in known:
        inner: Path = ("spec", "resources", "gpu")
        other: Path = ("spec", "byEnvironment", like.environment, "resources")
        path = (*other, "gpu") if at(one.draft.value, *other) else inner
        if isinstance(at(one.draft.value, *path), dict):
            wanted.setdefault(path, []).append(like)
    for path, sorts in wanted.items():
        yield from _gpus(path, at(one.draft.value, *path), sorts, pool)


def _gpus(path: Path, gpu: Any, sorts: list[Sort], pool: str) -> Iterator[Finding]:
    """``gpu`` is what one pod asks for, in the clusters of all these sorts."""
    missing, every = [], []
    for like in sorts:
        pools = [p for p in like.pools if pool in ("", text(p, "name"))]
        every.extend(pools)
        if not any(_takes(gpu, p) for p in pools):
            missing.append(like)
    if missing:
        everywhere = len(missing) == len(sorts)
        yield _no_gpu(path, gpu, every, _names(missing), everywhere=everywhere)


def _takes(gpu: Any, pool: Any) -> bool:
    have = at(pool, "gpu")
    if not isinstance(have, dict):
        return False
    model = text(gpu, "model")
    same = (text(gpu, "resource") or GPU_RESOURCE) == (text(have, "resource") or GPU_RESOURCE)
    enough = (number(gpu, "count") or 1) <= (number(have, "count") or 1)
    return same and enough and model in ("", text(have, "model"))


def _no_gpu(
    path: Path, gpu: Any, pools: list[Any], missing: list[str], *, everywhere: bool
) -> Finding:
    models = tuple(sorted({text(p, "gpu", "model") for p in pools} - {""}))
    model = text(gpu, "model")
    where = f"in {listed(missing)}"
    if not everywhere:
        expected = "GPUs in every cluster that it is placed in"
        return Finding(path, expected, f"none that fit {where}", "it waits there", warning=True)
    if model and model not in models:
        expected = one_of(models) if models else f"no GPU: no pool {where} has any"
        return Finding((*path, "model"), expected, f'"{model}"', word=model, choices=models)
    asked = f"{number(gpu, 'count') or 1} {model or text(gpu, 'resource') or GPU_RESOURCE}"
    has = sorted({f"{number(p, 'gpu', 'count') or 1} {m}" for p in pools
                  if (m := text(p, "gpu", "model"))})  # fmt: skip
    expected = f"what a node {where} has: {one_of(has) if has else 'no GPU'}"
    return Finding(path, expected, f"{asked} for one pod")


def workloads_once(together: Together) -> Said:
    """A service and a job in one namespace have names of their own: both have accounts."""
    teams = together.every("Team")
    owners: dict[tuple[str, str, str], str] = {}
    for kind in WORKLOADS:
        drafts = {draft.name: draft for draft in together.drafted(kind)}
        for name, workload in together.every(kind).items():
            team = teams.get(text(workload, "spec", "team"))
            namespace = namespace_of(team, function_of(workload))
            key = (text(team, "spec", "fleet"), namespace, name)
            owner = owners.setdefault(key, kind)
            if owner != kind and name in drafts:
                found = f'"{name}", which a {owner} in {namespace} has too'
                yield drafts[name], Finding(("metadata", "name"), "a name of its own", found)


def quotas_hold_them(together: Together) -> Said:
    """A team's quota in a cluster holds what its services and jobs ask for there."""
    grounds = _grounds(together)
    own: dict[str, list[tuple[str, Any]]] = {}
    drafts: dict[str, list[Draft]] = {d.name: [d] for d in together.drafted("Team")}
    for kind in WORKLOADS:
        for one in together.every(kind).values():
            own.setdefault(text(one, "spec", "team"), []).append((kind, one))
        for draft in together.drafted(kind):
            drafts.setdefault(text(draft.value, "spec", "team"), []).append(draft)
    for name, team in together.every("Team").items():
        ground = grounds.get(text(team, "spec", "fleet"))
        if name in drafts and ground is not None:
            draft = drafts[name][0]
            for finding in _exceeded(team, own.get(name, []), ground):
                # Where the team is stored already, its workloads are what can be mended.
                place = finding.path if draft.kind == "Team" else ("spec", "team")
                yield draft, replace(finding, path=place)


def _exceeded(team: Any, own: list[tuple[str, Any]], ground: Ground) -> Iterator[Finding]:
    """Each quota that holds too little, once: in the first cluster where it does."""
    said: set[int] = set()
    named = {text(quota, "cluster") for _, quota in entries(team, "spec", "quotas")}
    for _, one in own:
        named.update(word for _, word in _words((*_WHERE, "clusters"), one))
    for name in ground.told_apart(frozenset(named)):
        found = quota_of(team, name, ground.clusters[name])
        if found is None or found[0] in said:
            continue
        for finding in _above(found, _asked(own, name, ground.clusters[name]), name):
            said.add(found[0])
            yield finding


def _asked(workloads: Iterable[tuple[str, Any]], name: str, cluster: Any) -> Counter[str]:
    """What all services together and the largest job ask for in one cluster."""
    stage = text(cluster, "spec", "environment")
    services: Counter[str] = Counter()
    job: Counter[str] = Counter()
    for kind, one in workloads:
        if not fits(one, name, cluster):
            continue
        if kind == "InferenceService":
            spec = in_environment(one, stage)
            services.update(asks_for(spec, pods_most(spec)))
        else:
            spec = at(one, "spec")
            job |= Counter(asks_for(spec, number(spec, "nodes") or 1))
    return services + job


def _above(found: tuple[int, Any], asked: Counter[str], cluster: str) -> Iterator[Finding]:
    index, quota = found
    for field in ("gpus", "cpus", "memory", "pods"):
        limit = size(quota, field) if field == "memory" else number(quota, field)
        if limit is not None and asked[field] > limit:
            words = format_bytes if field == "memory" else str
            asks = f"{words(asked[field])}{'' if field == 'memory' else f' {field}'}"
            expected = f"a quota of {asks}, which its workloads ask for in {cluster}"
            path: Path = ("spec", "quotas", index, field)
            yield Finding(path, expected, words(limit), "the rest waits", warning=True)


_EACH: tuple[_WorkloadRule, ...] = (placement_exists, pools_take_it)
_RULES: Mapping[str, tuple[_WorkloadRule, ...]] = {
    "InferenceService": (*_EACH, traffic_has_ends),
    "TrainingJob": (*_EACH, job_runs_once),
}
RULES: tuple[Across, ...] = (workload_rules, workloads_once, quotas_hold_them)

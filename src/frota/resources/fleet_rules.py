"""Rules within one Fleet, or one Team, that the fields alone cannot say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from frota.resources.cluster import Function
from frota.resources.errors import Path, one_of
from frota.resources.findings import Finding, Rule, at, entries, repeated, text
from frota.resources.placing import namespace_of

FUNCTIONS: tuple[Function, ...] = ("training", "inference", "experimentation")

_NAME_MOST = 63
_CREDENTIALS = re.compile(
    r"://[^/@\s:]*:[^/@\s]*@|[?&](sig|sv|se|token|key|password|secret)=", re.I
)
_SYSTEM = re.compile(r"^(default|(kube|frota)-.*)$")
_LIMITS = ("gpus", "cpus", "memory", "pods", "volumes")


def with_credentials(uri: str) -> bool:
    """Whether a URI holds a password, a signature or a token."""
    return bool(_CREDENTIALS.search(uri))


def stages_once(fleet: Any) -> Iterator[Finding]:
    """Environments and regions have names of their own; a cluster is in one wave."""
    for field, thing in (("environments", "environment"), ("regions", "region")):
        named = [((*path, "name"), text(item, "name")) for path, item in _of(fleet, field)]
        yield from repeated(named, thing)
    for path, environment in _of(fleet, "environments"):
        waves = at(environment, "waves")
        members: list[tuple[Path, str]] = [
            ((*path, "waves", row, column), name)
            for row, wave in enumerate(waves if isinstance(waves, list) else ())
            for column, name in enumerate(wave if isinstance(wave, list) else ())
            if isinstance(name, str)
        ]
        yield from repeated(members, "cluster")


def _of(fleet: Any, field: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    return entries(fleet, "spec", field)


def regions_stand_in(fleet: Any) -> Iterator[Finding]:
    """A region stands in for others that there are."""
    names = tuple(text(region, "name") for _, region in _of(fleet, "regions"))
    for path, region in _of(fleet, "regions"):
        others = tuple(name for name in names if name and name != text(region, "name"))
        words = at(region, "standsInFor")
        for index, word in enumerate(words if isinstance(words, list) else ()):
            if isinstance(word, str) and word not in others:
                expected = one_of(others) if others else "another region; there is none"
                place = (*path, "standsInFor", index)
                if word == text(region, "name"):
                    yield Finding(place, expected, f'"{word}", which is itself')
                else:
                    yield Finding(place, expected, f'"{word}"', word=word, choices=others)


def no_credentials(fleet: Any) -> Iterator[Finding]:
    """A store is opened with an identity, never with what stands in a document."""
    if with_credentials(text(fleet, "spec", "bundles", "store")):
        hint = "Frota's own identity opens it"
        path: Path = ("spec", "bundles", "store")
        yield Finding(path, "a store without credentials", "one with credentials", hint)


def namespaces_fit(team: Any) -> Iterator[Finding]:
    """The team's namespaces are names that Kubernetes takes and that are nobody else's."""
    name = text(team, "metadata", "name")
    for function in FUNCTIONS:
        namespace = namespace_of(team, function)
        own = bool(text(team, "spec", "namespaces", function))
        place: Path = ("spec", "namespaces", function) if own else ("metadata", "name")
        if len(namespace) > _NAME_MOST and len(name) <= _NAME_MOST:
            expected = f"a name that leaves its namespaces at most {_NAME_MOST} characters"
            found = f"{namespace[:20]}…-{function}, {len(namespace)} characters"
            hint = "shorten it, or name the namespaces in spec.namespaces"
            yield Finding(place, expected, found, hint)
            return
        if _SYSTEM.match(namespace):
            expected = "a namespace that is not of Kubernetes or of Frota itself"
            yield Finding(place, expected, f'"{namespace}"')


def quotas_limit(team: Any) -> Iterator[Finding]:
    """A quota limits something, and is not hidden by one before it that fits all it fits."""
    before: list[tuple[int, dict[str, str]]] = []
    for index, (path, quota) in enumerate(entries(team, "spec", "quotas")):
        if not any(field in quota for field in _LIMITS):
            yield Finding(path, one_of(_LIMITS), "no limit", "take the item away")
        scope = {
            key: text(quota, key)
            for key in ("environment", "function", "cluster")
            if text(quota, key)
        }
        wider = next((n for n, other in before if other.items() <= scope.items()), None)
        if wider is not None:
            expected = f"what spec.quotas[{wider}] does not fit: the first that fits counts"
            yield Finding(path, expected, "a quota that never counts", "put it before that one")
        before.append((index, scope))


FLEET_RULES: tuple[Rule, ...] = (stages_once, regions_stand_in, no_credentials)
TEAM_RULES: tuple[Rule, ...] = (namespaces_fit, quotas_limit)

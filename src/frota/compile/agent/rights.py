"""The rights of a pull agent: what the objects of its cluster need, and nothing more.

It looks (list, watch) at the kinds it keeps, in all namespaces, as it must find what is no
longer wanted wherever it is. It writes only in the namespaces that the objects are in, and
of kinds that are there. Objects of the whole cluster it writes by name.

What fences it in is not its own to write: namespaces (their labels choose how strict Pod
Security is), roles (who may write roles may give any right) and admission policies. The
administrator applies those, and applies them again when they change.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from frota.compile.kubernetes.labels import Manifest, manifest, named
from frota.compile.kubernetes.order import batches
from frota.model.objects import Object, key_of

AGENT, AGENT_NAMESPACE, STATE = "frota-agent", "frota-agent", "frota-agent-state"

_RBAC = "rbac.authorization.k8s.io"
_GUARDS = frozenset(
    {
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "Namespace",
        "Role",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
    }
)
_LOOK, _WRITE, _KEEP = ("list", "watch"), ("create", "delete", "patch"), ("get", "patch")
_SUBJECTS = [{"kind": "ServiceAccount", "name": AGENT, "namespace": AGENT_NAMESPACE}]


class _Resource(NamedTuple):
    group: str
    plural: str


def guards(objects: Iterable[Object]) -> list[Object]:
    """The objects that the administrator applies, in the order in which they are."""
    found = [item for item in objects if item["kind"] in _GUARDS]
    return [item for batch in batches(found) for item in batch]


def rights(objects: Iterable[Object]) -> Iterator[Manifest]:
    """The roles of the agent and their bindings. Raises ValueError when a Secret is among
    the objects: bundles hold none."""
    held = list(objects)
    if any(key_of(item)[:2] == ("", "Secret") for item in held):
        raise ValueError("a Secret cannot be delivered in a bundle; expected none")
    yield from _cluster_wide(held)
    written: dict[str, list[Object]] = {}
    for item in held:
        if item["kind"] not in _GUARDS and (namespace := key_of(item).namespace):
            written.setdefault(namespace, []).append(item)
    for namespace, members in sorted(written.items()):
        yield from _granted(AGENT, namespace, [*_writing(members), *_binding(members)])
    yield from _granted(STATE, AGENT_NAMESPACE, [_rule("", ("configmaps",), _KEEP, (STATE,))])


def _cluster_wide(objects: list[Object]) -> Iterator[Manifest]:
    rules = [
        _rule(group, tuple(plurals), _LOOK)
        for group, plurals in _grouped(_resource(item) for item in objects)
    ]
    names: dict[_Resource, set[str]] = {}
    for item in objects:
        key = key_of(item)
        if item["kind"] not in _GUARDS and not key.namespace:
            names.setdefault(_resource(item), set()).add(key.name)
    rules += [
        _rule(resource.group, (resource.plural,), _WRITE, tuple(sorted(found)))
        for resource, found in sorted(names.items())
    ]
    yield manifest(f"{_RBAC}/v1", "ClusterRole", named(AGENT), rules=rules)
    yield manifest(
        f"{_RBAC}/v1",
        "ClusterRoleBinding",
        named(AGENT),
        roleRef={"apiGroup": _RBAC, "kind": "ClusterRole", "name": AGENT},
        subjects=_SUBJECTS,
    )


def _granted(name: str, namespace: str, rules: list[Manifest]) -> Iterator[Manifest]:
    yield manifest(f"{_RBAC}/v1", "Role", named(name, namespace), rules=rules)
    yield manifest(
        f"{_RBAC}/v1",
        "RoleBinding",
        named(name, namespace),
        roleRef={"apiGroup": _RBAC, "kind": "Role", "name": name},
        subjects=_SUBJECTS,
    )


def _writing(members: list[Object]) -> Iterator[Manifest]:
    for group, plurals in _grouped(_resource(item) for item in members):
        yield _rule(group, tuple(plurals), _WRITE)


def _binding(members: list[Object]) -> Iterator[Manifest]:
    """Handing out roles that it has not itself, by name."""
    roles = {
        (item["roleRef"]["kind"], item["roleRef"]["name"])
        for item in members
        if item["kind"] == "RoleBinding"
    }
    for kind in ("ClusterRole", "Role"):
        names = tuple(sorted(name for found, name in roles if found == kind))
        if names:
            yield _rule(_RBAC, (plural(kind),), ("bind",), names)


def _grouped(resources: Iterable[_Resource]) -> list[tuple[str, list[str]]]:
    found: dict[str, list[str]] = {}
    for resource in sorted(set(resources)):
        found.setdefault(resource.group, []).append(resource.plural)
    return list(found.items())


def _resource(item: Object) -> _Resource:
    key = key_of(item)
    return _Resource(key.group, plural(key.kind))


def plural(kind: str) -> str:
    """The name of a kind's resource, as Kubernetes and its usual extensions form it."""
    word = kind.lower()
    if word == "endpoints":
        return word
    if word.endswith("y") and word[-2] not in "aeiou":
        return f"{word[:-1]}ies"
    return f"{word}es" if word.endswith(("s", "x", "ch")) else f"{word}s"


def _rule(
    group: str, plurals: tuple[str, ...], verbs: tuple[str, ...], names: tuple[str, ...] = ()
) -> Manifest:
    rule: Manifest = {"apiGroups": [group], "resources": list(plurals), "verbs": list(verbs)}
    if names:
        rule["resourceNames"] = list(names)
    return rule

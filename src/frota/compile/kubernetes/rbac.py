"""Who may do what: three personas, each bound in the namespaces of its team and nowhere else.

Verbs and resources are written out: no wildcard, no cluster-admin, no reading of secrets,
no writing of policies, quotas or bindings. Nobody is bound for a whole cluster.
"""

from __future__ import annotations

from collections.abc import Iterator

from frota.compile.kubernetes.labels import Manifest, manifest, named
from frota.compile.kubernetes.site import Site, Tenancy

_RBAC = "rbac.authorization.k8s.io"
_LOOK = ("get", "list", "watch")
_SHOWN = (
    (
        "",
        (
            "configmaps",
            "endpoints",
            "events",
            "limitranges",
            "persistentvolumeclaims",
            "pods",
            "pods/log",
            "pods/status",
            "resourcequotas",
            "serviceaccounts",
            "services",
        ),
    ),
    ("apps", ("deployments", "replicasets", "statefulsets")),
    ("autoscaling", ("horizontalpodautoscalers",)),
    ("batch", ("jobs",)),
    ("discovery.k8s.io", ("endpointslices",)),
    ("events.k8s.io", ("events",)),
    ("jobset.x-k8s.io", ("jobsets",)),
    ("kueue.x-k8s.io", ("localqueues", "workloads")),
    ("leaderworkerset.x-k8s.io", ("leaderworkersets",)),
    ("monitoring.coreos.com", ("podmonitors", "prometheusrules")),
    ("networking.k8s.io", ("networkpolicies",)),
    ("policy", ("poddisruptionbudgets",)),
)
VIEWER, OPERATOR, MEMBER = "frota-viewer", "frota-operator", "frota-team"


def personas(site: Site) -> Iterator[Manifest]:
    """The role of each persona. What members of a team may do follows from what the
    cluster is for: where people are served, nobody starts pods by hand."""
    look = [_rule(group, resources, _LOOK) for group, resources in _SHOWN]
    yield _role(VIEWER, look)
    yield _role(OPERATOR, [*look, *_operating()])
    yield _role(MEMBER, [*look, *_working(site)])


def _operating() -> Iterator[Manifest]:
    """Getting stuck things going again; what is wanted is changed in the fleet file."""
    yield _rule("", ("pods",), ("delete",))
    yield _rule("", ("pods/eviction",), ("create",))
    yield _rule("", ("pods/exec", "pods/portforward"), ("create",))
    yield _rule("batch", ("jobs",), ("patch",))
    yield _rule("jobset.x-k8s.io", ("jobsets",), ("patch",))


def _working(site: Site) -> Iterator[Manifest]:
    if site.function == "inference":
        if site.environment == "dev":
            yield _rule("", ("pods/exec", "pods/portforward"), ("create",))
        return
    write = ("create", "delete", "patch", "update")
    yield _rule("", ("configmaps", "persistentvolumeclaims", "pods", "services"), write)
    yield _rule("", ("pods/exec", "pods/portforward"), ("create",))
    # Written, never read back: a secret of one member is none of another's.
    yield _rule("", ("secrets",), ("create", "delete", "update"))
    yield _rule("batch", ("jobs",), write)
    yield _rule("jobset.x-k8s.io", ("jobsets",), write)


def bindings(tenancy: Tenancy) -> Iterator[Manifest]:
    """The groups of a team, bound in its namespace. A persona of no groups has no binding."""
    for role, groups in (
        (VIEWER, tenancy.viewers),
        (OPERATOR, tenancy.operators),
        (MEMBER, tenancy.members),
    ):
        if groups:
            yield _binding(tenancy, role, groups)


def _binding(tenancy: Tenancy, role: str, groups: tuple[str, ...]) -> Manifest:
    subjects = [{"kind": "Group", "name": name, "apiGroup": _RBAC} for name in sorted(set(groups))]
    return manifest(
        f"{_RBAC}/v1",
        "RoleBinding",
        named(role, tenancy.namespace),
        roleRef={"kind": "ClusterRole", "name": role, "apiGroup": _RBAC},
        subjects=subjects,
    )


def default_account(namespace: str) -> Manifest:
    """The account that pods get when they name none: it has no token."""
    return manifest(
        "v1",
        "ServiceAccount",
        named("default", namespace),
        automountServiceAccountToken=False,
    )


def _role(name: str, rules: list[Manifest]) -> Manifest:
    return manifest(f"{_RBAC}/v1", "ClusterRole", named(name), rules=rules)


def _rule(group: str, resources: tuple[str, ...], verbs: tuple[str, ...]) -> Manifest:
    return {"apiGroups": [group], "resources": list(resources), "verbs": list(verbs)}

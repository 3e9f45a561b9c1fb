"""Rules within one InferenceService or TrainingJob that its fields alone cannot say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

from frota.resources.errors import Path
from frota.resources.findings import Finding, Rule, at, entries, number, repeated, text
from frota.resources.fleet_rules import with_credentials

# Kubernetes adds to a name: a hash and five characters for a pod of a Deployment, the role
# and two numbers for a pod of a JobSet; the host name of a pod ends at 63 characters.
_SERVICE_NAME_MOST = 45
_JOB_NAME_MOST = 40
_SECRET_NAME = re.compile(
    r"(^|_)(PASSWORD|PASSWD|SECRET|TOKEN|(API|ACCESS|PRIVATE|SAS)_?KEY)$", re.I
)


def names_fit(workload: Any) -> Iterator[Finding]:
    """The name becomes that of a Service, of pods and of hosts."""
    name = text(workload, "metadata", "name")
    service = text(workload, "kind") == "InferenceService"
    most = _SERVICE_NAME_MOST if service else _JOB_NAME_MOST
    path: Path = ("metadata", "name")
    if most < len(name):
        expected = f"at most {most} characters, so that names of pods fit 63"
        yield Finding(path, expected, f"{len(name)}", "shorten it")
    elif name[:1].isdigit():
        expected = "a name that begins with a letter, as Services must"
        yield Finding(path, expected, f'"{name}"')


def flows_say_where(workload: Any) -> Iterator[Finding]:
    """A flow has a name of its own and one end."""
    named = [((*path, "name"), text(flow, "name")) for path, flow in _flows(workload)]
    yield from repeated(named, "flow")
    for path, flow in _flows(workload):
        if ("cidr" in flow) == ("namespace" in flow):
            found = "both" if "cidr" in flow else "neither"
            yield Finding(path, "either cidr or namespace", found)
        cidr = text(flow, "cidr")
        if not cidr:
            continue
        try:
            ip_network(cidr)
        except ValueError:
            mend = _network(cidr)
            expected = "a network such as 10.1.2.0/24"
            hint = f"write {mend}" if mend else ""
            yield Finding((*path, "cidr"), expected, f'"{cidr}"', hint)


def _network(cidr: str) -> str:
    try:
        return str(ip_network(cidr, strict=False))
    except ValueError:
        return ""


def _flows(workload: Any) -> Iterator[tuple[Path, dict[str, Any]]]:
    return entries(workload, "spec", "egress")


def no_secrets(workload: Any) -> Iterator[Finding]:
    """Nothing secret stands in a document: the cluster's identity opens stores."""
    path: Path = ("spec", "model", "source")
    if with_credentials(text(workload, *path)):
        hint = "the cluster's workload identity opens the store"
        yield Finding(path, "a source without credentials", "one with credentials", hint)
    for where in (("spec", "env"), ("spec", "runtime", "env")):
        variables = at(workload, *where)
        for name in variables if isinstance(variables, dict) else ():
            if isinstance(name, str) and _SECRET_NAME.search(name):
                hint = "use the cluster's workload identity"
                expected = "no secret in a document"
                yield Finding((*where, name), expected, "one, by its name", hint, at_key=True)


def scaling_in_order(service: Any) -> Iterator[Finding]:
    """There are no fewer replicas at most than at least."""
    places: list[Path] = [("spec", "scaling")]
    places.extend(("spec", "byEnvironment", name, "scaling") for name in ("dev", "staging", "prod"))
    for path in places:
        least, most = number(service, *path, "min"), number(service, *path, "max")
        if least is None:
            least = 1
        if most is not None and least > most:
            yield Finding((*path, "max"), f"at least min, {least}", str(most))


def traffic_is_whole(service: Any) -> Iterator[Finding]:
    """Each mode has what it needs and nothing that is another's."""
    traffic = at(service, "spec", "traffic")
    has = traffic if isinstance(traffic, dict) else {}
    mode = text(traffic, "mode") or "single"
    path: Path = ("spec", "traffic")
    if mode == "active-passive" and "primary" not in has:
        expected = "the region that answers while it can"
        yield Finding((*path, "primary"), expected, "nothing", "active-passive needs it")
    for field, only in (
        ("primary", "active-passive"),
        ("standbyReplicas", "active-passive"),
        ("weights", "active-active"),
    ):
        if mode != only and has.get(field) not in (None, {}):
            hint = f"take it away, or set mode: {only}"
            yield Finding((*path, field), f"no {field} with {mode}", field, hint, at_key=True)
    weights = at(traffic, "weights")
    parts = weights.values() if isinstance(weights, dict) else ()
    if weights and all(part == 0 for part in parts):
        yield Finding((*path, "weights"), "a region with a weight above 0", "none")


def spot_keeps_what_it_did(job: Any) -> Iterator[Finding]:
    """What runs on nodes that can be taken away should keep what it did."""
    if at(job, "spec", "spot") is True and at(job, "spec", "checkpoint") is None:
        expected = "a checkpoint, or all is lost whenever a node is taken away"
        yield Finding(("spec", "spot"), expected, "none", at_key=True, warning=True)


SERVICE_RULES: tuple[Rule, ...] = (
    names_fit,
    flows_say_where,
    no_secrets,
    scaling_in_order,
    traffic_is_whole,
)
JOB_RULES: tuple[Rule, ...] = (names_fit, flows_say_where, no_secrets, spot_keeps_what_it_did)

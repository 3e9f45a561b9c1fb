"""Rules within one Cluster that its fields alone cannot say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from frota.resources.errors import Path
from frota.resources.findings import Finding, Rule, at, entries, repeated, text

_TAKEN = ("control-plane", "cp")
_NAME_MOST = 63  # a VM's name is a host name
_NUMBER_DIGITS = 6  # "-" and up to five digits


def on_hosts(cluster: Any) -> bool:
    """Whether its nodes are VMs on a host group."""
    return text(cluster, "spec", "provider") == "libvirt" or bool(
        text(cluster, "spec", "hostGroup")
    )


def roles(cluster: Any) -> Iterator[tuple[Path, str, str, dict[str, Any]]]:
    """The control plane and the pools of VMs: path, set name, prefix of VM names, role.
    None where the nodes are no VMs of a host group."""
    if not on_hosts(cluster):
        return
    name = text(cluster, "metadata", "name")
    control = at(cluster, "spec", "controlPlane")
    if isinstance(control, dict):
        yield ("spec", "controlPlane"), f"{name}-control-plane", f"{name}-cp", control
    for path, pool in entries(cluster, "spec", "nodePools"):
        own = f"{name}-{text(pool, 'name')}"
        yield path, own, own, pool


def what_it_runs_on(cluster: Any) -> Iterator[Finding]:
    """VMs need hosts, a control plane and sizes; other clusters have none of these."""
    provider = text(cluster, "spec", "provider")
    spec = at(cluster, "spec")
    has = spec if isinstance(spec, dict) else {}
    if on_hosts(cluster) and provider in ("libvirt", "twin"):
        yield from _vms(has, provider)
        return
    if provider == "twin" and not has.get("fleet"):
        expected = "the HostGroup that runs its VMs, or the fleet in which it is an API server"
        yield Finding(("spec", "hostGroup"), expected, "neither hostGroup nor fleet")
    if provider in ("twin", "kubeconfig"):
        yield from _no_vms(cluster, has, provider)


def _vms(has: dict[str, Any], provider: str) -> Iterator[Finding]:
    if not has.get("hostGroup"):
        expected = "the HostGroup whose hosts run its VMs"
        yield Finding(("spec", "hostGroup"), expected, "nothing", f"{provider} needs it")
    if "controlPlane" not in has:
        expected = "the VMs of the control plane: a mapping with count, vmSize"
        yield Finding(("spec", "controlPlane"), expected, "nothing", "a hostGroup runs them")
    for path, pool in entries({"spec": has}, "spec", "nodePools"):
        for field, meaning in (("count", "how many VMs"), ("vmSize", "what each VM gets")):
            if pool.get(field) is None:
                hint = "the field is required where nodes are VMs"
                yield Finding((*path, field), meaning, "nothing", hint)


def _no_vms(cluster: Any, has: dict[str, Any], provider: str) -> Iterator[Finding]:
    why = "with kubeconfig" if provider == "kubeconfig" else "without hostGroup"
    hint = "take it away, or name the hostGroup that runs VMs, with libvirt or twin"
    for field in ("hostGroup", "controlPlane", "template"):
        if field in has:
            path: Path = ("spec", field)
            yield Finding(path, f"no such field {why}", field, hint, at_key=True)
    for path, pool in entries(cluster, "spec", "nodePools"):
        for field in ("vmSize", "priority", "mobility", "availabilitySet"):
            if field in pool:
                yield Finding((*path, field), f"no such field {why}", field, hint, at_key=True)


def how_it_is_reached(cluster: Any) -> Iterator[Finding]:
    """Frota pushes by a kubeconfig; what is simulated needs none, what pulls must have none."""
    spec = at(cluster, "spec")
    has = spec if isinstance(spec, dict) else {}
    provider, path = text(cluster, "spec", "provider"), ("spec", "kubeconfig")
    member = bool(has.get("fleet"))
    if provider == "twin" and "kubeconfig" in has:
        hint = "a twin is simulated; take it away, or set provider: kubeconfig"
        yield Finding(path, "no such field on the twin", "kubeconfig", hint, at_key=True)
    pulls = text(cluster, "spec", "delivery") == "pull"
    if provider == "kubeconfig" and not member:
        yield Finding(("spec", "fleet"), "the Fleet it is a member of", "nothing")
    if pulls and not member:
        expected = "push, or a fleet whose bundles it pulls"
        yield Finding(("spec", "delivery"), expected, '"pull" without a fleet')
    if pulls and "kubeconfig" in has:
        hint = "with pull nobody but the cluster holds its credentials: take it away"
        yield Finding(path, "no kubeconfig with delivery pull", "one", hint, at_key=True)
    reached = member or provider == "kubeconfig"
    if reached and provider in ("libvirt", "kubeconfig") and not pulls and "kubeconfig" not in has:
        hint = "such as kubeconfig: {path: /etc/frota/kubeconfig, context: east}"
        yield Finding(path, "how its API server is reached", "nothing", hint)


def what_a_member_says(cluster: Any) -> Iterator[Finding]:
    """A member of a fleet says what it is for and how serious it is."""
    spec = at(cluster, "spec")
    if not isinstance(spec, dict) or not spec.get("fleet"):
        return
    for field, words in (
        ("function", "one of training, inference, experimentation"),
        ("environment", "one of dev, staging, prod"),
    ):
        if field not in spec:
            hint = "a member of a fleet must say it"
            yield Finding(("spec", field), words, "nothing", hint)


def pools_once(cluster: Any) -> Iterator[Finding]:
    """Pools have names of their own, which are not those of the control plane."""
    named = [
        ((*path, "name"), text(pool, "name"))
        for path, pool in entries(cluster, "spec", "nodePools")
    ]
    yield from repeated(named, "pool")
    for path, name in named:
        if name in _TAKEN and on_hosts(cluster):
            yield Finding(path, "another name: the control plane has this one", f'"{name}"')


def names_fit(cluster: Any) -> Iterator[Finding]:
    """VM names, CLUSTER-POOL-NUMBER, are host names of at most 63 characters."""
    for path, _, prefix, _ in roles(cluster):
        length = len(prefix) + _NUMBER_DIGITS
        if length > _NAME_MOST:
            pool = path[:2] == ("spec", "nodePools")
            place: Path = (*path, "name") if pool else ("metadata", "name")
            expected = f"a name that leaves VM names at most {_NAME_MOST} characters"
            yield Finding(place, expected, f"VM names of {length}", "shorten it")


def levels_in_order(cluster: Any) -> Iterator[Finding]:
    """Levels go from coarse to fine."""
    for path, _, _, role in roles(cluster):
        levels = at(role, "availabilitySet", "levels")
        if isinstance(levels, list) and len(levels) == 2 and levels != ["rack", "host"]:
            if not all(level in ("rack", "host") for level in levels):
                continue
            place = (*path, "availabilitySet", "levels")
            hint = "write [rack, host]" if levels[0] != levels[1] else f"write [{levels[0]}]"
            found = f"[{', '.join(levels)}]"
            yield Finding(place, "each level once, from coarse to fine", found, hint)


def gpus_do_not_migrate(cluster: Any) -> Iterator[Finding]:
    """A VM with a GPU of its own cannot migrate live."""
    for path, _, _, role in roles(cluster):
        if text(role, "mobility") == "live" and at(role, "gpu") is not None:
            hint = "PCI passthrough cannot migrate; leave mobility out for pinned"
            yield Finding((*path, "mobility"), "cold or pinned for VMs with GPUs", '"live"', hint)


def template_is_whole(cluster: Any) -> Iterator[Finding]:
    """A real VM boots from an image or a kernel; what goes with a kernel needs one."""
    template = at(cluster, "spec", "template")
    has = template if isinstance(template, dict) else {}
    if text(cluster, "spec", "provider") == "libvirt" and not {"image", "kernel"} & set(has):
        path: Path = ("spec", "template", "image") if has else ("spec", "template")
        yield Finding(path, "what VMs boot: template.image or template.kernel", "neither")
    for field in ("initrd", "cmdline"):
        if field in has and "kernel" not in has:
            yield Finding(
                ("spec", "template", field),
                f"a kernel that goes with {field}",
                "none",
                "give template.kernel",
                at_key=True,
            )


RULES: tuple[Rule, ...] = (
    what_it_runs_on,
    how_it_is_reached,
    what_a_member_says,
    pools_once,
    names_fit,
    levels_in_order,
    gpus_do_not_migrate,
    template_is_whole,
)

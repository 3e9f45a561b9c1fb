"""Rules within one Cluster that its fields alone cannot say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from frota.resources.errors import Path
from frota.resources.findings import Finding, Rule, at, entries, repeated, text

_TAKEN = ("control-plane", "cp")
_NAME_MOST = 63  # a VM's name is a host name
_NUMBER_DIGITS = 6  # "-" and up to five digits


def roles(cluster: Any) -> Iterator[tuple[Path, str, str, dict[str, Any]]]:
    """The control plane and the pools: path, set name, prefix of VM names, role."""
    name = text(cluster, "metadata", "name")
    control = at(cluster, "spec", "controlPlane")
    if isinstance(control, dict):
        yield ("spec", "controlPlane"), f"{name}-control-plane", f"{name}-cp", control
    for path, pool in entries(cluster, "spec", "nodePools"):
        own = f"{name}-{text(pool, 'name')}"
        yield path, own, own, pool


def pools_once(cluster: Any) -> Iterator[Finding]:
    """Pools have names of their own, which are not those of the control plane."""
    named = [
        ((*path, "name"), text(pool, "name"))
        for path, pool in entries(cluster, "spec", "nodePools")
    ]
    yield from repeated(named, "pool")
    for path, name in named:
        if name in _TAKEN:
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
    pools_once,
    names_fit,
    levels_in_order,
    gpus_do_not_migrate,
    template_is_whole,
)

"""What the fields of a snapshot file alone cannot say: names that must exist, once each.

As all rules they also run on a file in which other things are wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from frota.model.vm import VmState
from frota.resources.errors import Path, one_of
from frota.resources.findings import Finding, at, entries, number, repeated, text

_NEED_HOST = frozenset(
    {
        VmState.STARTING,
        VmState.RUNNING,
        VmState.MIGRATING,
        VmState.UNMONITORED,
        VmState.STOPPING,
    }
)
_Names = Mapping[str, None]


def findings(file: Any) -> Iterator[Finding]:
    """All that is wrong between the parts of a file."""
    yield from _once(file)
    hosts = _names(file, "hosts")
    sets = _names(file, "sets")
    for path, item in entries(file, "spec", "sets"):
        yield from _levels((*path, "levels"), at(item, "levels"))
        yield from _known((*path, "successorOf"), text(item, "successorOf"), sets, "set")
        for host in _places(item):
            yield from _known((*path, "members", "hosts", host), host, hosts, "host", at_key=True)
    for path, vm in entries(file, "spec", "vms"):
        yield from _vm(path, vm, hosts, sets)


def made_names(set_name: str, count: int) -> tuple[str, ...]:
    """The names of VMs that a set's ``members`` stand for."""
    return tuple(f"{set_name}-{number}" for number in range(1, count + 1))


def _names(file: Any, field: str) -> _Names:
    return {text(item, "name"): None for _, item in entries(file, "spec", field)}


def _places(item: Any) -> Mapping[str, Any]:
    hosts = at(item, "members", "hosts")
    return hosts if isinstance(hosts, dict) else {}


def _once(file: Any) -> Iterator[Finding]:
    for field, thing in (("hosts", "host"), ("sets", "set")):
        items = entries(file, "spec", field)
        yield from repeated((((*path, "name"), text(item, "name")) for path, item in items), thing)
    taken: set[str] = set()
    for path, item in entries(file, "spec", "sets"):
        count = sum(number(item, "members", "hosts", host) or 0 for host in _places(item))
        made = made_names(text(item, "name"), min(count, 1_000_000))
        clash = sorted(taken.intersection(made))
        if clash:
            expected = "VM names that no other set makes"
            yield Finding((*path, "members"), expected, f"{clash[0]} again", at_key=True)
        taken.update(made)
    for path, vm in entries(file, "spec", "vms"):
        name = text(vm, "name")
        if name and name in taken:
            yield Finding((*path, "name"), "each VM once", f'"{name}" again')
        taken.add(name)


def _levels(path: Path, levels: Any) -> Iterator[Finding]:
    if not isinstance(levels, list) or levels == ["rack", "host"] or len(levels) != 2:
        return
    if all(level in ("rack", "host") for level in levels):
        found = f"[{', '.join(levels)}]"
        yield Finding(path, "each level once, from coarse to fine", found, "write [rack, host]")


def _vm(path: Path, vm: Any, hosts: _Names, sets: _Names) -> Iterator[Finding]:
    yield from _known((*path, "set"), text(vm, "set"), sets, "set")
    yield from _known((*path, "host"), text(vm, "host"), hosts, "host")
    state = text(vm, "state")
    if state in _NEED_HOST and not text(vm, "host"):
        yield Finding((*path, "host"), f"the host on which it is {state}", "nothing")
    for end in ("src", "dst"):
        name = text(vm, "operation", end)
        yield from _known((*path, "operation", end), name, hosts, "host")


def _known(
    path: Path, name: str, names: _Names, thing: str, *, at_key: bool = False
) -> Iterator[Finding]:
    if name and name not in names:
        choices = tuple(names)
        expected = one_of(choices) if choices else f"a {thing} that is listed"
        yield Finding(path, expected, f'"{name}"', word=name, choices=choices, at_key=at_key)

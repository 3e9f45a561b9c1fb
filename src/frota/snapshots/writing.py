"""Snapshots to text: JSON, one line for each host, set and VM; what is as documented is
left out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields
from enum import Enum
from typing import Any

from frota.model.availability import AvailabilitySet
from frota.model.host import Host
from frota.model.policy import Policy
from frota.model.snapshot import Snapshot
from frota.model.vm import Operation, Vm
from frota.resources.quantity import MIB, format_bytes
from frota.snapshots import defaults

API_VERSION = "frota.dev/v1alpha1"
_HOST_LAST = ("since", "incarnation", "intent", "leaves", "fence_proof", "declared_dead",
              "cleared", "before", "until", "tenure", "reason", "cause_id")  # fmt: skip
_VM_LAST = ("generation", "ready", "failures", "transit", "wanted", "halted", "reason",
            "cause_id")  # fmt: skip
_SET_LAST = ("removed", "adopt_new_domains", "deleting", "redeploy", "successor_of")


def text_of(snapshot: Snapshot) -> str:
    """The file of a snapshot; ``reading.parse`` gives the same snapshot back."""
    document = document_of(snapshot)
    spec = document["spec"]
    lists = {key: spec[key] for key in ("hosts", "sets", "vms")}
    head = {"now": spec["now"], "policy": spec["policy"]}
    lines = [
        "{",
        f'  "apiVersion": {_line(document["apiVersion"])},',
        f'  "kind": {_line(document["kind"])},',
        f'  "metadata": {_line(document["metadata"])},',
        '  "spec": {',
        *(f'    "{key}": {_line(value)},' for key, value in head.items()),
    ]
    for key, items in lists.items():
        comma = "" if key == "vms" else ","
        lines += [f'    "{key}": [', *_items(items), f"    ]{comma}"]
    return "\n".join([*lines, "  }", "}"]) + "\n"


def document_of(snapshot: Snapshot) -> dict[str, Any]:
    """The file as plain JSON values."""
    roles = {spread.name: spread.role for spread in snapshot.sets.values()}
    return {
        "apiVersion": API_VERSION,
        "kind": "Snapshot",
        "metadata": {"name": snapshot.group},
        "spec": {
            "now": snapshot.now,
            "policy": _policy(snapshot.policy),
            "hosts": [_host(host) for host in snapshot.hosts.values()],
            "sets": [_set(spread, snapshot.hosts) for spread in snapshot.sets.values()],
            "vms": [
                _vm(vm, roles.get(vm.set, ""), place)
                for place, vm in enumerate(snapshot.vms.values(), 1)
            ],
        },
    }


def _line(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    if text.isprintable():
        return text
    # Readers of YAML take no control characters, JSON's readers most of them: escape all.
    return "".join(c if c.isprintable() or c > "\uffff" else f"\\u{ord(c):04x}" for c in text)


def _items(items: list[Any]) -> Iterable[str]:
    last = len(items) - 1
    for place, item in enumerate(items):
        yield f"      {_line(item)}{',' if place < last else ''}"


def _host(host: Host) -> dict[str, Any]:
    capacity = host.capacity
    found: dict[str, Any] = {"name": host.name}
    if host.rack != host.name:
        found["rack"] = host.rack
    found |= {"memory": format_bytes(capacity.memory_mib * MIB), "cpus": capacity.vcpus}
    if capacity.slots != 1000:
        found["vms"] = capacity.slots
    if capacity.gpus:
        found["gpus"] = [{"model": model, "count": count} for model, count in capacity.gpus]
    found["state"] = host.state.value
    return found | _different(host, _HOST_LAST)


def _set(spread: AvailabilitySet, hosts: Mapping[str, Host]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": spread.name,
        "cluster": spread.cluster,
        "role": spread.role,
        "levels": [level.value for level in spread.levels],
    }
    if spread.generations != (defaults.domains(hosts.values(), spread.levels),):
        found["generations"] = [sorted(domains) for domains in spread.generations]
    return found | _different(spread, _SET_LAST) | {"nextNumber": spread.next_number}


def _vm(vm: Vm, role: str, place: int) -> dict[str, Any]:
    size = vm.size
    found: dict[str, Any] = {"name": vm.name}
    found |= {key: value for key, value in (("set", vm.set), ("host", vm.host)) if value}
    found |= {"memory": format_bytes(size.memory_mib * MIB), "cpus": size.vcpus}
    if size.gpus:
        found["gpu"] = {"model": size.gpu_model, "count": size.gpus}
    inferred = (
        ("state", vm.state.value, defaults.state(vm.host).value),
        ("home", vm.home, vm.host),
        ("order", vm.order, place),
        ("priority", vm.priority, defaults.priority(role)),
        ("mobility", vm.mobility.value, defaults.mobility(size.gpus).value),
        ("epoch", vm.epoch, defaults.epoch(vm.host)),
        ("movedAt", vm.moved_at, defaults.NEVER),
        ("retryAt", vm.retry_at, defaults.NEVER),
    )
    found |= {key: value for key, value, default in inferred if value != default}
    if vm.operation is not None:
        found["operation"] = _operation(vm.operation)
    return found | _different(vm, _VM_LAST)


def _operation(operation: Operation) -> dict[str, Any]:
    rest = tuple(f.name for f in fields(operation) if f.name not in ("id", "verb", "vm"))
    return {"id": operation.id, "verb": operation.verb.value} | _different(operation, rest)


def _policy(policy: Policy) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in ("timers", "throttle"):
        inner = getattr(policy, part)
        changed = _different(inner, tuple(field.name for field in fields(inner)))
        if changed:
            found[part] = changed
    names = (f.name for f in fields(policy) if f.name not in ("timers", "throttle"))
    return found | _different(policy, tuple(names))


def _different(value: Any, names: Iterable[str]) -> dict[str, Any]:
    """The fields that are not as the model's defaults, by their names in the file."""
    initial = {field.name: field.default for field in fields(value)}
    return {
        _camel(name): _json(getattr(value, name))
        for name in names
        if getattr(value, name) != initial[name]
    }


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _json(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    return list(value) if isinstance(value, tuple) else value

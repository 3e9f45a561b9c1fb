"""What people ask of a running Frota, written to the store as the commands write it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from frota.controllers.records import APPROVAL, CONDITION, HOST, SET, VM, key
from frota.controllers.records import CLUSTER as CLUSTER_KIND
from frota.controllers.records import GROUP as GROUP_KIND
from frota.model.availability import CONTROL_PLANE, AvailabilitySet
from frota.model.host import Host, Intent
from frota.model.vm import Vm
from frota.simulation.arguments import HELD
from frota.simulation.run import Run
from frota.simulation.scenario import CLUSTER
from frota.simulation.shorthand import gpu_list, host_document, normal, role_document


def change_host(run: Run, name: str, change: Callable[[Host], Host]) -> None:
    """Rewrite the record of one host; a host without one is left alone."""
    entry = run.store.get(HOST, key(run.group, name))
    if entry is not None:
        run.write(HOST, key(run.group, name), change(entry.value))


def drain(run: Run, host: str) -> None:
    """Empty a host for maintenance."""
    change_host(run, host, lambda old: replace(old, intent=Intent.DRAINED))


def resume(run: Run, host: str) -> None:
    """Let a drained host serve again."""
    change_host(run, host, lambda old: replace(old, intent=Intent.ACTIVE))


def remove_host(run: Run, host: str) -> None:
    """Take a host away for good, once it is empty or dead."""
    change_host(run, host, lambda old: replace(old, intent=Intent.REMOVED))


def declare_dead(run: Run, host: str) -> None:
    """An operator went and looked: one who finds the host alive does not say so."""
    if not run.site.machines[host].up:
        change_host(run, host, lambda old: replace(old, declared_dead=old.incarnation))


def end_quarantine(run: Run, host: str) -> None:
    """An operator trusts the host again."""
    change_host(run, host, lambda old: replace(old, cleared=True))


def redeploy(run: Run, name: str) -> None:
    """Replace a set by a new one, member by member."""
    entry = run.store.get(SET, key(run.group, name))
    if entry is not None:
        old: AvailabilitySet = entry.value
        run.write(SET, key(run.group, name), replace(old, redeploy=True))


def halt_vm(run: Run, name: str, *, halted: bool) -> None:
    """Stop a VM by agreement, or let it run again."""
    entry = run.store.get(VM, key(run.group, name))
    if entry is not None:
        old: Vm = entry.value
        run.write(VM, key(run.group, name), replace(old, halted=halted))


def approve(run: Run, what: str) -> None:
    """Let the plan go that the brake holds, if it holds one."""
    held = f"HostGroup/{run.group}/{HELD[what]}"
    entry = run.store.get(CONDITION, key(run.group, held))
    if entry is not None:
        run.write(APPROVAL, key(run.group, entry.value.plan), {"at": run.clock.now()})


def change_group(run: Run, change: Callable[[dict[str, Any]], None]) -> None:
    """Edit the HostGroup's spec and apply it."""
    document: dict[str, Any] = copy.deepcopy(dict(run.document(GROUP_KIND, run.group)))
    change(document["spec"])
    run.apply(normal(document))


def change_cluster(run: Run, change: Callable[[dict[str, Any]], None], name: str = CLUSTER) -> None:
    """Edit a Cluster's spec and apply it."""
    document: dict[str, Any] = copy.deepcopy(dict(run.document(CLUSTER_KIND, name)))
    change(document["spec"])
    run.apply(normal(document))


def add_host(run: Run, name: str, short: Mapping[str, Any]) -> None:
    """Declare one host more; its machine is put up if there is none."""
    host = host_document(name, short)

    def change(spec: dict[str, Any]) -> None:
        spec["hosts"] = [old for old in spec["hosts"] if old["name"] != name] + [host]
        rack = host.get("rack")
        if rack and rack not in {item["name"] for item in spec["racks"]}:
            spec["racks"].append({"name": rack})

    change_group(run, change)
    declared = run.document(GROUP_KIND, run.group)["spec"]["hosts"]
    run.put_up(next(item for item in declared if item["name"] == name))
    run.site.boot(name)


def declare_capacity(run: Run, name: str, short: Mapping[str, Any]) -> Mapping[str, Any]:
    """Change what a host is declared to have; gives the whole capacity."""
    found: dict[str, Any] = {}

    def change(spec: dict[str, Any]) -> None:
        for host in spec["hosts"]:
            if host["name"] == name:
                host["capacity"].update({k: v for k, v in short.items() if k != "gpus"})
                if "gpus" in short:
                    host["capacity"]["gpus"] = gpu_list(short["gpus"])
                found.update(host["capacity"])

    change_group(run, change)
    return found


def scale(run: Run, name: str, count: int) -> None:
    """Change how many VMs a pool, or the control plane, has."""

    def change(spec: dict[str, Any]) -> None:
        if name == CONTROL_PLANE:
            spec["controlPlane"]["count"] = count
        for pool in spec["nodePools"]:
            if pool["name"] == name:
                pool["count"] = count

    change_cluster(run, change)


def add_pool(run: Run, name: str, short: Mapping[str, Any]) -> None:
    """Declare a node pool."""
    pool = {"name": name, **role_document(short)}
    change_cluster(run, lambda spec: spec["nodePools"].append(pool))


def delete_pool(run: Run, name: str) -> None:
    """Declare a node pool no longer."""

    def change(spec: dict[str, Any]) -> None:
        spec["nodePools"] = [pool for pool in spec["nodePools"] if pool["name"] != name]

    change_cluster(run, change)

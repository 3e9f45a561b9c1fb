"""How a VM is to be built now, from what is declared or was declared last.

A VM may outlive its declaration: while the brake holds its deletion it is kept running,
and started elsewhere when its host dies.
"""

from __future__ import annotations

from dataclasses import replace

from frota.controllers.desired import ClusterSpec, RoleSpec, definition, desired_cluster
from frota.controllers.draft import Draft
from frota.model.availability import AvailabilitySet
from frota.model.definition import Definition
from frota.model.vm import Vm


def build(vm: Vm, draft: Draft) -> Definition | None:
    """The definition of a VM; None when nothing is known of its cluster any more."""
    spread = draft.sets.get(vm.set)
    cluster = _cluster(spread.cluster, draft) if spread is not None else None
    if spread is None or cluster is None:
        return None
    role = next((role for role in cluster.roles if role.role == spread.role), None)
    number = int(vm.name.rpartition("-")[2])
    built = definition(cluster, role or _dropped(spread, vm), number, draft.spec.disks)
    return built if built.size == vm.size else replace(built, size=vm.size)


def left_disk(vm: Vm, draft: Draft) -> str:
    """Words on what a deleted VM leaves behind; empty when it had no disk."""
    built = build(vm, draft)
    return f"; its disk is kept: {built.disk}" if built is not None and built.disk else ""


def forget_former(draft: Draft) -> None:
    """Deleted clusters are remembered until the last of their sets is gone."""
    if draft.former:
        owners = {spread.cluster for spread in draft.sets.values()} - draft.clusters.keys()
        for name in draft.former.keys() - owners:
            del draft.former[name]


def _cluster(name: str, draft: Draft) -> ClusterSpec | None:
    if name in draft.clusters:
        return draft.clusters[name]
    former = draft.former.get(name)
    return desired_cluster(former) if former is not None else None


def _dropped(spread: AvailabilitySet, vm: Vm) -> RoleSpec:
    """The role of a pool that is declared no longer. Its disks are there already."""
    return RoleSpec(
        role=spread.role,
        set_name=spread.name,
        vm_prefix=vm.name.rpartition("-")[0],
        count=0,
        size=vm.size,
        disk_gib=0,
        priority=vm.priority,
        mobility=vm.mobility,
        levels=spread.levels,
        adopt_new_domains=spread.adopt_new_domains,
    )

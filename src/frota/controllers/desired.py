"""What people want, as planner values: stored HostGroup and Cluster documents converted.

The documents were validated and normalised when they were applied
(``frota.resources.documents``): every default is filled in, so nothing here checks
again. Pure functions; pydantic is not needed to import or run them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from frota.model.availability import CONTROL_PLANE, Level
from frota.model.definition import Definition
from frota.model.host import Capacity, Size
from frota.model.policy import Admission, Policy, RebalanceMode, Throttle, Timers
from frota.model.vm import Mobility
from frota.ports.hypervisor import HostAddress
from frota.resources.quantity import (
    GIB,
    MIB,
    cpus_left,
    memory_left,
    parse_duration,
    parse_share,
    whole_units,
)

Document = Mapping[str, Any]

VMS_PER_HOST = 1000  # slots of a host that declares none
_WORD = re.compile(r"\$\{(vm|cluster|role|index)\}")


@dataclass(frozen=True, slots=True)
class SecretSource:
    """Where a secret is to be read when it is used: exactly one of the two is set."""

    file: str = ""
    env: str = ""


@dataclass(frozen=True, slots=True)
class FenceMethod:
    """One fence agent of a host with its options; secrets only by reference."""

    agent: str
    options: tuple[tuple[str, str], ...] = ()
    secrets: tuple[tuple[str, SecretSource], ...] = ()


@dataclass(frozen=True, slots=True)
class HostSpec:
    """One declared host. A ``None`` among the declared figures means: as found.

    ``rack`` is the host's own name where none was declared.
    """

    name: str
    rack: str
    address: HostAddress
    memory_mib: int | None = None
    cpus: int | None = None
    gpus: tuple[tuple[str, int], ...] | None = None
    vms: int = VMS_PER_HOST
    reserve_memory_mib: int = 0
    reserve_cpus: int = 0
    overcommit_cpus: float = 1.0
    fence: tuple[FenceMethod, ...] = ()

    def capacity(self, found: Capacity | None = None) -> Capacity | None:
        """What the host gives to VMs, after reserve and overcommit.

        ``found`` is the raw inventory (no reserve, no overcommit); the smaller of declared
        and found holds. None while a needed figure is neither declared nor found.
        """
        memory = _smaller(self.memory_mib, found.memory_mib if found else None)
        cpus = _smaller(self.cpus, found.vcpus if found else None)
        if memory is None or cpus is None:
            return None
        return Capacity(
            memory_mib=memory_left(memory, self.reserve_memory_mib),
            vcpus=cpus_left(cpus, self.reserve_cpus, self.overcommit_cpus),
            slots=min(self.vms, found.slots) if found else self.vms,
            gpus=self._gpus(found),
        )

    def _gpus(self, found: Capacity | None) -> tuple[tuple[str, int], ...]:
        if self.gpus is None:
            return found.gpus if found else ()
        if found is None:
            return self.gpus
        both = ((model, min(count, found.gpus_of(model))) for model, count in self.gpus)
        return tuple((model, count) for model, count in both if count)


@dataclass(frozen=True, slots=True)
class GroupSpec:
    """One HostGroup as wanted. ``witness`` is ``host:port`` or empty; ``lease_path`` is
    the shared directory of the hosts' leases or empty."""

    name: str
    provider: str
    hosts: tuple[HostSpec, ...]
    policy: Policy = field(default_factory=Policy)
    disks: str = ""
    lease_path: str = ""
    witness: str = ""


@dataclass(frozen=True, slots=True)
class RoleSpec:
    """The VMs of one role and their availability set.

    ``role`` is ``control-plane`` or ``pool/NAME``. VM names are ``vm_prefix-N``, N from 1,
    never used twice while the set lives.
    """

    role: str
    set_name: str
    vm_prefix: str
    count: int
    size: Size
    disk_gib: int
    priority: int
    mobility: Mobility
    levels: tuple[Level, ...]
    adopt_new_domains: bool

    def vm_name(self, number: int) -> str:
        """The name of the VM with this number."""
        return f"{self.vm_prefix}-{number}"


@dataclass(frozen=True, slots=True)
class VmTemplate:
    """How the VMs of a cluster are built; see ``frota.model.definition.Definition``."""

    image: str = ""
    network: str = ""
    accelerator: str = "kvm"
    kernel: str = ""
    initrd: str = ""
    cmdline: str = ""
    user_data: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class ClusterSpec:
    """One Cluster as wanted; the control plane is the first role. Compared by identity: it
    is read once from each document."""

    name: str
    group: str
    provider: str
    roles: tuple[RoleSpec, ...]
    template: VmTemplate = VmTemplate()


def desired_group(document: Document) -> GroupSpec:
    """A stored HostGroup document as planner values."""
    spec = document["spec"]
    lease = spec["fencing"].get("lease")
    overcommit = float(spec["overcommit"]["cpus"])
    return GroupSpec(
        name=document["metadata"]["name"],
        provider=spec["provider"],
        hosts=tuple(_host(host, overcommit) for host in spec["hosts"]),
        policy=_policy(spec, lease_usable=lease is not None),
        disks=spec.get("storage", {}).get("disks", ""),
        lease_path=(lease or {}).get("path", ""),
        witness=spec.get("witness", {}).get("address", ""),
    )


def desired_cluster(document: Document) -> ClusterSpec:
    """A stored Cluster document as planner values."""
    spec = document["spec"]
    name = document["metadata"]["name"]
    control = _role(spec["controlPlane"], CONTROL_PLANE, f"{name}-{CONTROL_PLANE}", f"{name}-cp")
    pools = (
        _role(pool, f"pool/{pool['name']}", f"{name}-{pool['name']}", f"{name}-{pool['name']}")
        for pool in spec["nodePools"]
    )
    return ClusterSpec(
        name=name,
        group=spec["hostGroup"],
        provider=spec["provider"],
        roles=(control, *pools),
        template=_template(spec.get("template", {})),
    )


@lru_cache(maxsize=1024)
def definition(cluster: ClusterSpec, role: RoleSpec, number: int, disks: str) -> Definition:
    """One VM as the hypervisor is to build it; ``disks`` is the group's shared directory.

    The MAC address follows from the name, so that a guest keeps it on every host; 40
    bits of it vary: a clash among 10,000 VMs is a 1-in-20,000 event. In the user data
    ``${vm}``, ``${cluster}``, ``${role}`` and ``${index}`` are filled in, nothing else is.
    """
    vm = role.vm_name(number)
    template = cluster.template
    short = role.role.removeprefix("pool/")
    words = {"vm": vm, "cluster": cluster.name, "role": short, "index": str(number)}
    user_data = _WORD.sub(lambda found: words[found.group(1)], template.user_data)
    root = disks.rstrip("/")
    digest = hashlib.sha256(vm.encode()).hexdigest()
    return Definition(
        vm=vm,
        size=role.size,
        cluster=cluster.name,
        role=role.role,
        accelerator=template.accelerator,
        image=template.image,
        disk=f"{root}/{vm}.qcow2" if template.image and root else "",
        disk_gib=role.disk_gib,
        seed=f"{root}/{vm}-seed.iso" if user_data and root else "",
        user_data=user_data,
        meta_data=f"instance-id: {vm}\nlocal-hostname: {vm}\n" if user_data else "",
        network=template.network,
        mac="06:" + ":".join(digest[at : at + 2] for at in range(0, 10, 2)),
        kernel=template.kernel,
        initrd=template.initrd,
        cmdline=template.cmdline,
    )


def _smaller(declared: int | None, found: int | None) -> int | None:
    known = [figure for figure in (declared, found) if figure is not None]
    return min(known, default=None)


def _host(host: Document, overcommit: float) -> HostSpec:
    declared = host.get("capacity", {})
    memory, gpus = declared.get("memory"), declared.get("gpus")
    name = host["name"]
    return HostSpec(
        name=name,
        rack=host.get("rack", name),
        address=HostAddress(
            name=name,
            uri=host.get("uri", ""),
            migrate_uri=host.get("migrateUri", ""),
            peer_to_peer=host["peerToPeer"],
        ),
        memory_mib=None if memory is None else whole_units(memory, MIB),
        cpus=declared.get("cpus"),
        gpus=None if gpus is None else tuple(sorted((gpu["model"], gpu["count"]) for gpu in gpus)),
        vms=declared.get("vms", VMS_PER_HOST),
        reserve_memory_mib=whole_units(host["reserve"]["memory"], MIB),
        reserve_cpus=host["reserve"]["cpus"],
        overcommit_cpus=overcommit,
        fence=tuple(_fence_method(method) for method in host["fence"]),
    )


def _fence_method(method: Document) -> FenceMethod:
    return FenceMethod(
        agent=method["agent"],
        options=tuple(sorted(method["options"].items())),
        secrets=tuple(
            (name, SecretSource(file=source.get("file", ""), env=source.get("env", "")))
            for name, source in sorted(method["secrets"].items())
        ),
    )


def _policy(spec: Document, *, lease_usable: bool) -> Policy:
    throttle, brake, rebalance = spec["throttle"], spec["brake"], spec["rebalance"]
    return Policy(
        timers=_timers(spec["timers"]),
        throttle=Throttle(
            out_per_host=throttle["outPerHost"],
            in_per_host=throttle["inPerHost"],
            per_cluster=throttle["perCluster"],
        ),
        rebalance=RebalanceMode(rebalance["mode"]),
        cold_rebalance=rebalance["coldMoves"],
        admission=Admission(spec["admission"]),
        brake_share=parse_share(brake["share"]),
        # Documents stored before deletions were braked do not have it.
        brake_delete_share=parse_share(brake.get("deleteShare", "20%")),
        brake_least=brake["least"],
        preempt=spec["preempt"],
        lease_usable=lease_usable,
    )


def _timers(timers: Document) -> Timers:
    return Timers(
        beat=parse_duration(timers["beat"]),
        suspect_beats=timers["suspectBeats"],
        isolated=parse_duration(timers["isolated"]),
        isolation_grace=parse_duration(timers["isolationGrace"]),
        lease=parse_duration(timers["lease"]),
        lease_renew=parse_duration(timers["leaseRenew"]),
        hold=parse_duration(timers["hold"]),
        quarantine_leaves=timers["quarantineLeaves"],
        quarantine_window=parse_duration(timers["quarantineWindow"]),
        quarantine=parse_duration(timers["quarantine"]),
        move_timeout=parse_duration(timers["moveTimeout"]),
        move_cooldown=parse_duration(timers["moveCooldown"]),
        audit=parse_duration(timers["audit"]),
    )


def _role(wanted: Document, role: str, set_name: str, vm_prefix: str) -> RoleSpec:
    size, gpu, spread = wanted["vmSize"], wanted.get("gpu"), wanted["availabilitySet"]
    return RoleSpec(
        role=role,
        set_name=set_name,
        vm_prefix=vm_prefix,
        count=wanted["count"],
        size=Size(
            memory_mib=whole_units(size["memory"], MIB),
            vcpus=size["cpus"],
            gpu_model=gpu["model"] if gpu else "",
            gpus=gpu["count"] if gpu else 0,
        ),
        disk_gib=whole_units(size["disk"], GIB) if "disk" in size else 0,
        priority=wanted["priority"],
        mobility=Mobility(wanted["mobility"]),
        levels=tuple(Level(level) for level in spread["levels"]),
        adopt_new_domains=spread["adoptNewDomains"],
    )


def _template(template: Document) -> VmTemplate:
    return VmTemplate(
        image=template.get("image", ""),
        network=template.get("network", ""),
        accelerator=template.get("accelerator", "kvm"),
        kernel=template.get("kernel", ""),
        initrd=template.get("initrd", ""),
        cmdline=template.get("cmdline", ""),
        user_data=template.get("cloudInit", {}).get("userData", ""),
    )

"""What a hypervisor must know to build one VM, beyond its size."""

from __future__ import annotations

from dataclasses import dataclass

from frota.model.host import Size


@dataclass(frozen=True, slots=True)
class Definition:
    """One VM as the hypervisor is to define it. Paths are on the shared storage of the
    group, the same on every host. Nothing here is secret: ``user_data`` may name
    files or variables that hold secrets but never holds one itself.

    ``image`` is a qcow2 backing image (empty: no disk); ``disk`` the VM's own qcow2
    overlay of ``disk_gib``; ``kernel``, ``initrd`` and ``cmdline`` are for direct boot
    (empty: boot from the disk); ``accelerator`` is ``kvm`` or ``qemu`` (TCG).
    """

    vm: str
    size: Size
    cluster: str
    role: str
    accelerator: str = "kvm"
    image: str = ""
    disk: str = ""
    disk_gib: int = 0
    seed: str = ""  # path of the cloud-init NoCloud image
    user_data: str = ""
    meta_data: str = ""
    network: str = ""  # libvirt network name; ``bridge:NAME`` for a bridge
    mac: str = ""
    kernel: str = ""
    initrd: str = ""
    cmdline: str = ""

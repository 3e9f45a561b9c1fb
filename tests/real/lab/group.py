"""The lab as Frota's own resources: a HostGroup, and the template of a Cluster on it."""

from __future__ import annotations

from typing import Any

from tests.real.lab import bmc, guest
from tests.real.lab.hosts import Lab
from tests.real.lab.layout import Place

# What the lab says its hosts can hold: room for some guests, less than a build machine has.
CAPACITY = {"memory": "1Gi", "cpus": 8}


def _host(place: Place) -> dict[str, Any]:
    return {
        "name": place.name,
        "uri": place.uri,
        "migrateUri": f"tcp://{place.address}",
        "capacity": dict(CAPACITY),
        "fence": [
            {
                "agent": "fence_ipmilan",
                "options": dict(bmc.fence_options(place)),
                "secrets": {"password": {"file": str(place.site.bmc_password)}},
            }
        ],
    }


def host_group(lab: Lab, name: str = "lab") -> dict[str, Any]:
    """A HostGroup of all hosts, with their management controllers, leases and witness."""
    return {
        "apiVersion": "frota.dev/v1alpha1",
        "kind": "HostGroup",
        "metadata": {"name": name},
        "spec": {
            "provider": "libvirt",
            "hosts": [_host(lab.place(host)) for host in lab.names],
            "storage": {"disks": str(lab.site.disks)},
            "fencing": {"lease": {"path": str(lab.site.leases)}},
            "witness": {"address": f"{lab.site.switch}:80"},
        },
    }


def template(lab: Lab) -> dict[str, Any]:
    """``spec.template`` of a Cluster whose VMs are lab guests."""
    files = guest.prepare(lab.site, lab.cache)
    return {
        "image": str(guest.blank_image(lab.site)),
        "network": "default",
        "accelerator": "qemu",
        "kernel": str(files.kernel),
        "initrd": str(files.initrd),
        "cmdline": files.cmdline,
    }

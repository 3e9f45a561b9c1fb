"""The configuration of one lab host's libvirtd, written afresh at every boot."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.real.lab.layout import Place

BRIDGE = "br0"

_LIBVIRTD = """\
listen_tls = 0
listen_tcp = 1
listen_addr = "{address}"
auth_tcp = "none"
auth_unix_ro = "none"
auth_unix_rw = "none"
unix_sock_group = "root"
unix_sock_rw_perms = "0700"
host_uuid = "{uuid}"
log_outputs = "3:file:/var/log/libvirt/libvirtd.log"
"""

# stdio_handler: no virtlogd here. namespaces, cgroups, security: the host itself is a
# namespace, and its guests are ours. QEMU's own image locks stay on.
_QEMU = """\
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
stdio_handler = "file"
namespaces = []
cgroup_controllers = []
security_driver = "none"
migration_address = "0.0.0.0"
migration_host = "{address}"
"""

_NETWORK = """\
<network>
  <name>default</name>
  <uuid>{uuid}</uuid>
  <forward mode="bridge"/>
  <bridge name="{bridge}"/>
</network>
"""

OWNED = ("var/lib/libvirt", "var/log/libvirt", "var/cache/libvirt", "etc/libvirt")


def prepare(place: Place, boot_id: str) -> None:
    """Make the host's directories as they are after power on: /run empty, definitions
    kept."""
    shutil.rmtree(place.dir / "run", ignore_errors=True)
    for name in (*OWNED, "run/libvirt", "run/lock", "dev"):
        (place.dir / name).mkdir(parents=True, exist_ok=True)
    (place.dir / "boot-id").write_text(boot_id + "\n")
    conf = place.dir / "etc/libvirt"
    (conf / "libvirtd.conf").write_text(_LIBVIRTD.format(address=place.address, uuid=place.uuid))
    (conf / "qemu.conf").write_text(_QEMU.format(address=place.address))
    networks = conf / "qemu/networks"
    (networks / "autostart").mkdir(parents=True, exist_ok=True)
    (networks / "default.xml").write_text(_NETWORK.format(bridge=BRIDGE, uuid=place.uuid))
    link = networks / "autostart/default.xml"
    if not link.is_symlink():
        link.symlink_to("/etc/libvirt/qemu/networks/default.xml")


def links(place: Place) -> str:
    """Commands of `ip -batch` for the host's own end: guests join its bridge."""
    return (
        f"link set lo up\n"
        f"link add {BRIDGE} address 52:54:01:00:00:{place.number:02x}"
        f" type bridge mcast_snooping 0\n"
        f"link set eth0 master {BRIDGE}\nlink set eth0 up\n"
        f"address add {place.address}/16 dev {BRIDGE}\nlink set {BRIDGE} up\n"
    )


def capabilities(place: Place) -> Path:
    """Where its libvirtd keeps what it has found out about QEMU."""
    return place.dir / "var/cache/libvirt/qemu/capabilities"

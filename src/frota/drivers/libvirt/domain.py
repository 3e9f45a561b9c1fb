"""A VM's definition as libvirt domain XML, and the mark by which Frota knows it again.

The mark is one element of Frota's own namespace in the domain's ``<metadata>``::

    <frota:vm xmlns:frota="https://frota.dev/xmlns/libvirt/1" name="east-cp-1"
      cluster="east" role="control-plane" epoch="3" operation="…" moving="no"
      host="a" incarnation="…"/>

A domain without a mark is not Frota's: it is neither reported nor touched.
"""

from __future__ import annotations

import uuid
import xml.etree.ElementTree as ET
from dataclasses import asdict, dataclass
from xml.etree.ElementTree import Element, SubElement

from frota.drivers.libvirt.document import parse
from frota.drivers.libvirt.pci import Address
from frota.model.definition import Definition

NAMESPACE = "https://frota.dev/xmlns/libvirt/1"
PREFIX = "frota"
_MARK = f"{{{NAMESPACE}}}vm"
_BRIDGE = "bridge:"

ET.register_namespace(PREFIX, NAMESPACE)


@dataclass(frozen=True, slots=True)
class Mark:
    """What Frota writes on a domain. ``moving`` is true from before a live migration
    begins until its end was seen; ``host`` and ``incarnation`` say in which life of
    which host (by Frota's name for it) it was started, or arrived."""

    vm: str
    cluster: str
    role: str
    epoch: int
    operation: str
    host: str
    incarnation: str
    moving: bool = False


def mark_xml(mark: Mark) -> str:
    """The mark as libvirt wants it when it is set: libvirt adds the namespace itself, and
    fails where it is there."""
    element = _mark_element(mark)
    element.tag = "vm"
    return ET.tostring(element, encoding="unicode")


def _mark_element(mark: Mark) -> Element:
    fields = asdict(mark)
    fields["name"] = fields.pop("vm")
    fields["moving"] = "yes" if mark.moving else "no"
    return Element(_MARK, {name: str(value) for name, value in fields.items()})


def read_mark(text: str | None) -> Mark | None:
    """The mark in libvirt's answer (with or without its namespace); None when there is
    none, or none that can be read."""
    if text is None:
        return None
    try:
        element = parse(text)
        return Mark(
            vm=element.attrib["name"],
            cluster=element.get("cluster", ""),
            role=element.get("role", ""),
            epoch=int(element.attrib["epoch"]),
            operation=element.get("operation", ""),
            host=element.get("host", ""),
            incarnation=element.get("incarnation", ""),
            moving=element.get("moving") == "yes",
        )
    except (ET.ParseError, KeyError, ValueError):
        return None


def with_mark(xml: str, mark: Mark) -> str:
    """A domain's XML with its mark replaced."""
    domain = parse(xml)
    metadata = domain.find("metadata")
    if metadata is None:
        metadata = SubElement(domain, "metadata")
    for old in metadata.findall(_MARK):
        metadata.remove(old)
    metadata.append(_mark_element(mark))
    return ET.tostring(domain, encoding="unicode")


def disk_paths(xml: str) -> list[str]:
    """The files that a domain writes as its disks."""
    disks = parse(xml).findall("devices/disk[@device='disk']")
    paths = (disk.find("source") for disk in disks if disk.find("readonly") is None)
    return [path.get("file", "") for path in paths if path is not None]


def uuid_of(definition: Definition) -> str:
    """The VM's UUID: the same wherever and however often it is started."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{NAMESPACE}/{definition.cluster}/{definition.vm}"))


def mac_of(definition: Definition) -> str:
    """The VM's MAC address: the wanted one, or else one that follows from its name."""
    if definition.mac:
        return definition.mac
    tail = uuid.UUID(uuid_of(definition)).bytes[-3:]
    return "52:54:00:" + ":".join(f"{byte:02x}" for byte in tail)


def domain_xml(definition: Definition, mark: Mark, devices: tuple[Address, ...] = ()) -> str:
    """The domain for one VM, with these host devices passed through."""
    kvm = definition.accelerator == "kvm"
    domain = Element("domain", {"type": definition.accelerator})
    _text(domain, "name", definition.vm)
    _text(domain, "uuid", uuid_of(definition))
    SubElement(domain, "metadata").append(_mark_element(mark))
    _text(domain, "memory", str(definition.size.memory_mib), unit="MiB")
    _text(domain, "vcpu", str(definition.size.vcpus))
    _boot(domain, definition)
    features = SubElement(domain, "features")
    SubElement(features, "acpi")
    SubElement(features, "apic")
    if kvm:
        SubElement(domain, "cpu", {"mode": "host-model"})
    SubElement(domain, "clock", {"offset": "utc"})
    # A guest that ends or crashes stays off: whether it runs is the planner's business.
    _text(domain, "on_poweroff", "destroy")
    _text(domain, "on_reboot", "restart")
    _text(domain, "on_crash", "destroy")
    _devices(SubElement(domain, "devices"), definition, devices)
    return ET.tostring(domain, encoding="unicode")


def _text(parent: Element, tag: str, text: str, **attributes: str) -> None:
    SubElement(parent, tag, attributes).text = text


def _boot(domain: Element, definition: Definition) -> None:
    boot = SubElement(domain, "os")
    _text(boot, "type", "hvm", arch="x86_64", machine="q35")
    if not definition.kernel:
        SubElement(boot, "boot", {"dev": "hd"})
        return
    _text(boot, "kernel", definition.kernel)
    if definition.initrd:
        _text(boot, "initrd", definition.initrd)
    if definition.cmdline:
        _text(boot, "cmdline", definition.cmdline)


def _devices(parent: Element, definition: Definition, passed: tuple[Address, ...]) -> None:
    if definition.image and definition.disk:
        # Without a host cache: what one host wrote is what the next one reads.
        driver = {"name": "qemu", "type": "qcow2", "cache": "none", "discard": "unmap"}
        _disk(parent, driver, definition.disk, {"dev": "vda", "bus": "virtio"})
    if definition.seed:
        # No CD-ROM: the kernels of cloud images have a driver for virtio, not always for SATA.
        driver = {"name": "qemu", "type": "raw"}
        disk = _disk(parent, driver, definition.seed, {"dev": "vdb", "bus": "virtio"})
        SubElement(disk, "readonly")
    if definition.network:
        _interface(parent, definition)
    _text(SubElement(parent, "rng", {"model": "virtio"}), "backend", "/dev/urandom", model="random")
    SubElement(parent, "console", {"type": "pty"})
    agent = SubElement(parent, "channel", {"type": "unix"})
    SubElement(agent, "target", {"type": "virtio", "name": "org.qemu.guest_agent.0"})
    for address in passed:
        device = {"mode": "subsystem", "type": "pci", "managed": "yes"}
        source = SubElement(SubElement(parent, "hostdev", device), "source")
        SubElement(source, "address", address.attributes())


def _disk(parent: Element, driver: dict[str, str], path: str, target: dict[str, str]) -> Element:
    disk = SubElement(parent, "disk", {"type": "file", "device": "disk"})
    SubElement(disk, "driver", driver)
    SubElement(disk, "source", {"file": path})
    SubElement(disk, "target", target)
    return disk


def _interface(parent: Element, definition: Definition) -> None:
    bridged = definition.network.startswith(_BRIDGE)
    kind = "bridge" if bridged else "network"
    interface = SubElement(parent, "interface", {"type": kind})
    SubElement(interface, "mac", {"address": mac_of(definition)})
    SubElement(interface, "source", {kind: definition.network.removeprefix(_BRIDGE)})
    SubElement(interface, "model", {"type": "virtio"})

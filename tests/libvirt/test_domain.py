"""Definition to domain XML, checked by libvirt's own schema, and marks both ways."""

from __future__ import annotations

from dataclasses import replace
from xml.etree.ElementTree import tostring

import libvirt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frota.drivers.libvirt.document import parse
from frota.drivers.libvirt.domain import (
    NAMESPACE,
    PREFIX,
    Mark,
    disk_paths,
    domain_xml,
    mac_of,
    mark_xml,
    read_mark,
    uuid_of,
    with_mark,
)
from frota.drivers.libvirt.pci import Address
from frota.model.definition import Definition
from frota.model.host import Size

SMALL = Definition("east-cp-1", Size(512, 2), "east", "control-plane", accelerator="qemu")
FULL = replace(
    SMALL,
    accelerator="kvm",
    size=Size(65536, 16, "A100", 2),
    image="/srv/frota/images/node & more.qcow2",
    disk="/srv/frota/disks/east-cp-1.qcow2",
    disk_gib=40,
    seed="/srv/frota/disks/east-cp-1-seed.iso",
    network="bridge:br0",
    mac="06:00:00:00:00:01",
    kernel="/srv/vmlinuz",
    initrd="/srv/initrd",
    cmdline='console=ttyS0 a=<b>&"c"',
)
MARK = Mark("east-cp-1", "east", "control-plane", 3, "op-1", "a", "token", moving=True)
GPUS = (Address(0, 0x81, 0, 0), Address(0, 0x81, 0, 1), Address(1, 2, 3, 0))


@pytest.mark.parametrize(
    ("definition", "devices"),
    [
        (SMALL, ()),
        (FULL, GPUS),
        (replace(SMALL, network="default"), ()),
        (replace(SMALL, seed="/srv/s.iso", image="/i.qcow2", disk="/d.qcow2"), ()),
        (replace(FULL, kernel="", initrd="", cmdline=""), ()),
    ],
)
def test_libvirt_accepts_the_domain(definition: Definition, devices: tuple[Address, ...]) -> None:
    # libvirt's in-process driver checks against its own schema, and takes one type only.
    domain = parse(domain_xml(definition, MARK, devices))
    domain.set("type", "test")
    connection = libvirt.open("test:///default")
    text = tostring(domain, encoding="unicode")
    defined = connection.defineXMLFlags(text, libvirt.VIR_DOMAIN_DEFINE_VALIDATE)
    mark = defined.metadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, NAMESPACE, 0)
    assert read_mark(mark) == MARK
    defined.setMetadata(
        libvirt.VIR_DOMAIN_METADATA_ELEMENT, mark_xml(replace(MARK, epoch=4)), PREFIX, NAMESPACE, 0
    )
    changed = defined.metadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, NAMESPACE, 0)
    assert read_mark(changed) == replace(MARK, epoch=4)
    defined.undefine()


def test_the_schema_check_finds_faults() -> None:
    connection = libvirt.open("test:///default")
    text = domain_xml(SMALL, MARK).replace("<vcpu>", "<vcpux>2</vcpux><vcpu>")
    with pytest.raises(libvirt.libvirtError, match="vcpux"):
        connection.defineXMLFlags(text, libvirt.VIR_DOMAIN_DEFINE_VALIDATE)


def test_everything_of_a_definition_is_in_the_domain() -> None:
    domain = parse(domain_xml(FULL, MARK, GPUS))
    assert domain.get("type") == "kvm"
    assert domain.findtext("memory") == "65536"
    assert domain.findtext("vcpu") == "16"
    assert domain.findtext("os/cmdline") == FULL.cmdline
    sources = [source.get("file") for source in domain.findall("devices/disk/source")]
    assert sources == [FULL.disk, FULL.seed]
    interface = domain.find("devices/interface[@type='bridge']")
    assert interface is not None
    assert [child.attrib for child in interface] == [
        {"address": FULL.mac},
        {"bridge": "br0"},
        {"type": "virtio"},
    ]
    passed = domain.findall("devices/hostdev[@managed='yes']/source/address")
    assert [item.get("bus") for item in passed] == ["0x81", "0x81", "0x02"]
    assert domain.find(f"metadata/{{{NAMESPACE}}}vm") is not None


def test_a_disk_without_host_cache_is_the_only_one_written() -> None:
    text = domain_xml(FULL, MARK)
    assert disk_paths(text) == [FULL.disk]
    driver = parse(text).find("devices/disk[@device='disk']/driver")
    assert driver is not None
    assert driver.get("cache") == "none"


def test_identity_follows_from_the_names() -> None:
    assert uuid_of(SMALL) == uuid_of(replace(FULL, size=Size(1, 1)))
    assert uuid_of(SMALL) != uuid_of(replace(SMALL, cluster="west"))
    assert mac_of(SMALL) == mac_of(replace(SMALL, network="x"))
    assert mac_of(SMALL).startswith("52:54:00:")
    assert mac_of(FULL) == FULL.mac


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=30)


@given(WORDS, WORDS, st.integers(0, 2**40), WORDS, st.booleans())
def test_a_mark_is_read_as_it_was_written(
    vm: str, role: str, epoch: int, operation: str, moving: bool
) -> None:
    mark = Mark(vm, "east", role, epoch, operation, "a", "token", moving=moving)
    assert read_mark(mark_xml(mark)) == mark
    moved = with_mark(domain_xml(SMALL, MARK), mark)
    elements = parse(moved).findall(f"metadata/{{{NAMESPACE}}}vm")
    assert len(elements) == 1
    assert elements[0].get("operation") == operation


@pytest.mark.parametrize(
    "text", [None, "", "<vm/>", "<vm name='x'/>", "<vm name='x' epoch='first'/>", "<vm", "no"]
)
def test_what_is_no_mark_is_none(text: str | None) -> None:
    assert read_mark(text) is None


def test_a_mark_keeps_what_others_wrote_beside_it() -> None:
    other = (
        "<domain><metadata><o:x xmlns:o='urn:other'>kept</o:x></metadata>"
        "<name>east-cp-1</name></domain>"
    )
    domain = parse(with_mark(other, MARK))
    assert domain.findtext("metadata/{urn:other}x") == "kept"
    assert parse(with_mark("<domain/>", MARK)).find("metadata") is not None

"""GPUs as PCI devices of a host: which there are, what model, which are free.

A GPU is a PCI device of class 0x03 (display) or 0x12 (accelerator) that is not the
console of a management processor or a virtual graphics card. It counts when it stands in
an IOMMU group: only then can it be given to a guest.

**Model names** come from the PCI id database through libvirt's ``<product>``: the words
in brackets where there are any (``GA100 [A100 PCIe 40GB]``), without the words for family
(Tesla, GRID, Instinct, …), form (PCIe, SXM4, …) and memory; only the first of alternatives
(``MI250X/MI250``); joined by ``-``. So ``A100``, ``T4``, ``L40S``, ``MI250X``,
``RTX-A6000``. A device the database does not know is called ``VENDOR:DEVICE`` in hex.
A `Cluster` asks for a model by exactly this name.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from frota.drivers.libvirt.document import parse

_CLASSES = frozenset({0x03, 0x12})
# Consoles of management processors, and graphics cards that a hypervisor made up.
_CONSOLES = frozenset(
    {
        0x1A03,  # ASPEED
        0x102B,  # Matrox
        0x19E5,  # Huawei iBMC (its accelerators are no display devices)
        0x1B36,  # QXL
        0x1AF4,  # virtio
        0x1234,  # Bochs
        0x1013,  # Cirrus
        0x15AD,  # VMware
    }
)
_BRACKETS = re.compile(r"\[([^\]]+)\]")
_ODD = re.compile(r"[^A-Za-z0-9.]+")
_NOISE = re.compile(
    r"^(nvidia|amd|intel|tesla|grid|instinct|data|center|gpu|geforce|radeon|quadro|pro|"
    r"pcie|pci|sxm\d*|oam|nvl|hbm\w*|\d+g?b|mobile|max-q|lp)$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """Where a PCI device sits."""

    domain: int
    bus: int
    slot: int
    function: int

    def attributes(self) -> dict[str, str]:
        """As libvirt's XML writes it."""
        return {
            "domain": f"{self.domain:#06x}",
            "bus": f"{self.bus:#04x}",
            "slot": f"{self.slot:#04x}",
            "function": f"{self.function:#x}",
        }


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU. ``parts`` are all functions of its card that must go with it (its sound
    device, for example), itself first; none when it has no IOMMU group."""

    model: str
    parts: tuple[Address, ...]


def model_name(product: str, vendor_id: int, product_id: int) -> str:
    """The model's name from the PCI database's product name."""
    inside = _BRACKETS.search(product)
    words = (inside.group(1) if inside else product).split("/")[0].split()
    kept = [_ODD.sub("", word) for word in words if not _NOISE.match(word)]
    return "-".join(word for word in kept if word) or f"{vendor_id:04x}:{product_id:04x}"


def _address(element: Element) -> Address:
    return Address(
        *(int(element.get(part, "0"), 0) for part in ("domain", "bus", "slot", "function"))
    )


def read_gpu(xml: str) -> Gpu | None:
    """The GPU that a node device's XML describes, or None when it is no GPU. One without
    ``parts`` stands in no IOMMU group: it cannot be given to a guest."""
    capability = parse(xml).find("capability[@type='pci']")
    if capability is None or _number(capability, "class") >> 16 not in _CLASSES:
        return None
    vendor, product = capability.find("vendor"), capability.find("product")
    if vendor is None or product is None or _hex(vendor) in _CONSOLES:
        return None
    name = model_name((product.text or "").strip(), _hex(vendor), _hex(product))
    group = capability.find("iommuGroup")
    if group is None:
        return Gpu(name, ())
    own = Address(*(_number(capability, part) for part in ("domain", "bus", "slot", "function")))
    card = (own.domain, own.bus, own.slot)
    rest = (_address(item) for item in group.findall("address"))
    others = {item for item in rest if (item.domain, item.bus, item.slot) == card} - {own}
    return Gpu(name, (own, *sorted(others)))


def _number(parent: Element, tag: str) -> int:
    return int(parent.findtext(tag, "0"), 0)


def _hex(element: Element) -> int:
    return int(element.get("id", "0"), 0)


def read_gpus(devices: Iterable[str]) -> tuple[Gpu, ...]:
    """All GPUs among a host's node devices that can be given to guests, by address. The
    second display function of a card is not counted again."""
    seen = (gpu for gpu in map(read_gpu, devices) if gpu is not None)
    taken: set[Address] = set()
    gpus = []
    for gpu in sorted((gpu for gpu in seen if gpu.parts), key=lambda gpu: gpu.parts[0]):
        if gpu.parts[0] not in taken:
            gpus.append(gpu)
        taken.update(gpu.parts)
    return tuple(gpus)


def bound_gpus(devices: Iterable[str]) -> tuple[str, ...]:
    """The models of the GPUs that cannot be given to guests, for want of an IOMMU."""
    seen = (read_gpu(device) for device in devices)
    return tuple(sorted(gpu.model for gpu in seen if gpu is not None and not gpu.parts))


def count_models(gpus: Iterable[Gpu]) -> tuple[tuple[str, int], ...]:
    """How many of each model, sorted by model."""
    return tuple(sorted(Counter(gpu.model for gpu in gpus).items()))


def passed_through(domain_xml: str) -> frozenset[Address]:
    """The PCI devices that a domain has."""
    domain = parse(domain_xml)
    found = domain.findall("devices/hostdev[@type='pci']/source/address")
    return frozenset(_address(item) for item in found)


def choose(
    gpus: Sequence[Gpu], model: str, count: int, taken: frozenset[Address]
) -> tuple[Gpu, ...] | None:
    """The first free GPUs of a model, by address; None when there are too few."""
    free = [gpu for gpu in gpus if gpu.model == model and taken.isdisjoint(gpu.parts)]
    return tuple(free[:count]) if len(free) >= count else None

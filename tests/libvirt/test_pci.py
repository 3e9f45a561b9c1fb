"""GPUs among the PCI devices of a host."""

from __future__ import annotations

import pytest

from frota.drivers.libvirt.pci import (
    Address,
    Gpu,
    bound_gpus,
    choose,
    count_models,
    model_name,
    passed_through,
    read_gpus,
)

NVIDIA = "0x10de"


def device(
    bus: int,
    product: str,
    *,
    function: int = 0,
    kind: str = "0x030200",
    vendor: str = NVIDIA,
    group: tuple[int, ...] | None = (0,),
) -> str:
    """A node device's XML; ``group`` are the functions in its IOMMU group."""
    members = "".join(
        f"<address domain='0x0000' bus='{bus:#04x}' slot='0x00' function='{number:#x}'/>"
        for number in group or ()
    )
    iommu = f"<iommuGroup number='7'>{members}</iommuGroup>" if group is not None else ""
    return (
        f"<device><name>pci_0000_{bus:02x}_00_{function}</name><capability type='pci'>"
        f"<class>{kind}</class><domain>0</domain><bus>{bus}</bus><slot>0</slot>"
        f"<function>{function}</function><product id='0x20b0'>{product}</product>"
        f"<vendor id='{vendor}'>Some Corp</vendor>{iommu}</capability></device>"
    )


@pytest.mark.parametrize(
    ("product", "name"),
    [
        ("GA100 [A100 PCIe 40GB]", "A100"),
        ("GA100 [A100 SXM4 80GB]", "A100"),
        ("GH100 [H100 PCIe]", "H100"),
        ("GH100 [H200 NVL]", "H200"),
        ("TU104GL [Tesla T4]", "T4"),
        ("GV100GL [Tesla V100 SXM2 16GB]", "V100"),
        ("AD102GL [L40S]", "L40S"),
        ("GA102GL [RTX A6000]", "RTX-A6000"),
        ("Aldebaran/MI200 [Instinct MI250X/MI250]", "MI250X"),
        ("Aqua Vanjaram [Instinct MI300X]", "MI300X"),
        ("Ponte Vecchio 1T [Data Center GPU Max 1550]", "Max-1550"),
        ("Some (odd) name", "Some-odd-name"),
        ("", "10de:20b0"),
        ("[Tesla]", "10de:20b0"),
    ],
)
def test_model_names(product: str, name: str) -> None:
    assert model_name(product, 0x10DE, 0x20B0) == name


def test_gpus_of_a_host() -> None:
    devices = [
        device(0x82, "TU104GL [Tesla T4]"),
        device(0x81, "GA100 [A100 PCIe 40GB]", group=(0, 1)),
        device(0x81, "Audio", function=1, kind="0x040300", group=(0, 1)),
        device(0x83, "GA100 [A100 PCIe 40GB]"),
        device(0x84, "Aqua Vanjaram [Instinct MI300X]", kind="0x120000", vendor="0x1002"),
        device(0x02, "ASPEED Graphics Family", kind="0x030000", vendor="0x1a03"),
        device(0x01, "Ethernet", kind="0x020000"),
        device(0x90, "GA100 [A100 PCIe 40GB]", group=None),
        "<device><name>computer</name><capability type='system'/></device>",
    ]
    gpus = read_gpus(devices)
    assert count_models(gpus) == (("A100", 2), ("MI300X", 1), ("T4", 1))
    assert gpus[0].parts == (Address(0, 0x81, 0, 0), Address(0, 0x81, 0, 1))
    assert bound_gpus(devices) == ("A100",)


def test_a_card_with_two_display_functions_is_one_gpu() -> None:
    both = [
        device(0x81, "X [L4]", function=number, kind="0x030000", group=(0, 1)) for number in (1, 0)
    ]
    assert [gpu.parts[0].function for gpu in read_gpus(both)] == [0]


def gpu(model: str, bus: int) -> Gpu:
    return Gpu(model, (Address(0, bus, 0, 0),))


@pytest.mark.parametrize(
    ("model", "count", "taken", "buses"),
    [
        ("A100", 1, (), [1]),
        ("A100", 2, (), [1, 3]),
        ("A100", 1, (1,), [3]),
        ("A100", 2, (1,), None),
        ("T4", 1, (), [2]),
        ("H100", 1, (), None),
    ],
)
def test_choosing(model: str, count: int, taken: tuple[int, ...], buses: list[int] | None) -> None:
    host = [gpu("A100", 1), gpu("T4", 2), gpu("A100", 3)]
    used = frozenset(Address(0, bus, 0, 0) for bus in taken)
    chosen = choose(host, model, count, used)
    assert (None if chosen is None else [item.parts[0].bus for item in chosen]) == buses


def test_devices_of_a_running_domain() -> None:
    text = (
        "<domain><devices><hostdev mode='subsystem' type='pci'><source>"
        "<address domain='0x0000' bus='0x81' slot='0x00' function='0x1'/></source></hostdev>"
        "<hostdev mode='subsystem' type='usb'><source><address bus='1' device='2'/></source>"
        "</hostdev></devices></domain>"
    )
    assert passed_through(text) == {Address(0, 0x81, 0, 1)}

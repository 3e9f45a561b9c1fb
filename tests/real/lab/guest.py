"""The lab's guest: a kernel and an initramfs that answer over HTTP a few seconds after
power on, and how to see from the test process that one guest went on answering.

Guests sit on the lab's network (bridge ``br0`` or network ``default`` of every host).
Their address comes from ``frota.ip=`` on the kernel command line, or is made from the
MAC address (``address_of``), so that one command line serves all guests of a pool.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Self

from tests.real.lab.initramfs import GuestError, build
from tests.real.lab.kernel import unpacked
from tests.real.lab.layout import Site
from tests.real.lab.namespaces import run

HERE = Path(__file__).parent
MEMORY_MIB = 96
# Each word was measured to save time under software emulation, or keeps it quiet.
_FAST = (
    "console=ttyS0 quiet panic=-1 mitigations=off noreplace-smp tsc=reliable no_timer_check"
    " rodata=off cryptomgr.notests initcall_blacklist=init_kprobe_trace,"
    "load_system_certificate_list"
)


@dataclass(frozen=True, slots=True)
class Guest:
    """Files for direct boot, and the command line for all guests of one lab."""

    kernel: Path
    initrd: Path
    cmdline: str


def prepare(site: Site, cache: Path) -> Guest:
    """Build the guest's files unless the same ones are in ``cache`` already."""
    kernels = sorted((cache / "kernel/boot").glob("vmlinuz-*"))
    if not kernels:
        raise GuestError(f"no kernel in {cache}/kernel/boot: run tests/real/install.sh as root")
    initramfs = build(cache / "kernel", HERE)
    initrd = cache / f"initrd-{hashlib.sha256(initramfs).hexdigest()[:16]}"
    if not initrd.exists():
        _write(initrd, initramfs)
    return Guest(_kernel(kernels[-1], cache), initrd, f"{_FAST} frota.net={site.net}")


def _kernel(packed: Path, cache: Path) -> Path:
    digest = hashlib.sha256(packed.read_bytes()).hexdigest()
    kernel = cache / f"vmlinux-{digest[:16]}"
    if not kernel.exists():
        content = unpacked(packed)
        if content is None:
            return packed
        _write(kernel, content)
    return kernel


def _write(path: Path, content: bytes) -> None:
    """All or nothing, also when two processes build at once."""
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as part:
        part.write(content)
    made = Path(part.name)
    made.chmod(0o644)
    made.replace(path)


def address_of(site: Site, mac: str) -> str:
    """The address that a guest with this MAC gives itself (see guest-init.sh)."""
    high, low = (int(byte, 16) for byte in mac.split(":")[-2:])
    return f"{site.net}.{16 + high % 240}.{1 + low % 254}"


def mac_of(name: str) -> str:
    """A MAC address made from a guest's name."""
    digest = hashlib.sha256(name.encode()).digest()
    return "52:54:00:" + ":".join(f"{byte:02x}" for byte in digest[:3])


def make_disk(site: Site, name: str) -> Path:
    """An empty qcow2 disk on the shared storage."""
    disk = site.disks / f"{name}.qcow2"
    run(["qemu-img", "create", "-q", "-f", "qcow2", str(disk), "64M"])
    return disk


def blank_image(site: Site) -> Path:
    """An empty image to put overlays on: lab guests boot from their own kernel."""
    image = site.root / "blank.qcow2"
    if not image.exists():
        run(["qemu-img", "create", "-q", "-f", "qcow2", str(image), "64M"])
    return image


def domain_xml(guest: Guest, name: str, mac: str, disk: Path | None = None) -> str:
    """A small guest for the lab's own tests."""
    drive = (
        f"<disk type='file' device='disk'><driver name='qemu' type='qcow2' cache='none'/>"
        f"<source file='{disk}'/><target dev='vda' bus='virtio'/></disk>"
        if disk
        else ""
    )
    return f"""\
<domain type='qemu'>
  <name>{name}</name>
  <memory unit='MiB'>{MEMORY_MIB}</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64'>hvm</type>
    <kernel>{guest.kernel}</kernel>
    <initrd>{guest.initrd}</initrd>
    <cmdline>{guest.cmdline} frota.name={name}</cmdline>
  </os>
  <features><acpi/></features>
  <on_reboot>destroy</on_reboot>
  <devices>
    {drive}
    <interface type='bridge'>
      <mac address='{mac}'/>
      <source bridge='br0'/>
      <model type='virtio'/>
      <rom enabled='no'/>
    </interface>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
    <serial type='file'><source path='/var/log/libvirt/{name}.console'/></serial>
  </devices>
</domain>
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a guest said of itself."""

    name: str
    mac: str
    boot: str
    uptime: float


def ask(address: str, wait_s: float = 1.0) -> Answer | None:
    """One question to a guest; None when it does not answer within ``wait_s``."""
    link = http.client.HTTPConnection(address, 80, timeout=wait_s)
    try:
        link.request("GET", "/cgi-bin/state")
        return Answer(**json.loads(link.getresponse().read()))
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        link.close()


def wait_for(address: str, deadline_s: float = 60.0) -> Answer:
    """The first answer of a guest that is booting."""
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        answer = ask(address)
        if answer:
            return answer
        time.sleep(0.05)
    raise GuestError(f"the guest at {address} did not answer within {deadline_s:g} s")


class Watch:
    """Asks one guest again and again while the ``with`` block runs.

    Questions overlap, so that one which is lost on the way does not hide the answers to
    those after it.
    """

    def __init__(self, address: str, every_s: float = 0.1) -> None:
        self._address = address
        self._every_s = every_s
        self._answers: list[tuple[float, Answer]] = []
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(max_workers=16)
        self._began = self._ended = time.monotonic()

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        self._pool.submit(self._pace)
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = time.monotonic()
        self._stop.set()
        self._pool.shutdown()

    def _pace(self) -> None:
        while not self._stop.wait(self._every_s):
            self._pool.submit(self._ask)

    def _ask(self) -> None:
        answer = ask(self._address)
        if answer:
            self._answers.append((time.monotonic(), answer))

    @property
    def answers(self) -> list[Answer]:
        """What the guest said, in the order in which it came."""
        return [answer for _, answer in sorted(self._answers, key=lambda item: item[0])]

    @property
    def boots(self) -> set[str]:
        """The boot ids seen: one, if the guest never restarted."""
        return {answer.boot for answer in self.answers}

    @property
    def longest_gap_s(self) -> float:
        """The longest time without an answer, begin and end of the watch included."""
        inside = sorted(at for at, _ in self._answers if at < self._ended)
        return max(
            later - earlier for earlier, later in pairwise([self._began, *inside, self._ended])
        )

"""A root file system in memory for the guests: busybox, a few kernel modules, one script.

The archive is in the kernel's own "newc" format and not packed: unpacking costs more
than reading under software emulation. The same inputs give the same bytes.
"""

from __future__ import annotations

import lzma
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

BUSYBOX = Path("/bin/busybox")
# A virtio network card; then disks and CD-ROM images on virtio, and the power button.
WANTED = (
    *("virtio_pci", "virtio_net", "virtio_blk", "virtio_scsi"),
    *("sr_mod", "isofs", "button", "evdev"),
)
# What guest-init.sh calls and the shell has not built in.
APPLETS = ("sh", "mount", "modprobe", "usleep", "ifconfig", "httpd", "acpid", "poweroff")
_DEPENDS = re.compile(rb"\0depends=([^\0]*)\0")

_SIGNED = b"~Module signature appended~\n"
_SIGNATURE_HEAD = 12  # struct module_signature; its last four bytes are the length


class GuestError(Exception):
    """The guest cannot be built on this machine; the message says what is missing."""


def _entry(name: str, mode: int, content: bytes, number: int) -> bytes:
    fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
    return _padded(head) + _padded(content)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)


def archive(files: Sequence[tuple[str, int, bytes]]) -> bytes:
    """A newc archive of (path, mode, content), in this order."""
    body = b"".join(_entry(*item, number) for number, item in enumerate(files, 1))
    return body + _entry("TRAILER!!!", 0, b"", 0)


def _read_module(path: Path) -> bytes:
    data = path.read_bytes()
    if path.suffix == ".xz":
        data = lzma.decompress(data)
    if not data.endswith(_SIGNED):
        return data
    # Checking a signature takes the emulated kernel longer than loading the module.
    length = int.from_bytes(data[-len(_SIGNED) - 4 : -len(_SIGNED)], "big")
    return data[: -len(_SIGNED) - _SIGNATURE_HEAD - length]


def modules(
    tree: Path, wanted: Sequence[str] = WANTED
) -> Iterator[tuple[str, Sequence[str], bytes]]:
    """(name, names it depends on, content) of the wanted modules and all they need.

    What depends on what is read from the modules themselves: an unpacked kernel package
    has no ``modules.dep``. Modules built into the kernel are not found and so left out.
    """
    found = {
        path.name.split(".")[0].replace("-", "_"): path
        for path in tree.rglob("*.ko*")
        if path.is_file()
    }
    done: set[str] = set()

    def load(name: str) -> Iterator[tuple[str, Sequence[str], bytes]]:
        if name in done or name not in found:
            return
        done.add(name)
        content = _read_module(found[name])
        depends = _DEPENDS.search(content)
        named = depends.group(1).decode().replace("-", "_") if depends else ""
        others = [other for other in named.split(",") if other in found]
        for other in others:
            yield from load(other)
        yield name, others, content

    for name in wanted:
        yield from load(name)


def build(tree: Path, scripts: Path) -> bytes:
    """The guest's initramfs from an unpacked kernel package and the guest's scripts."""
    if not BUSYBOX.is_file():
        raise GuestError(f"{BUSYBOX} is missing: run tests/real/install.sh as root")
    loaded = {name: (others, content) for name, others, content in modules(tree)}
    if "virtio_net" not in loaded:
        raise GuestError(f"no virtio_net module below {tree}: run tests/real/install.sh as root")
    release = next((tree / "lib/modules").iterdir()).name
    home = f"lib/modules/{release}"
    folder = stat.S_IFDIR | 0o755
    program = stat.S_IFREG | 0o755
    plain = stat.S_IFREG | 0o644
    files: list[tuple[str, int, bytes]] = [(name, folder, b"") for name in _folders(home)]
    files.append(("bin/busybox", program, BUSYBOX.read_bytes()))
    files.extend((f"bin/{name}", stat.S_IFLNK | 0o777, b"busybox") for name in APPLETS)
    files.append(("init", program, (scripts / "guest-init.sh").read_bytes()))
    files.append(("www/cgi-bin/state", program, (scripts / "guest-page.sh").read_bytes()))
    files.append(("acpi/PWRF/00000080", program, b"#!/bin/sh\npoweroff -f\n"))
    files.extend((f"{home}/{name}.ko", plain, loaded[name][1]) for name in loaded)
    files.append((f"{home}/modules.dep", plain, _dependencies(loaded)))
    return archive(files)


def _folders(home: str) -> Iterator[str]:
    yield from ("bin", "dev", "proc", "sys", "seed", "www", "www/cgi-bin", "acpi", "acpi/PWRF")
    parts = home.split("/")
    yield from ("/".join(parts[:depth]) for depth in range(1, len(parts) + 1))


def _dependencies(loaded: Mapping[str, tuple[Sequence[str], bytes]]) -> bytes:
    """The text of ``modules.dep``: each module and all below it, to be loaded from the
    right. ``loaded`` is in an order in which the modules can be loaded."""

    def below(name: str) -> set[str]:
        direct = loaded[name][0]
        return set(direct).union(*(below(other) for other in direct))

    lines = []
    for name in loaded:
        under = [f" {other}.ko" for other in reversed(list(loaded)) if other in below(name)]
        lines.append(f"{name}.ko:{''.join(under)}\n")
    return "".join(lines).encode()

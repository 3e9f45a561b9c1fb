"""A root file system in memory for the guests: busybox, a few kernel modules, one script.

The archive is in the kernel's own "newc" format and not packed: unpacking costs more
than reading under software emulation. The same inputs give the same bytes.
"""

from __future__ import annotations

import lzma
import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

BUSYBOX = Path("/bin/busybox")
# Enough for a virtio network card, disk and CD-ROM image on PCI.
WANTED = ("virtio_pci", "virtio_net")
# What guest-init.sh calls and the shell has not built in.
APPLETS = ("sh", "mount", "insmod", "usleep", "ip", "arping", "mkdir", "chmod", "cat", "httpd")
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


def modules(tree: Path, wanted: Sequence[str] = WANTED) -> Iterator[tuple[str, bytes]]:
    """(name, content) of the wanted modules and all they depend on, in loading order.

    The order is read from the modules themselves: an unpacked kernel package has no
    ``modules.dep``. Modules built into the kernel are not found and so left out.
    """
    found = {
        path.name.split(".")[0].replace("-", "_"): path
        for path in tree.rglob("*.ko*")
        if path.is_file()
    }
    done: set[str] = set()

    def load(name: str) -> Iterator[tuple[str, bytes]]:
        if name in done or name not in found:
            return
        done.add(name)
        content = _read_module(found[name])
        depends = _DEPENDS.search(content)
        for other in depends.group(1).decode().split(",") if depends else ():
            yield from load(other.replace("-", "_"))
        yield name, content

    for name in wanted:
        yield from load(name)


def build(tree: Path, init: Path) -> bytes:
    """The guest's initramfs from an unpacked kernel package and its init script."""
    if not BUSYBOX.is_file():
        raise GuestError(f"{BUSYBOX} is missing: run tests/real/install.sh as root")
    if BUSYBOX.read_bytes()[:4] != b"\x7fELF":
        raise GuestError(f"{BUSYBOX} is not a program")
    loaded = list(modules(tree))
    if not any(name == "virtio_net" for name, _ in loaded):
        raise GuestError(f"no virtio_net module below {tree}: run tests/real/install.sh as root")
    folder = stat.S_IFDIR | 0o755
    program = stat.S_IFREG | 0o755
    plain = stat.S_IFREG | 0o644
    files: list[tuple[str, int, bytes]] = [
        (name, folder, b"") for name in ("bin", "dev", "proc", "sys", "tmp", "modules")
    ]
    files.append(("bin/busybox", program, BUSYBOX.read_bytes()))
    files.extend((f"bin/{name}", stat.S_IFLNK | 0o777, b"busybox") for name in APPLETS)
    files.append(("init", program, init.read_bytes()))
    files.extend((f"modules/{name}.ko", plain, content) for name, content in loaded)
    order = "".join(f"{name}.ko\n" for name, _ in loaded)
    files.append(("modules/order", plain, order.encode()))
    return archive(files)

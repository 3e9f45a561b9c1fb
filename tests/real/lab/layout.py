"""Where things of a lab are: directories, addresses and names, all from a few values."""

from __future__ import annotations

import json
import string
import uuid
from dataclasses import dataclass
from pathlib import Path

FIRST_NET = 213  # labs are 10.213.0.0/16 and up, by their slot
SLOTS = 16
LETTERS = string.ascii_lowercase  # the names that hosts can have


@dataclass(frozen=True, slots=True)
class Site:
    """One lab: its directory and its slot, which gives the addresses."""

    root: Path
    slot: int

    @property
    def net(self) -> str:
        """First two bytes of every address of this lab."""
        return f"10.{FIRST_NET + self.slot}"

    @property
    def link(self) -> str:
        """The machine's own network interface into the lab."""
        return f"frotalab{self.slot}"

    @property
    def controller(self) -> str:
        """The machine's own address in the lab."""
        return f"{self.net}.0.1"

    @property
    def switch(self) -> str:
        """An address that answers as long as the lab does: a witness."""
        return f"{self.net}.0.2"

    @property
    def disks(self) -> Path:
        """Shared by all hosts, under the same path."""
        return self.root / "disks"

    @property
    def leases(self) -> Path:
        """Shared by all hosts; can be taken away from one."""
        return self.root / "leases"

    def place(self, name: str) -> Place:
        """The host of that name: one lower-case letter."""
        return Place(self, name)

    @property
    def bmc_password(self) -> Path:
        """A file with the password of every management controller of this lab."""
        return self.root / "bmc-password"

    def names(self) -> str:
        """The /etc/hosts of every host, with all hosts that could ever be."""
        places = [self.place(name) for name in LETTERS]
        lines = ["127.0.0.1 localhost", *(f"{place.address} {place.name}" for place in places)]
        return "\n".join(lines) + "\n"

    def save(self, hosts: list[str]) -> None:
        """Write down what another process needs to work on this lab."""
        value = {"slot": self.slot, "hosts": hosts}
        (self.root / "lab.json").write_text(json.dumps(value))


def load(root: Path) -> tuple[Site, list[str]]:
    """A lab that ``Site.save`` wrote down, and its hosts' names."""
    value = json.loads((root / "lab.json").read_text())
    return Site(root, value["slot"]), list(value["hosts"])


@dataclass(frozen=True, slots=True)
class Place:
    """One host of a lab."""

    site: Site
    name: str

    @property
    def number(self) -> int:
        """10 for host ``a``, 11 for ``b`` and so on."""
        return 10 + LETTERS.index(self.name)

    @property
    def dir(self) -> Path:
        """Everything the host owns."""
        return self.site.root / "hosts" / self.name

    @property
    def address(self) -> str:
        """Where its libvirtd listens."""
        return f"{self.site.net}.0.{self.number}"

    @property
    def bmc(self) -> str:
        """Where its management controller answers, also while the host is off."""
        return f"{self.site.net}.1.{self.number}"

    @property
    def uri(self) -> str:
        """Its libvirt over the lab's network."""
        return f"qemu+tcp://{self.address}/system"

    @property
    def socket_uri(self) -> str:
        """Its libvirt by the UNIX socket: works also while its network is cut."""
        return f"qemu+unix:///system?socket={self.dir}/run/libvirt/libvirt-sock"

    @property
    def uuid(self) -> str:
        """The host UUID that its libvirt reports; the same after every boot."""
        return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{self.name}.{self.site.net}.frota-lab"))

    @property
    def uplink(self) -> str:
        """The switch's side of the host's cable."""
        return f"up-{self.name}"

"""A libvirt daemon that does what a test tells it, as raw connections for ``Session``.

``libvirt``'s own in-process driver cannot hang, refuse or lose a connection.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from types import SimpleNamespace
from typing import Any
from xml.etree.ElementTree import tostring

import libvirt

from frota.drivers.libvirt.document import parse
from frota.drivers.libvirt.domain import NAMESPACE, Mark, mark_xml, read_mark
from frota.drivers.libvirt.fault import fault_of
from frota.drivers.libvirt.session import Session

Raw = Callable[..., Any]
WAIT_S = 20.0


class ManualClock:
    """Time that passes when the test says so."""

    def __init__(self) -> None:
        self.time = 1000.0

    def now(self) -> float:
        return self.time


def raised(code: int, text: str) -> libvirt.libvirtError:
    """An error as libvirt-python raises it."""
    error = libvirt.libvirtError(text)
    error.err = (code, 0, text, 2, "", "", "", 0, 0)
    return error


@dataclass
class FakeDomain:
    name: str
    mark: Mark | None
    state: int = libvirt.VIR_DOMAIN_RUNNING
    uuid: str = field(default_factory=lambda: str(uuid.uuid4()))
    reads: int = 0

    xml: str = ""
    host: FakeDaemon | None = None

    def raw(self) -> RawDomain:
        return RawDomain(self)


class RawDomain:
    """As much of a virDomain as watching needs, under libvirt's names."""

    def __init__(self, domain: FakeDomain) -> None:
        self._domain = domain
        running = domain.state == libvirt.VIR_DOMAIN_RUNNING
        self.name: Raw = lambda: domain.name
        self.UUIDString: Raw = lambda: domain.uuid
        self.ID: Raw = lambda: 1 if running else -1
        self.state: Raw = lambda: [domain.state, 1]
        self.isPersistent: Raw = lambda: 1
        self.jobInfo: Raw = lambda: [libvirt.VIR_DOMAIN_JOB_NONE]
        self.XMLDesc: Raw = lambda _flags: domain.xml
        self.create: Raw = self._create
        self.destroy: Raw = lambda: setattr(domain, "state", libvirt.VIR_DOMAIN_SHUTOFF)
        self.shutdown: Raw = self.destroy
        self.undefineFlags: Raw = self._undefine

    def _undefine(self, _flags: int) -> None:
        assert self._domain.host is not None
        self._domain.host.domains.remove(self._domain)

    def _create(self) -> None:
        host = self._domain.host
        if host is not None and host.broken_qemu:
            raise raised(libvirt.VIR_ERR_INTERNAL_ERROR, host.broken_qemu)
        self._domain.state = libvirt.VIR_DOMAIN_RUNNING

    def metadata(self, _kind: int, _uri: str, _flags: int) -> str:
        self._domain.reads += 1
        if self._domain.mark is None:
            raise raised(libvirt.VIR_ERR_NO_DOMAIN_METADATA, "no metadata")
        return mark_xml(self._domain.mark)


class FakeDaemon:
    """One host's daemon; ``changed`` is for whoever waits with ``wait_for``."""

    def __init__(self) -> None:
        self.domains: list[FakeDomain] = []
        self.marker = str(uuid.uuid4())
        self.hostname = "host-a"
        self.devices: list[str] = []
        self.broken_qemu = ""
        self.refusal = ""
        self.opened = 0
        self.looked = 0
        self.broken = False
        self.callbacks: list[Raw] = []
        self._flows = threading.Event()
        self._flows.set()
        self._news = threading.Condition()

    def connect(self, uri: str) -> Session:
        """Open a session, unless ``refusal`` says why not."""
        self.opened += 1
        self.changed()
        self._flows.wait()
        if self.refusal:
            raise fault_of(38, f"{self.refusal} at {uri}")
        self.broken = False
        return Session(RawConnection(self))

    def hang(self) -> None:
        """Answer nothing from now on."""
        self._flows.clear()

    def thaw(self) -> None:
        """Answer again, also what was asked meanwhile."""
        self._flows.set()

    def tell(self, domain: FakeDomain) -> None:
        """Send an event about a domain."""
        for callback in list(self.callbacks):
            callback(None, domain.raw(), 0, 0, None)

    def answer(self) -> None:
        """Called for every look at the domains."""
        self.looked += 1
        self.changed()
        self._flows.wait()
        if self.broken:
            raise raised(libvirt.VIR_ERR_INTERNAL_ERROR, "client socket is closed")

    def changed(self) -> None:
        """Let ``wait_for`` look again."""
        with self._news:
            self._news.notify_all()

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait until it holds; looks again whenever something changed."""
        with self._news:
            assert self._news.wait_for(condition, WAIT_S), "it never came"


def _first(text: str, _flags: int) -> str:
    return text


class RawConnection:
    """As much of a virConnect as watching needs, under libvirt's names."""

    def __init__(self, daemon: FakeDaemon) -> None:
        self._daemon = daemon
        self.isAlive: Raw = lambda: not daemon.broken
        self.getMemoryStats: Raw = lambda _cell, _flags: {"total": 8 * 1024 * 1024}
        self.getCPUMap: Raw = lambda _flags: (8, [], 8)
        self.getHostname: Raw = lambda: daemon.hostname
        self.getInfo: Raw = lambda: ["x86_64", 8192, 8, 2000, 1, 1, 8, 1]
        self.listAllDevices: Raw = lambda _flags: [
            SimpleNamespace(XMLDesc=partial(lambda text, _flags: text, xml))
            for xml in daemon.devices
        ]
        self.defineXML: Raw = self._define
        self.registerCloseCallback: Raw = lambda _callback, _opaque: 0
        self.unregisterCloseCallback: Raw = lambda: 0
        self.getAllDomainStats: Raw = self._stats
        self.lookupByName: Raw = self._lookup
        self.storagePoolLookupByName: Raw = lambda _name: SimpleNamespace(
            UUIDString=lambda: daemon.marker
        )
        self.domainEventRegisterAny: Raw = self._register
        self.domainEventDeregisterAny: Raw = self._deregister

    def _stats(self, _stats: int, _flags: int) -> list[tuple[RawDomain, dict[str, int]]]:
        seen = [
            (domain.raw(), {"state.state": domain.state, "state.reason": 1})
            for domain in self._daemon.domains
        ]
        self._daemon.answer()
        return seen

    def _lookup(self, name: str) -> RawDomain:
        found = [domain.raw() for domain in self._daemon.domains if domain.name == name]
        if not found:
            raise raised(libvirt.VIR_ERR_NO_DOMAIN, "no domain")
        return found[0]

    def _define(self, xml: str) -> RawDomain:
        found = parse(xml)
        element = found.find(f"metadata/{{{NAMESPACE}}}vm")
        assert element is not None
        mark = read_mark(tostring(element, encoding="unicode"))
        name = found.findtext("name", "")
        domain = FakeDomain(name, mark, libvirt.VIR_DOMAIN_SHUTOFF, xml=xml, host=self._daemon)
        self._daemon.domains.append(domain)
        return domain.raw()

    def _register(self, _domain: None, event: int, callback: Raw, _opaque: None) -> int:
        if event == libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE:
            self._daemon.callbacks.append(callback)
        return event

    def _deregister(self, event: int) -> int:
        if event == libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE:
            self._daemon.callbacks.pop()
        return 0

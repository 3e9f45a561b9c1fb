"""One connection to one libvirt daemon.

Calls block until the daemon answers or keepalive finds the connection dead, so they
belong in threads that may be given up (``watch``, ``crew``). Every libvirt error leaves
as a ``Fault``.

A session belongs to one thread. libvirt allows more, but when keepalive breaks a
connection in which several calls wait (seen in 9.0), all but one go on waiting, and the
process dies of a segmentation fault once the daemon answers again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from frota.drivers.libvirt.binding import ask, is_alive, libvirt, open_raw
from frota.drivers.libvirt.fault import Fault, Kind
from frota.drivers.libvirt.guest import Guest, Phase, phase_of
from frota.drivers.libvirt.storage import Pool, find_pool, make_pool

# A dead connection is found after about KEEPALIVE_S * (KEEPALIVE_COUNT + 1) seconds.
KEEPALIVE_S = 3
KEEPALIVE_COUNT = 3

_DOMAIN_EVENTS = (
    libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE,
    libvirt.VIR_DOMAIN_EVENT_ID_METADATA_CHANGE,
    libvirt.VIR_DOMAIN_EVENT_ID_JOB_COMPLETED,
)


def open_session(uri: str) -> Session:
    """Connect. Raises ``Fault``. May hang as long as the other side likes."""
    raw = open_raw(_without_terminal(uri))
    try:
        ask(raw, lambda: raw.setKeepAlive(KEEPALIVE_S, KEEPALIVE_COUNT))
    except Fault as fault:
        if fault.kind is not Kind.UNSUPPORTED:  # a driver inside this process has none
            raise
    return Session(raw)


def _without_terminal(uri: str) -> str:
    """Make SSH fail instead of asking for a password on the terminal of the user."""
    if not uri.partition("://")[0].endswith("+ssh") or "no_tty=" in uri:
        return uri
    return uri + ("&" if "?" in uri else "?") + "no_tty=1"


class Session:
    """An open connection. Methods raise ``Fault``; LOST when the connection broke."""

    def __init__(self, raw: Any) -> None:
        self.raw = raw
        self._watched: list[int] = []

    @property
    def alive(self) -> bool:
        """Whether the connection is open, as far as is known without asking."""
        return is_alive(self.raw)

    def unwatch(self) -> None:
        """End ``watch``, which would keep the connection open; no fault leaves."""
        endings = [partial(self.raw.domainEventDeregisterAny, n) for n in self._watched]
        if self._watched:
            endings.append(self.raw.unregisterCloseCallback)
        self._watched = []
        for end in endings:
            with suppress(Fault):
                ask(self.raw, end)

    def watch(self, changed: Callable[[str], None]) -> None:
        """Call ``changed`` with a domain's UUID whenever something happened to it, and
        with an empty text when the connection ended. From libvirt's event thread: it
        must return at once."""

        def domain(_connection: Any, about: Any, *_rest: Any) -> None:
            changed(str(about.UUIDString()))

        def closed(*_rest: Any) -> None:
            changed("")

        for event in _DOMAIN_EVENTS:
            register = partial(self.raw.domainEventRegisterAny, None, event, domain, None)
            self._watched.append(ask(self.raw, register))
        ask(self.raw, lambda: self.raw.registerCloseCallback(closed, None))

    def guests(self) -> Iterator[tuple[Guest, Phase]]:
        """All domains, running or defined, with what they do: one question to the host,
        cheap enough for every heartbeat."""
        kind = libvirt.VIR_DOMAIN_STATS_STATE
        for raw, stats in ask(self.raw, lambda: self.raw.getAllDomainStats(kind, 0)):
            yield Guest(self.raw, raw), phase_of(stats.get("state.state", -1))

    def find(self, name: str) -> Guest | None:
        """The domain of this name, or None."""
        try:
            return Guest(self.raw, ask(self.raw, lambda: self.raw.lookupByName(name)))
        except Fault as fault:
            if fault.kind is Kind.MISSING:
                return None
            raise

    def define(self, xml: str) -> Guest:
        """Define a domain, or define it anew."""
        return Guest(self.raw, ask(self.raw, lambda: self.raw.defineXML(xml)))

    def pool(self, name: str) -> Pool | None:
        """The storage pool of this name, or None."""
        return find_pool(self.raw, name)

    def make_pool(self, xml: str, *, directory: bool = False) -> Pool:
        """A storage pool that lasts until the host's next boot; ``directory``: make its
        directory too."""
        return make_pool(self.raw, xml, directory=directory)

    def hostname(self) -> str:
        """What the host calls itself."""
        return str(ask(self.raw, self.raw.getHostname))

    def memory_mib(self) -> int:
        """All memory of the host."""
        try:
            return int(ask(self.raw, lambda: self.raw.getMemoryStats(-1, 0))["total"]) // 1024
        except Fault as fault:
            if fault.kind is not Kind.UNSUPPORTED:
                raise
            return int(ask(self.raw, self.raw.getInfo)[1])

    def cpus(self) -> int:
        """The host's CPUs (threads) that are switched on."""
        return int(ask(self.raw, lambda: self.raw.getCPUMap(0))[2])

    def numa_nodes(self) -> int:
        """How many NUMA nodes the host has."""
        return int(ask(self.raw, self.raw.getInfo)[4])

    def pci_devices(self) -> Sequence[str]:
        """The XML of every PCI device; none where the host's libvirt cannot list them."""
        kind = libvirt.VIR_CONNECT_LIST_NODE_DEVICES_CAP_PCI_DEV
        try:
            found = ask(self.raw, lambda: self.raw.listAllDevices(kind))
        except Fault as fault:
            if fault.kind is Kind.UNSUPPORTED:
                return ()
            raise
        return [str(ask(self.raw, partial(device.XMLDesc, 0))) for device in found]

"""One domain of one host: what it is, and the acts on it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from frota.drivers.libvirt.binding import ask, libvirt
from frota.drivers.libvirt.domain import NAMESPACE, PREFIX
from frota.drivers.libvirt.fault import Fault, Kind

_ELEMENT = libvirt.VIR_DOMAIN_METADATA_ELEMENT
_LIVE = libvirt.VIR_DOMAIN_AFFECT_LIVE
_CONFIG = libvirt.VIR_DOMAIN_AFFECT_CONFIG


class Phase(StrEnum):
    """What a domain does, as far as Frota must tell."""

    RUNNING = "running"
    PAUSED = "paused"
    ENDING = "ending"
    OFF = "off"


_PHASES = {
    libvirt.VIR_DOMAIN_RUNNING: Phase.RUNNING,
    libvirt.VIR_DOMAIN_BLOCKED: Phase.RUNNING,
    libvirt.VIR_DOMAIN_SHUTDOWN: Phase.ENDING,
    libvirt.VIR_DOMAIN_PAUSED: Phase.PAUSED,
    libvirt.VIR_DOMAIN_PMSUSPENDED: Phase.PAUSED,
    libvirt.VIR_DOMAIN_SHUTOFF: Phase.OFF,
    libvirt.VIR_DOMAIN_CRASHED: Phase.OFF,
}


def phase_of(state: int) -> Phase:
    """The phase for libvirt's state. What is not known may be running."""
    return _PHASES.get(state, Phase.PAUSED)


@dataclass(frozen=True, slots=True)
class Route:
    """How a guest gets to another host.

    ``xml`` and ``defined`` are the domain as it will run and be defined there.
    ``peer_uri`` makes the two daemons talk to each other; empty: this process stands
    between them, by way of ``connection``. ``shared_proved`` says that both hosts were
    seen to have the same disks, so that libvirt need not doubt it.
    """

    xml: str
    defined: str
    migrate_uri: str
    peer_uri: str
    connection: Any
    shared_proved: bool = False


class Guest:
    """A domain. Every method may raise ``Fault``; MISSING when it is gone by now."""

    def __init__(self, connection: Any, raw: Any) -> None:
        self._connection = connection
        self._raw = raw

    @property
    def name(self) -> str:
        """Its name, without asking the host."""
        return str(self._raw.name())

    @property
    def key(self) -> tuple[str, int]:
        """What names this run of it, without asking the host: another after a restart."""
        return str(self._raw.UUIDString()), int(self._raw.ID())

    @property
    def uuid(self) -> str:
        """Its UUID, without asking the host."""
        return str(self._raw.UUIDString())

    def phase(self) -> Phase:
        """What it does now."""
        return phase_of(ask(self._connection, self._raw.state)[0])

    def persistent(self) -> bool:
        """Whether it stays defined when it ends; the far end of a migration is not yet."""
        return bool(ask(self._connection, self._raw.isPersistent))

    def migrating(self) -> bool:
        """Whether it is being migrated away, or another long job runs on it."""
        try:
            kind = ask(self._connection, self._raw.jobInfo)[0]
        except Fault as fault:
            if fault.kind in (Kind.LOST, Kind.MISSING):
                raise
            return False  # hosts say so of the far end, and of what just ended
        return int(kind) in (libvirt.VIR_DOMAIN_JOB_BOUNDED, libvirt.VIR_DOMAIN_JOB_UNBOUNDED)

    def mark(self) -> str | None:
        """Frota's metadata element of the running domain, or else of its definition."""
        try:
            return str(ask(self._connection, lambda: self._raw.metadata(_ELEMENT, NAMESPACE, 0)))
        except Fault as fault:
            if fault.kind is Kind.MISSING:
                return None
            raise

    def set_mark(self, text: str) -> None:
        """Replace Frota's metadata element of a running, persistent domain."""
        ask(
            self._connection,
            lambda: self._raw.setMetadata(_ELEMENT, text, PREFIX, NAMESPACE, _LIVE | _CONFIG),
        )

    def xml(self, *, defined: bool = False, portable: bool = False) -> str:
        """Its XML: as it runs or, when ``defined``, as it would start next; ``portable``
        without what only this host understands."""
        flags = (libvirt.VIR_DOMAIN_XML_INACTIVE if defined else 0) | (
            libvirt.VIR_DOMAIN_XML_MIGRATABLE if portable else 0
        )
        return str(ask(self._connection, lambda: self._raw.XMLDesc(flags)))

    def create(self) -> None:
        """Start it."""
        ask(self._connection, self._raw.create)

    def shutdown(self) -> None:
        """Ask the guest to end itself."""
        ask(self._connection, self._raw.shutdown)

    def destroy(self) -> None:
        """End it at once."""
        ask(self._connection, self._raw.destroy)

    def resume(self) -> None:
        """Let a paused guest go on."""
        ask(self._connection, self._raw.resume)

    def undefine(self) -> None:
        """Remove its definition, with all that libvirt keeps for it (not its disks)."""
        flags = (
            libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
            | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
            | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
            | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM
        )
        ask(self._connection, lambda: self._raw.undefineFlags(flags))

    def abort(self) -> None:
        """Stop the migration that is under way."""
        ask(self._connection, self._raw.abortJob)

    def migrate(self, route: Route) -> None:
        """Migrate it live, and wait for the end. The destination has it defined
        afterwards, this host has not."""
        params = {
            libvirt.VIR_MIGRATE_PARAM_DEST_XML: route.xml,
            libvirt.VIR_MIGRATE_PARAM_PERSIST_XML: route.defined,
        }
        if route.migrate_uri:
            params[libvirt.VIR_MIGRATE_PARAM_URI] = route.migrate_uri
        flags = (
            libvirt.VIR_MIGRATE_LIVE
            | libvirt.VIR_MIGRATE_PERSIST_DEST
            | libvirt.VIR_MIGRATE_UNDEFINE_SOURCE
            | libvirt.VIR_MIGRATE_ABORT_ON_ERROR
            | libvirt.VIR_MIGRATE_AUTO_CONVERGE
            | (libvirt.VIR_MIGRATE_UNSAFE if route.shared_proved else 0)
        )
        if route.peer_uri:
            peer = flags | libvirt.VIR_MIGRATE_PEER2PEER
            ask(
                self._connection,
                lambda: self._raw.migrateToURI3(route.peer_uri, params, peer),
            )
        else:
            ask(self._connection, lambda: self._raw.migrate3(route.connection, params, flags))

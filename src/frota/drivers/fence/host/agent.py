"""Putting a host agent together and running it on this machine."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from frota.drivers.fence.host.disk import Disk
from frota.drivers.fence.host.domains import Domains
from frota.drivers.fence.host.loop import Agent, Surroundings
from frota.drivers.fence.host.machine import BootClock, boot_id, machine_id, stay_in_memory
from frota.drivers.fence.host.memory import Place
from frota.drivers.fence.host.notify import Notify
from frota.drivers.fence.host.reaper import Reaper
from frota.drivers.fence.host.virt import Libvirt
from frota.drivers.fence.host.voice import Voice
from frota.drivers.fence.host.watchdog import Watchdog, WatchdogError, open_watchdog
from frota.drivers.fence.lease.holder import Holder, Identity, Refused
from frota.drivers.fence.lease.records import Marker
from frota.drivers.fence.lease.space import Space, SpaceError

RUN = Path("/run/frota")
FIND_AGAIN = 2.0  # seconds between looks for the shared directory
NO_PET = 1.0  # seconds between signs of life while there is nothing to guard


@dataclass(frozen=True, slots=True)
class Setup:
    """What an operator says. With ``watchdog_required`` the agent does not run without."""

    host: str
    leases: Path
    uri: str
    watchdog: Path | None = None
    watchdog_required: bool = False
    run_directory: Path = RUN


def serve(setup: Setup, stop: threading.Event) -> str:
    """Run the agent until told to stop; returns why it ended by itself, else nothing."""
    voice, notify = Voice(), Notify()
    try:
        return _serve(setup, stop, voice.say, notify)
    finally:
        notify.send(STOPPING="1")
        notify.close()
        voice.finish()


def _serve(setup: Setup, stop: threading.Event, say: Callable[[str], None], notify: Notify) -> str:
    try:
        place = Place(setup.run_directory, setup.host)
    except OSError as error:
        return f"{setup.run_directory}: {error.strerror}; the agent keeps its memory there"
    problem = stay_in_memory()
    if problem:
        say(f"cannot lock its memory ({problem}): a hung disk may stop the agent")
    boot = boot_id()
    memory = place.load()
    if memory is not None and memory.boot != boot:
        memory = None
    space = Space(setup.leases)
    marker = Marker(memory.space, memory.terms) if memory else _find(space, stop, say, notify)
    if marker is None:
        return ""
    try:
        watchdog = _watchdog(setup, marker, say)
    except WatchdogError as error:
        return str(error)
    identity = Identity(setup.host, marker.space, machine_id(), boot, watchdog is not None)
    around = Surroundings(
        disk=Disk(space),
        place=place,
        reaper=Reaper(Domains(), Libvirt(setup.uri), say),
        clock=BootClock(),
        say=say,
        notify=notify,
        watchdog=watchdog,
    )
    return _run(Holder(identity, marker.terms, memory), around, stop)


def _run(holder: Holder, around: Surroundings, stop: threading.Event) -> str:
    try:
        Agent(holder, around).run(stop)
    except Refused as error:
        if around.watchdog is not None:
            around.watchdog.disarm()
        return str(error)
    return ""


def _find(
    space: Space, stop: threading.Event, say: Callable[[str], None], notify: Notify
) -> Marker | None:
    """The shared directory's marker, however long it takes; None when told to stop. Until
    then nothing is guarded, and the controller can see that."""
    found: list[Marker] = []

    def look() -> None:
        while not (found or stop.is_set()):
            try:
                found.append(space.marker())
            except SpaceError as error:
                say(f"not guarding: {error}")
                stop.wait(FIND_AGAIN)

    searcher = threading.Thread(target=look, name="find-leases", daemon=True)
    searcher.start()
    while searcher.is_alive() and not stop.is_set():
        searcher.join(NO_PET)
        notify.send(WATCHDOG="1", STATUS="not guarding: the lease directory is not there")
    return found[0] if found else None


def _watchdog(setup: Setup, marker: Marker, say: Callable[[str], None]) -> Watchdog | None:
    """The watchdog if there is one to be had. Raises WatchdogError when one is required."""
    path = setup.watchdog
    if path is None:
        return None
    try:
        return open_watchdog(path, marker.terms.watchdog)
    except WatchdogError as error:
        if setup.watchdog_required:
            raise
        say(f"no watchdog ({error}): nothing ends the VMs if this agent cannot")
        return None

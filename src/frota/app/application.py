"""One process: a guarded store, an engine for each provider, and an eye on what others write."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from frota.app import real, twin
from frota.app.fleets import Fleets
from frota.app.outfit import Outfitter
from frota.app.signing import Signing
from frota.app.turning import Turning
from frota.controllers.records import CLUSTER, GROUP
from frota.ports.clock import Clock
from frota.ports.store import Compacted, StoreError
from frota.runtime.alarm import PipeAlarm
from frota.runtime.clock import SystemClock
from frota.runtime.interpreter import tune_interpreter
from frota.runtime.lease import Leases
from frota.store.bell import bell_of
from frota.store.guard import Guard, Guarded
from frota.store.sqlite import SqliteStore, stored_time
from frota.twin import Site

if TYPE_CHECKING:
    from frota.app.engine import Engine

POLL_S = 0.25  # between looks where nobody can ring
_REST_S = 1.0  # and where others can: so late is seen what was written without ringing
_ASK_AGAIN_S = 0.1
_REPEAT_S = 60.0  # the same trouble of the same group is told once in this time

_UNSIGNED = Signing()

Tell = Callable[[str], None]


class _Dated:
    """The clock that dates commits: the latest of all engines' clocks, so that a twin that
    runs ahead of the wall clock never starts again in its own past."""

    def __init__(self, first: Clock) -> None:
        self.clocks = [first]

    def now(self) -> float:
        """See ``ports.clock.Clock``."""
        return max(clock.now() for clock in self.clocks)


class Teller:
    """An Observer that says each trouble in words, and the same one not all the time."""

    def __init__(self, tell: Tell, clock: Clock) -> None:
        self._tell = tell
        self._clock = clock
        self._said: dict[str, tuple[str, float]] = {}

    def failed(self, key: str, error: Exception, again_at: float) -> None:
        """See ``runtime.worker.Observer``."""
        del again_at
        words = str(error) if isinstance(error, StoreError) else f"{type(error).__name__}: {error}"
        now = self._clock.now()
        said, at = self._said.get(key, ("", 0.0))
        if said != words or now - at >= _REPEAT_S:
            self._said[key] = (words, now)
            self._tell(f"{key}: {words}; it will be tried again")

    def stalled(self, seconds: float) -> None:
        """See ``runtime.worker.Observer``."""
        self._tell(f"Frota itself stood still for {seconds:.1f} s; what it saw before is old")


class Application:
    """Everything that ``frota up`` runs. A context manager: entering takes the guard and
    opens the store, leaving stops everything and lets go.

    Entering raises Guarded when another process works on the store, and StoreError.
    ``speed`` is for simulated hosts: how many of their seconds pass in one.
    """

    def __init__(
        self,
        path: Path,
        command: str,
        tell: Tell,
        *,
        speed: float = 1.0,
        seed: int = 1,
        signing: Signing = _UNSIGNED,
    ) -> None:
        self._path = path
        self._command = command
        self._tell = tell
        self._speed = speed
        self._seed = seed
        self._signing = signing
        self._engines: dict[str, Engine] = {}
        self._providers: dict[str, str] = {}
        self._owners: dict[str, str] = {}  # cluster to its group
        self._alarm = PipeAlarm()
        self._poll_s = POLL_S
        self.on_look: Callable[[], None] = lambda: None  # called after each look
        self._stopping = False
        self._since = 0

    def __enter__(self) -> Self:
        _make_folder(self._path.parent)
        self._clock = SystemClock(stored_time(self._path))
        self._guard = self._take_guard()
        try:
            self._dated = _Dated(self._clock)
            self.store = SqliteStore(self._path, clock=self._dated)
            if self._alarm.listen(bell_of(self._path)):
                self._poll_s = _REST_S
        except BaseException:
            self._guard.release()
            raise
        pid = f"{socket.gethostname()}-{os.getpid()}"
        self._holder = f"{pid}-{random.SystemRandom().getrandbits(32):08x}"
        self._fleets = Fleets(
            self.store,
            self._clock,
            self._holder,
            partial(Teller, self._tell),
            speed=self._speed,
            signing=self._signing,
        )
        if self._clock.ahead > 5:
            self._tell(
                f"the wall clock is {self._clock.ahead:.0f} s behind the last time in the store; "
                "Frota's time goes on from there"
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        turnings = list(self._turnings())
        for turning in turnings:
            turning.stop()
        for turning in turnings:
            if not turning.join():
                self._tell(f"{turning.name} did not end in time")
        self.store.close()
        self._guard.release()
        self._alarm.close()

    def _take_guard(self) -> Guard:
        """A command that only asks who holds the guard is in the way for a moment: ask twice."""
        try:
            return Guard(self._path, self._command, self._clock.now())
        except Guarded:
            self._alarm.wait(_ASK_AGAIN_S)
            return Guard(self._path, self._command, self._clock.now())

    def stop(self) -> None:
        """End ``run`` soon. From any thread or signal handler."""
        self._stopping = True
        self._alarm.ring()

    def run(self) -> None:
        """Work until ``stop``. Raises MissingDriver for a group that has no driver here, and
        whatever ended an engine against all expectation."""
        tune_interpreter()
        while not self._stopping:
            try:
                self.look()
                self.on_look()
            except StoreError as error:
                self._tell(f"{error}; looking again")
                self._alarm.wait(4 * POLL_S)
            for turning in self._turnings():
                if turning.error is not None:
                    raise turning.error
            self._alarm.wait(self._poll_s)

    def look(self) -> None:
        """Wake the groups about which anything was written since the last look."""
        try:
            changed, reached = self.store.changes(self._since)
        except Compacted:
            changed, reached = self.store.changes(0)
        for group in dict.fromkeys(self._group_of(kind, name) for kind, name in changed):
            provider = self._providers.get(group)
            if provider is not None:
                self._engine(provider).turning.wake(group)
        self._fleets.written(changed)
        self._since = reached

    def _turnings(self) -> Iterator[Turning]:
        yield from (engine.turning for engine in self._engines.values())
        yield from self._fleets.turnings()

    @property
    def clock(self) -> Clock:
        """The latest of all times here."""
        return self._dated

    def site(self, group: str) -> Site | None:
        """The simulated hosts of a group, or None."""
        engine = self._engines.get(twin.PROVIDER)
        outfitter = engine.outfitter if engine is not None else None
        return outfitter.site(group) if isinstance(outfitter, twin.TwinOutfitter) else None

    def _group_of(self, kind: str, name: str) -> str:
        """The group that an entry belongs to; learns of new groups and clusters."""
        if kind == GROUP:
            entry = self.store.get(GROUP, name)
            if entry is not None:
                self._providers[name] = entry.value["spec"]["provider"]
            return name
        if kind == CLUSTER:
            entry = self.store.get(CLUSTER, name)
            if entry is not None:
                # A cluster whose nodes are no VMs of a host group belongs to none.
                self._owners[name] = entry.value["spec"].get("hostGroup", "")
            return self._owners.get(name, "")
        return name.partition("/")[0] if kind != "Lease" else ""

    def _engine(self, provider: str) -> Engine:
        engine = self._engines.get(provider)
        if engine is None:
            # Placement solves with OR-tools and numpy: 33 MiB that only host groups need.
            from frota.app.engine import Engine

            outfitter = self._outfitter(provider)
            leases = Leases(self.store, outfitter.clock, self._holder, alone=True)
            teller = Teller(self._tell, outfitter.clock)
            engine = self._engines[provider] = Engine(self.store, outfitter, leases, teller)
            engine.turning.start()
        return engine

    def _outfitter(self, provider: str) -> Outfitter:
        if provider == real.PROVIDER:
            return real.RealOutfitter(self._clock)
        made = twin.TwinOutfitter(self._clock, speed=self._speed, seed=self._seed)
        self._dated.clocks.append(made.clock)
        return made


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"{folder}: cannot be made ({error.strerror}). Expected a path where this user may "
            "make a directory"
        ) from None

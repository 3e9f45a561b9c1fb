"""One member cluster: its connections, what it shows, and what is delivered to it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random

from frota.drivers.kubernetes.access import Access
from frota.drivers.kubernetes.courier import Courier, Way
from frota.drivers.kubernetes.discovery import Discovery
from frota.drivers.kubernetes.display import Display
from frota.drivers.kubernetes.fault import Unusable
from frota.drivers.kubernetes.heartbeat import Heartbeat
from frota.drivers.kubernetes.identity import Identity
from frota.drivers.kubernetes.link import Link
from frota.drivers.kubernetes.pump import Pump
from frota.drivers.kubernetes.reflector import Event, Reflector
from frota.drivers.kubernetes.source import Choice, HttpSource
from frota.model.delivery import Change, ClusterView, Delivery, DeliveryOutcome, WatchedKind
from frota.model.objects import Object, ObjectKey
from frota.ports.clock import Clock
from frota.ports.clusters import ClusterAddress

_FILES_S = 5.0  # between looks whether the kubeconfig or what it names has changed
_REST_S = 1.0
_PROGRESS_S = 1.0  # between looks at how far a delivery is
_CLAIM = WatchedKind("", "v1", "PersistentVolumeClaim")
_NEW_KIND = ("apiextensions.k8s.io", "CustomResourceDefinition")
_NEW_KIND_S = (0.5, 0.5, 1.0, 2.0, 4.0)  # between looks after a CRD was applied


@dataclass(frozen=True, slots=True)
class Kit:
    """What all members of a process share. ``delay``: the wait in seconds after so many
    failures in a row. ``changed`` takes the name of a cluster, ``ended`` an outcome. Without
    ``follows`` objects are listed and not watched."""

    clock: Clock
    rng: Random
    delay: Callable[[int, Random], float]
    selector: str
    changed: Callable[[str], None]
    ended: Callable[[DeliveryOutcome], None]
    follows: bool = True


class Member:
    """Everything about one cluster. Made and used in the event loop, but for ``view``,
    which any thread may call."""

    def __init__(self, address: ClusterAddress, kit: Kit) -> None:
        self.address = address
        self._kit = kit
        self._access = Access(address, kit.clock.now)
        self._link = Link(self._access, self._heard)
        self._discovery = Discovery(self._link.get, asyncio.get_running_loop().time)
        self._beat = Heartbeat(self._link, self._answered)
        self._identity = Identity(self._link)
        self._pumps: dict[WatchedKind, Pump] = {}
        way = Way(
            link=self._link,
            discovery=self._discovery,
            answers=lambda: self._beat.answers,
            held=self._held,
            version=self._version_of,
            applied=self._applied,
            ended=kit.ended,
        )
        self._courier = Courier(way, kit.delay, kit.rng)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._progress: asyncio.TimerHandle | None = None
        self._closed = False
        self._lock = threading.Lock()  # held while a reflector changes
        self._display = Display(address.name)
        self._claims = self._pump(_CLAIM, selected=False)

    def start(self, kinds: frozenset[WatchedKind]) -> None:
        """Begin to watch."""
        self._keep("heartbeat", self._beat.run)
        self._keep("files", self._look_at_files)
        self._claims.start()
        self.watch(kinds)

    def watch(self, kinds: frozenset[WatchedKind]) -> None:
        """Watch these kinds and no others."""
        for kind in self._pumps.keys() - kinds:
            self._pumps[kind].stop()
        fresh = {kind: self._pump(kind) for kind in sorted(kinds - self._pumps.keys(), key=_order)}
        with self._lock:
            kept = {kind: pump for kind, pump in self._pumps.items() if kind in kinds}
            self._pumps = {**kept, **fresh}
        for pump in fresh.values():
            pump.start()
        self._changed()

    def deliver(self, delivery: Delivery) -> None:
        """Begin a delivery."""
        self._courier.lane.add(delivery)
        self._courier.go()

    def cancel(self, delivery: str) -> None:
        """Begin no further change of a delivery."""
        self._courier.lane.cancel(delivery)
        self._courier.go()

    def view(self) -> ClusterView:
        """The last known state."""
        with self._lock:
            return self._display.view(self._reflectors())

    async def close(self, why: str) -> None:
        """Stop all of it. Deliveries under way end here; their outcomes say so."""
        self._closed = True
        for pump in self._every():
            pump.stop()
        self._courier.stop(why)
        if self._progress is not None:
            self._progress.cancel()
        for task in self._tasks.values():
            task.cancel()
        self._access.close()
        await self._link.close()

    def _reflectors(self) -> dict[WatchedKind, Reflector]:
        return {kind: pump.reflector for kind, pump in self._pumps.items()}

    def _every(self) -> list[Pump]:
        return [*self._pumps.values(), self._claims]

    def _pump(self, kind: WatchedKind, *, selected: bool = True) -> Pump:
        kit = self._kit
        choice = Choice(kind, kit.selector if selected else "", whole=selected)
        source = HttpSource(choice, self._link, self._discovery, kit.rng)
        reflector = Reflector(kit.delay, kit.rng)
        return Pump(
            reflector, source, self._lock, self._heard_of, self._broken, follows=kit.follows
        )

    def _keep(self, name: str, run: Callable[[], Coroutine[None, None, None]]) -> None:
        """Run something for as long as the cluster is watched, whatever befalls it."""

        def over(task: asyncio.Task[None]) -> None:
            if task.cancelled() or self._closed:
                return
            error = task.exception()
            what = f"{self.address.name}: {name} ended"
            task.get_loop().call_exception_handler({"message": what, "exception": error})
            task.get_loop().call_later(_REST_S, self._keep, name, run)

        if not self._closed:
            self._tasks[name] = asyncio.create_task(run())
            self._tasks[name].add_done_callback(over)

    async def _look_at_files(self) -> None:
        """Renew credentials before somebody needs them."""
        while True:
            await asyncio.sleep(_FILES_S)
            with suppress(Unusable):
                await self._access.look()
                await self._access.get()

    def _heard(self) -> None:
        self._beat.heard()
        self._display.last_seen = self._kit.clock.now()

    def _answered(self, why: str) -> None:
        """A question of the heartbeat was answered, or was not."""
        answers = self._beat.answers
        if answers and not why:
            self._display.last_seen = self._kit.clock.now()
            if self._display.answers and not (self._identity.due or self._beat.unwelcome):
                return  # all is as it was
        back = answers and not self._display.answers
        if back or self._beat.unwelcome:  # watches outlive the credentials they began with
            self._identity.known = self._display.identified = False
            self._identity.due = True
        if back and self._identity.met:
            with self._lock:
                for pump in self._every():
                    pump.reflector.doubt()
        if self._display.answers and not answers:
            self._courier.lost()
        self._display.answers = answers
        self._display.why = "" if answers else why
        if answers and self._identity.due and not self._busy("identity"):
            self._tasks["identity"] = asyncio.create_task(self._identify())
        self._changed()

    def _broken(self) -> None:
        """A stream broke: is the server gone, or has another taken its place?"""
        self._identity.due = True
        self._beat.doubt()

    async def _identify(self) -> None:
        """Ask who the cluster is; what was away, or is another one now, is watched anew."""
        was_known, first = self._identity.known, not self._identity.met
        another = await self._identity.ask()
        self._display.identified = self._identity.known
        self._display.version, self._display.doubt = self._identity.version, self._identity.why
        self._display.identity = self._identity.uid
        if not self._identity.known:
            self._changed()
            return
        if another:
            self._discovery.forget()
            with self._lock:
                for pump in self._every():
                    pump.reflector.again()
        for pump in self._every():
            if another or not (was_known or first) or pump.resting:
                pump.start()
        self._changed()

    def _applied(self, change: Change) -> None:
        """A change was made: kinds may be served now that were absent."""
        group, kind = change.key.group, change.key.kind
        if (group, kind) == _NEW_KIND and not self._busy("new kinds"):
            self._tasks["new kinds"] = asyncio.create_task(self._await_kinds())
        for watched, pump in self._pumps.items():
            if (watched.group, watched.kind) == (group, kind) and pump.reflector.absent:
                pump.start()

    async def _await_kinds(self) -> None:
        for wait in _NEW_KIND_S:
            await asyncio.sleep(wait)
            for pump in self._every():
                if pump.reflector.absent:
                    pump.start()

    def _busy(self, name: str) -> bool:
        return name in self._tasks and not self._tasks[name].done()

    def _held(self, key: ObjectKey) -> Object | None:
        for watched, pump in self._pumps.items():
            if (watched.group, watched.kind) == (key.group, key.kind):
                item = pump.reflector.objects.get(key)
                return item.object if item is not None else None
        return None

    def _version_of(self, group: str, kind: str) -> str:
        for watched in self._pumps:
            if (watched.group, watched.kind) == (group, kind):
                return watched.version
        return ""

    def _heard_of(self, events: Sequence[Event]) -> None:
        """What a delivery does is no news before it ends: it is told once in a while."""
        self._changed(news=not events or not all(map(self._courier.made, events)))

    def _changed(self, *, news: bool = True) -> None:
        if not self._display.changed(self._reflectors(), self._claims.reflector):
            return
        if news:
            self._kit.changed(self.address.name)
        elif self._progress is None:
            loop = asyncio.get_running_loop()
            self._progress = loop.call_later(_PROGRESS_S, self._progressed)

    def _progressed(self) -> None:
        self._progress = None
        self._kit.changed(self.address.name)


def _order(kind: WatchedKind) -> tuple[str, str, str]:
    return kind.group, kind.kind, kind.version

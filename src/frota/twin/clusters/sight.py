"""What one process sees of one simulated cluster: lists, then watches that lag."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from frota.model.delivery import ClusterView, WatchedKind
from frota.model.objects import MEMBERSHIP_LABEL, Object, ObjectKey
from frota.twin.clusters.apiserver import Event
from frota.twin.clusters.fleet import ServerState, TwinMember
from frota.twin.world import TwinClock, World

VERSION = "v1.36.3"


class Sight:
    """One attached cluster. ``changed`` is called whenever the view may have changed."""

    def __init__(
        self,
        member: TwinMember,
        kinds: frozenset[WatchedKind],
        clock: TwinClock,
        changed: Callable[[], None],
    ) -> None:
        self.member = member
        self.kinds = kinds
        self._clock = clock
        self._changed = changed
        self._objects: dict[ObjectKey, Object] = {}
        self._claims: dict[ObjectKey, None] = {}
        self._answers = self._complete = self._closed = False
        self._error = "was not reached yet"
        self._last_seen = self._world.now
        self._revision = 0  # up to which everything was seen
        self._life = 0
        self._serial = 0
        self._copied = -1
        self._copy: Mapping[ObjectKey, Object] = {}
        self._asked = 0  # counts questions, so that an old answer is known as one
        member.on_state.append(self._state_changed)
        member.server.watchers.append(self._told)
        self._world.after(self._draw_connect(), self._connect)

    @property
    def _world(self) -> World:
        return self.member.server.world

    def close(self) -> None:
        """See nothing more."""
        self._closed = True
        self.member.on_state.remove(self._state_changed)
        self.member.server.watchers.remove(self._told)

    def look_again(self) -> None:
        """List everything anew: credentials or rights may have changed."""
        self._list()

    def view(self) -> ClusterView:
        """The last known state."""
        if self._answers and self.member.state is ServerState.UP:
            self._last_seen = self._world.now
        unserved = self.member.server.rules.unserved
        return ClusterView(
            self.member.server.name,
            answers=self._answers,
            last_seen=self._clock.of(self._last_seen),
            complete=self._answers and self._complete,
            version=VERSION if self._life else "",
            identity=f"{self.member.server.name}-{self._life}" if self._life else "",
            objects=self._snapshot(),
            absent=frozenset(k for k in self.kinds if (k.group, k.kind) in unserved),
            claimed=frozenset(key.namespace for key in self._claims),
            serial=self._serial,
            error=self._error,
        )

    def _snapshot(self) -> Mapping[ObjectKey, Object]:
        """The objects as they are now; one and the same mapping while nothing changes."""
        if self._copied != self._serial:
            self._copied, self._copy = self._serial, dict(self._objects)
        return self._copy

    # Whether it answers

    def _state_changed(self) -> None:
        self._asked += 1
        asked, state, pace = self._asked, self.member.state, self.member.pace
        rng = self._world.rng
        if state is ServerState.UP:
            self._world.after(self._draw_connect(), lambda: self._if_still(asked, self._connect))
            return
        hung = state is ServerState.HUNG
        if self._answers:
            self._last_seen = self._world.now
        delay = (pace.silent if hung else pace.refused).draw(rng)
        error = "does not answer in time" if hung else "connection refused"
        self._world.after(delay, lambda: self._if_still(asked, lambda: self._lost(error)))

    def _if_still(self, asked: int, act: Callable[[], None]) -> None:
        if asked == self._asked and not self._closed:
            act()

    def _lost(self, error: str) -> None:
        self._answers, self._error = False, error
        self._changed()

    def _connect(self) -> None:
        """Go on from where the watch was, or list anew when that is gone (410)."""
        if self._closed or self.member.state is not ServerState.UP:
            return
        server = self.member.server
        self._answers, self._error = True, ""
        if self._life != server.life or self._revision < server.oldest or not self._complete:
            self._list()
            return
        for event in [e for e in server.history if e.revision > self._revision]:
            self._take(event)
        self._changed()

    # What is there

    def _list(self) -> None:
        server = self.member.server
        if self._closed or self.member.state is not ServerState.UP:
            return
        if "list" in server.rules.forbidden:
            self._complete, self._error = False, "frota may not list"
            self._changed()
            return
        self._life, self._revision, self._complete = server.life, server.revision, True
        self._error = ""
        self._claims = {k: None for k in server.objects if k.kind == "PersistentVolumeClaim"}
        shown = {key: stored.shown() for key, stored in server.objects.items()}
        self._objects = {key: item for key, item in shown.items() if self._watched(key, item)}
        self._serial += 1
        self._changed()

    def _watched(self, key: ObjectKey, item: Object) -> bool:
        if MEMBERSHIP_LABEL not in (item["metadata"].get("labels") or {}):
            return False
        return any((k.group, k.kind) == (key.group, key.kind) for k in self.kinds)

    def _told(self, event: Event) -> None:
        """The server has an event; it is seen a little later, if it is seen at all."""
        lag = self.member.pace.watch.draw(self._world.rng) * self.member.slow
        life = self.member.server.life
        self._world.after(lag, lambda: self._seen(event, life))

    def _seen(self, event: Event, life: int) -> None:
        live = self._answers and self._complete and self.member.state is ServerState.UP
        if self._closed or not live or life != self._life:
            return
        server = self.member.server
        if self._revision < server.oldest:
            self._list()  # compacted away under the watch: 410
            return
        # Those before it in the stream come first, whatever their own lag was.
        for earlier in [e for e in server.history if self._revision < e.revision]:
            if earlier.revision <= event.revision:
                self._take(earlier)
        self._changed()

    def _take(self, event: Event) -> None:
        if event.revision <= self._revision:
            return
        self._revision = event.revision
        key = event.key
        if key.kind == "PersistentVolumeClaim":
            self._claims.pop(key, None)
            if event.item is not None:
                self._claims[key] = None
        if event.item is not None and self._watched(key, event.item):
            self._objects[key] = event.item
        elif self._objects.pop(key, None) is None:
            return
        self._serial += 1

    def _draw_connect(self) -> float:
        return self.member.pace.connect.draw(self._world.rng) * self.member.slow

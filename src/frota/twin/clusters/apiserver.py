"""One simulated API server: objects with uid, resourceVersion and the owners of their fields.

It is the truth of a simulated cluster, and outlives the controllers that talk to it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import NamedTuple

from frota.model.delivery import Change, ChangeResult, Verdict
from frota.model.objects import FIELD_MANAGER, Object, ObjectKey, key_of
from frota.planners.delivery.fields import shown
from frota.twin.clusters.fields import MISSING, leaves, value_at
from frota.twin.clusters.schema import IMMUTABLE, Node
from frota.twin.clusters.stored import (
    FieldOwner,
    Stored,
    applied_to,
    conflicts,
    spec_of,
    stamp,
    updated,
)
from frota.twin.world import World

_HISTORY_MOST = 2000  # events that a watch may begin from
_FROTA = FieldOwner(FIELD_MANAGER, "Apply")


class Event(NamedTuple):
    """One change, as a watch tells it; ``item`` is None when the object is gone."""

    revision: int
    key: ObjectKey
    item: Object | None


@dataclass(slots=True)
class Rules:
    """What the server does not do. ``forbidden``: verbs (``list``, ``patch``, ``delete``)
    that Frota's identity may not use. ``refuse``: admission; a message refuses. ``mutate``:
    admission that changes what is written. ``unserved``: (group, kind) without a CRD.
    ``finalizes``: whether a namespace controller empties and removes namespaces."""

    forbidden: set[str] = field(default_factory=set)
    refuse: Callable[[ObjectKey, Object], str] = lambda _key, _item: ""
    mutate: Callable[[Node], None] = lambda _item: None
    unserved: set[tuple[str, str]] = field(default_factory=set)
    finalizes: bool = True


class ApiServer:
    """Every write is checked, defaulted, given its owners and told to those who watch."""

    def __init__(self, name: str, world: World) -> None:
        self.name = name
        self.world = world
        self.rules = Rules()
        self.objects: dict[ObjectKey, Stored] = {}
        self.history: deque[Event] = deque(maxlen=_HISTORY_MOST)
        self.revision = 0
        self.oldest = 0  # a watch from before this revision is told 410
        self.life = 1  # another number after its storage was lost
        self.watchers: list[Callable[[Event], None]] = []
        self.controllers: list[Callable[[Event], None]] = []
        self._made = 0

    def shown(self, key: ObjectKey) -> Object | None:
        """An object as a client sees it."""
        stored = self.objects.get(key)
        return stored.shown() if stored is not None else None

    def change(self, change: Change, *, dry_run: bool = False) -> ChangeResult:
        """What Frota orders: a server-side apply, or a delete."""
        if change.desired is None:
            return self._delete(change, dry_run=dry_run)
        return self._apply(change, dry_run=dry_run)

    def apply(self, item: Object, manager: str, *, force: bool = False) -> ChangeResult:
        """A server-side apply by somebody else."""
        change = Change(key_of(item), item, take_over=force)
        return self._apply(change, FieldOwner(manager, "Apply"))

    def update(
        self, key: ObjectKey, manager: str, mutate: Callable[[Node], None], subresource: str = ""
    ) -> None:
        """A write by somebody else to an object that is there, by PUT or PATCH."""
        old = self.objects[key]
        item = deepcopy(old.item)
        mutate(item)
        new = updated(old, item, FieldOwner(manager, "Update", subresource), self.world.now)
        self._store(key, old, new)

    def create(self, item: Object, manager: str) -> None:
        """A new object by somebody else, by POST."""
        made: Node = {**deepcopy(dict(item)), "metadata": deepcopy(dict(item["metadata"]))}
        empty: Node = {**made, "metadata": {"name": made["metadata"]["name"]}}
        for name in set(made) - {"apiVersion", "kind", "metadata"}:
            del empty[name]
        new = updated(Stored(empty), made, FieldOwner(manager, "Update"), self.world.now)
        self._store(key_of(item), None, new)

    def remove(self, key: ObjectKey) -> None:
        """A delete by somebody else."""
        self._end(key)

    def wipe(self) -> None:
        """The storage is lost: another cluster answers under the same address."""
        self.objects.clear()
        self.history.clear()
        self.life += 1
        self.revision = self.oldest = 0

    def compact(self) -> None:
        """Watches that are behind must list anew."""
        self.history.clear()
        self.oldest = self.revision

    def _apply(
        self, change: Change, manager: FieldOwner = _FROTA, *, dry_run: bool = False
    ) -> ChangeResult:
        desired, key = change.desired, change.key
        assert desired is not None  # noqa: S101 - the caller looked
        old = self.objects.get(key)
        wrong = self._wrong(change, old, "patch" if manager is _FROTA else "")
        if wrong is not None:
            return wrong
        applied = _plain(desired)
        if old is not None and not change.take_over:
            held = conflicts(old, applied, leaves(applied), manager)
            if held:
                return _conflict(key, held)
        new = applied_to(old, applied, manager, self.world.now)
        self.rules.mutate(new.item)
        refused = self.rules.refuse(key, new.item) or _immutable(old, new.item)
        if refused:
            return ChangeResult(key, Verdict.REFUSED, refused)
        if old is not None and new.same(old):
            return ChangeResult(key, Verdict.UNCHANGED, after=old.shown())
        if dry_run:
            return ChangeResult(key, Verdict.APPLIED, after=new.shown())
        self._store(key, old, new)
        return ChangeResult(key, Verdict.APPLIED, after=self.objects[key].shown())

    def _wrong(self, change: Change, old: Stored | None, verb: str) -> ChangeResult | None:
        key = change.key
        if verb in self.rules.forbidden:
            return ChangeResult(key, Verdict.REFUSED, f"frota may not {verb} {key.kind}")
        if (key.group, key.kind) in self.rules.unserved:
            why = "the cluster does not serve this kind (no CRD)"
            return ChangeResult(key, Verdict.FAILED, why)
        if change.uid or change.revision:
            metadata = old.item["metadata"] if old is not None else {}
            if change.uid and metadata.get("uid") != change.uid:
                return ChangeResult(key, Verdict.MOVED, "the object is another one by now")
            if change.revision and metadata.get("resourceVersion") != change.revision:
                return ChangeResult(key, Verdict.MOVED, "the object was written since")
        if key.namespace and old is None and change.desired is not None:
            space = self.objects.get(ObjectKey("", "Namespace", "", key.namespace))
            if space is None:
                why = f'namespaces "{key.namespace}" not found'
                return ChangeResult(key, Verdict.FAILED, why)
            if "deletionTimestamp" in space.item["metadata"]:
                why = f"namespace {key.namespace} is being terminated"
                return ChangeResult(key, Verdict.FAILED, why)
        return None

    def _delete(self, change: Change, *, dry_run: bool) -> ChangeResult:
        old = self.objects.get(change.key)
        if "delete" in self.rules.forbidden:
            return ChangeResult(change.key, Verdict.REFUSED, "frota may not delete")
        if old is None:
            return ChangeResult(change.key, Verdict.DELETED, "was not there")
        wrong = self._wrong(change, old, "delete")
        if wrong is not None:
            return wrong
        if not dry_run:
            self._end(change.key)
        return ChangeResult(change.key, Verdict.DELETED)

    def _end(self, key: ObjectKey) -> None:
        """Remove an object; one with finalizers, and a namespace, only begins to go."""
        old = self.objects.get(key)
        if old is None:
            return
        waits = old.item["metadata"].get("finalizers") or key.kind == "Namespace"
        if not waits:
            del self.objects[key]
            self._tell(key, None)
        elif "deletionTimestamp" not in old.item["metadata"]:
            metadata = {**old.item["metadata"], "deletionTimestamp": stamp(self.world.now)}
            item = {**old.item, "metadata": metadata}
            if key.kind == "Namespace":
                item["status"] = {"phase": "Terminating"}
            self._store(key, old, Stored(item, old.owned))

    def finish(self, namespace: str) -> None:
        """The namespace controller: all that is in it goes, then it goes itself."""
        for key in [key for key in self.objects if key.namespace == namespace]:
            del self.objects[key]
            self._tell(key, None)
        if self.objects.pop(ObjectKey("", "Namespace", "", namespace), None) is not None:
            self._tell(ObjectKey("", "Namespace", "", namespace), None)

    def _store(self, key: ObjectKey, old: Stored | None, new: Stored) -> None:
        if old is not None and new.same(old):
            return
        self.revision += 1
        metadata = {**new.item["metadata"], "resourceVersion": str(self.revision)}
        if old is None:
            self._made += 1
            metadata["uid"] = f"{self.name}-{self.life}-{self._made}"
            metadata["creationTimestamp"] = stamp(self.world.now)
            metadata["generation"] = 1
        elif spec_of(new.item) != spec_of(old.item):
            metadata["generation"] = metadata.get("generation", 1) + 1
        self.objects[key] = Stored({**new.item, "metadata": metadata}, new.owned)
        self._tell(key, self.objects[key], bump=False)

    def _tell(self, key: ObjectKey, stored: Stored | None, *, bump: bool = True) -> None:
        self.revision += bump
        event = Event(self.revision, key, stored.shown() if stored is not None else None)
        if len(self.history) == _HISTORY_MOST:
            self.oldest = self.history[0].revision
        self.history.append(event)
        for told in [*self.watchers, *self.controllers]:
            told(event)


def _plain(value: Object) -> Node:
    """The part of an object that a client may send, with plain maps."""
    metadata: Mapping[str, object] = value["metadata"]
    kept = {k: v for k, v in metadata.items() if k not in ("uid", "resourceVersion")}
    return {**{k: v for k, v in value.items() if k != "status"}, "metadata": kept}


def _conflict(key: ObjectKey, held: tuple[tuple[FieldOwner, tuple[str, ...]], ...]) -> ChangeResult:
    managers = tuple((manager.name, shown(path)) for manager, path in held)
    message = f"{len(managers)} fields are held by others: {managers[0][1]} by {managers[0][0]}"
    return ChangeResult(key, Verdict.CONFLICT, message, managers)


def _immutable(old: Stored | None, item: Node) -> str:
    key = key_of(item)
    name = IMMUTABLE.get((key.group, key.kind))
    if old is None or name is None:
        return ""
    path = ("f:spec", f"f:{name}")
    before, after = value_at(old.item, path), value_at(item, path)
    return "" if before is MISSING or before == after else f"spec.{name}: field is immutable"

"""Lists and watches of one kind over HTTP, for a reflector."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from random import Random
from typing import Any

import msgspec

from frota.drivers.kubernetes.discovery import Discovery, Served
from frota.drivers.kubernetes.fault import (
    Answered,
    Garbled,
    Silent,
    TooLarge,
    Unusable,
    answered,
    plain,
)
from frota.drivers.kubernetes.link import ONLY_METADATA, Call, Link
from frota.drivers.kubernetes.pump import Ended
from frota.drivers.kubernetes.reflector import End, Event, Item, Page, Sort
from frota.model.delivery import WatchedKind
from frota.model.objects import ObjectKey

_LIST_S = 60.0
_OPEN_S = 30.0
# How long a watch may last, in seconds; drawn anew for each, so that the watches of many
# clusters do not all end at once. The same spread as client-go's.
_WATCH_S = (300.0, 600.0)
_LATE_S = 30.0
# API servers send a bookmark about once a minute; without a byte for longer the connection
# leads nowhere.
_SILENCE_S = 150.0
# Thousands of objects are written with the same few trees of fields: each is kept once.
_TREES_MOST = 1024
_TREE_BYTES_MOST = 8 * 1024
_WHOLE = "application/json"
_ONE, _MANY = "as=PartialObjectMetadata;", "as=PartialObjectMetadataList;"
_SORTS = {"ADDED": Sort.THERE, "MODIFIED": Sort.THERE, "DELETED": Sort.GONE}


class _ListMeta(msgspec.Struct):
    resourceVersion: str = ""  # noqa: N815 - the name on the wire
    token: str = msgspec.field(default="", name="continue")


class _List(msgspec.Struct):
    metadata: _ListMeta
    items: list[msgspec.Raw] | None = None  # as null when there are none


class _Line(msgspec.Struct):
    type: str
    object: dict[str, Any]


_LISTS = msgspec.json.Decoder(_List)
_ITEMS = msgspec.json.Decoder(dict[str, Any])
_LINES = msgspec.json.Decoder(_Line)
_NONSENSE = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)


@dataclass(frozen=True, slots=True)
class Choice:
    """What is watched of one kind. ``selector``: of labels; empty: all objects. ``whole``:
    the objects themselves, not only that they are there."""

    kind: WatchedKind
    selector: str
    whole: bool = True

    def query(self, **more: str) -> dict[str, str]:
        """The parameters of a list or watch."""
        return {"labelSelector": self.selector, **more} if self.selector else more

    @property
    def accept(self) -> str:
        """The form in which the objects are wanted."""
        return _WHOLE if self.whole else ONLY_METADATA


class HttpSource:
    """One kind of one cluster."""

    def __init__(self, choice: Choice, link: Link, discovery: Discovery, rng: Random) -> None:
        self._choice = choice
        self._kind = choice.kind
        self._link = link
        self._discovery = discovery
        self._rng = rng

    async def page(self, token: str, limit: int) -> Page:
        """See ``pump.Source``."""
        with _told():
            served = await self._served(anew=not token)
            query = self._choice.query(limit=str(limit))
            if token:
                query["continue"] = token
            accept = self._choice.accept.replace(_ONE, _MANY)
            call = Call("GET", served.path(), query, accept=accept, seconds=_LIST_S, gzip=True)
            try:
                _, body = await self._link.call(call)
            except Answered as answer:
                if answer.code == HTTPStatus.NOT_FOUND:
                    # Discovery has just said that the kind is served: a server that begins.
                    raise Ended(End.BROKEN, "a list was not found") from None
                raise
            return self._page(body)

    async def follow(self, revision: str, heard: Callable[[Sequence[Event]], bool]) -> None:
        """See ``pump.Source``."""
        with _told():
            served = await self._served()
            longest = self._rng.uniform(*_WATCH_S)
            query = self._choice.query(
                watch="true",
                allowWatchBookmarks="true",
                resourceVersion=revision,
                timeoutSeconds=str(int(longest)),
            )
            accept = self._choice.accept
            await self._link.stream(
                Call("GET", served.path(), query, accept=accept, seconds=_OPEN_S),
                lambda lines: heard([self._event(line) for line in lines]),
                silence=_SILENCE_S,
                longest=longest + _LATE_S,
            )

    async def _served(self, *, anew: bool = False) -> Served:
        served = await self._discovery.find(self._kind, anew=anew)
        if served is None:
            raise Ended(End.ABSENT)
        return served

    def _page(self, body: bytes) -> Page:
        found = _LISTS.decode(body)
        items = [self._item(_ITEMS.decode(raw), len(memoryview(raw))) for raw in found.items or ()]
        return Page(items, found.metadata.resourceVersion, found.metadata.token)

    def _event(self, line: bytes) -> Event:
        found = _LINES.decode(line)
        if found.type in _SORTS:
            item = self._item(found.object, len(line))
            return Event(_SORTS[found.type], item.revision, item)
        if found.type == "BOOKMARK":
            metadata = found.object.get("metadata")
            revision = metadata.get("resourceVersion") if isinstance(metadata, dict) else None
            if isinstance(revision, str) and revision:
                return Event(Sort.BOOKMARK, revision)
        if found.type == "ERROR":
            code = found.object.get("code")
            raise answered(
                code if isinstance(code, int) else 500, msgspec.json.encode(found.object)
            )
        raise Garbled(f"a watch event of type {plain(found.type, 40)!r} that makes no sense")

    def _item(self, found: dict[str, Any], size: int) -> Item:
        metadata = found.get("metadata")
        metadata = metadata if isinstance(metadata, dict) else {}
        name, namespace = metadata.get("name"), metadata.get("namespace", "")
        revision = metadata.get("resourceVersion")
        if not (isinstance(name, str) and isinstance(namespace, str) and isinstance(revision, str)):
            raise Garbled(f"a {self._kind.kind} without name or resourceVersion")
        key = ObjectKey(self._kind.group, self._kind.kind, namespace, name)
        if not self._choice.whole:
            return Item(key, {}, revision, 0)
        _share_trees(metadata.get("managedFields"))
        # Items of a list do not always say what they are.
        found["kind"] = self._kind.kind
        group, version = self._kind.group, self._kind.version
        found["apiVersion"] = f"{group}/{version}" if group else version
        return Item(key, found, revision, size)


def _share_trees(managers: object) -> None:
    """Have what each manager owns in an object be the same as in others that are alike; it
    would be a third of what an object takes in memory."""
    for entry in managers if isinstance(managers, list) else ():
        if isinstance(entry, dict) and "fieldsV1" in entry:
            text = msgspec.json.encode(entry["fieldsV1"])
            if len(text) <= _TREE_BYTES_MOST:
                entry["fieldsV1"] = _tree(text)


@lru_cache(_TREES_MOST)
def _tree(text: bytes) -> object:
    return msgspec.json.decode(text)


@contextmanager
def _told() -> Iterator[None]:
    """Faults as a reflector knows them."""
    try:
        yield
    except Answered as answer:
        raise _ended(answer) from None
    except TooLarge as fault:
        raise Ended(End.LARGE, str(fault)) from None
    except (Silent, Unusable) as fault:
        raise Ended(End.BROKEN, str(fault)) from None
    except Garbled as fault:
        raise Ended(End.NONSENSE, str(fault)) from None
    except _NONSENSE:
        raise Ended(End.NONSENSE, "an answer that is not what Kubernetes sends") from None


def _ended(answer: Answered) -> Ended:
    why = str(answer)
    if answer.code == HTTPStatus.GONE or answer.reason in ("Expired", "Gone"):
        return Ended(End.EXPIRED, why)
    if any(cause.reason == "ResourceVersionTooLarge" for cause in answer.causes):
        return Ended(End.EXPIRED, why)  # the server was set back
    if answer.code == HTTPStatus.NOT_FOUND:
        return Ended(End.EXPIRED, why)  # the list will tell whether the kind is gone
    if answer.busy:
        return Ended(End.BUSY, why, answer.after)
    return Ended(End.REFUSED, why, answer.after)

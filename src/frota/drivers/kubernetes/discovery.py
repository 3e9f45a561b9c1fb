"""Where a cluster serves each kind: asked once for every group and version, remembered until
something says that it may have changed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from frota.drivers.kubernetes.fault import Answered, Garbled
from frota.model.delivery import WatchedKind

# An answer without the wanted kind is believed that long: many changes of one missing kind
# ask once.
_MISSING_S = 0.5
_GROUPS_MOST = 1000
_KINDS_MOST = 5000
_PLURAL = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_VERSION = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


# GET of one path, as an object of JSON. Raises the faults of ``link.Link.get``.
Ask = Callable[[str], Awaitable[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Served:
    """Where the objects of one kind are."""

    root: str  # /api/v1 or /apis/GROUP/VERSION
    plural: str
    namespaced: bool

    def path(self, namespace: str = "", name: str = "") -> str:
        """The path of one object, or without a name of a whole list."""
        inside = f"/namespaces/{quote(namespace, safe='')}" if namespace else ""
        one = f"/{quote(name, safe='')}" if name else ""
        return f"{self.root}{inside}/{self.plural}{one}"


@dataclass(frozen=True, slots=True)
class _Known:
    kinds: Mapping[str, Served]
    asked: float


class Discovery:
    """What one cluster serves. For one event loop; ``now`` is its time in seconds."""

    def __init__(self, ask: Ask, now: Callable[[], float]) -> None:
        self._ask = ask
        self._now = now
        self._known: dict[tuple[str, str], _Known] = {}
        self._asking: dict[tuple[str, str], asyncio.Task[_Known]] = {}
        self._versions: dict[str, str] = {}

    async def find(self, kind: WatchedKind, *, anew: bool = False) -> Served | None:
        """Where a kind is served; None: it is not. ``anew``: what is known may be outdated."""
        place = (kind.group, kind.version)
        known = self._known.get(place)
        if known is not None:
            served = known.kinds.get(kind.kind)
            recent = self._now() - known.asked < _MISSING_S
            if recent or (served is not None and not anew):
                return served
        return (await self._look(place)).kinds.get(kind.kind)

    async def version(self, group: str) -> str:
        """The version that the cluster prefers for a group; empty: it has no such group."""
        if not group:
            return "v1"
        if group not in self._versions:
            try:
                found = await self._ask(f"/apis/{quote(group, safe='')}")
            except Answered as answer:
                if answer.code == HTTPStatus.NOT_FOUND:
                    return ""
                raise
            preferred = found.get("preferredVersion")
            version = preferred.get("version") if isinstance(preferred, dict) else None
            if not isinstance(version, str) or not _VERSION.fullmatch(version):
                raise Garbled(f"the API group {group} names no version")
            if len(self._versions) < _GROUPS_MOST:
                self._versions[group] = version
        return self._versions[group]

    def forget(self) -> None:
        """The cluster may be another one now, or of another version."""
        self._known.clear()
        self._versions.clear()

    async def _look(self, place: tuple[str, str]) -> _Known:
        asking = self._asking.get(place)
        if asking is None:
            asking = asyncio.create_task(self._read(*place))
            self._asking[place] = asking
            asking.add_done_callback(lambda _: self._asking.pop(place, None))
        return await asyncio.shield(asking)

    async def _read(self, group: str, version: str) -> _Known:
        root = f"/apis/{quote(group, safe='')}" if group else "/api"
        root = f"{root}/{quote(version, safe='')}"
        kinds: dict[str, Served] = {}
        try:
            found = await self._ask(root)
        except Answered as answer:
            if answer.code != HTTPStatus.NOT_FOUND:
                raise
            found = {"resources": []}
        resources = found.get("resources")
        if not isinstance(resources, list):
            raise Garbled(f"{root}: expected a list of resources")
        for resource in resources[:_KINDS_MOST]:
            served = _served(root, resource)
            if served is not None:
                kinds.setdefault(str(resource["kind"]), served)
        known = _Known(kinds, self._now())
        if len(self._known) < _GROUPS_MOST:
            self._known[group, version] = known
        return known


def _served(root: str, resource: object) -> Served | None:
    if not isinstance(resource, dict) or not isinstance(resource.get("kind"), str):
        return None
    plural = resource.get("name")
    if not isinstance(plural, str) or not _PLURAL.fullmatch(plural):  # also subresources
        return None
    return Served(root, plural, bool(resource.get("namespaced")))
